"""What is watched while bundles follow the files that they are made from, and what happens then."""
