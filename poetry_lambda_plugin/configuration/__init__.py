"""What is wanted: pyproject.toml and the command line, joined to one frozen value per bundle."""
