"""Writes the mail that confirms an order."""
