"""The handler imported once as on Lambda, apart from this machine, before a bundle takes its place."""
