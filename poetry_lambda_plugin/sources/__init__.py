"""What goes in: the lock's choice for the target, its files, and the project's own."""
