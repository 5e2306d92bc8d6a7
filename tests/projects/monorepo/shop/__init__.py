"""A shop of three functions."""
