"""Does it hold: checks of what is bundled against what Lambda has."""
