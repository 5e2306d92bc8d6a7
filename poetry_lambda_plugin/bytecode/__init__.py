"""Compiled for the runtime, once it is known what the bundle holds."""
