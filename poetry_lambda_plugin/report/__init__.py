"""Telling what was made: values first, then the forms a person or a program reads."""
