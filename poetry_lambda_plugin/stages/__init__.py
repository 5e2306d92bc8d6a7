"""One bundle's way, stage by stage: what each adds to it is a type of its own."""
