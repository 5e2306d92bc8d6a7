"""What a person types: options in, exit code out."""
