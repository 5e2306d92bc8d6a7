"""What makes the parts of the documents that are made: the table of options, the picture of the terminal."""
