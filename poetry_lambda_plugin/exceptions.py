"""The one base of every error that a user can cause."""

from __future__ import annotations


class LambdaBundleError(Exception):
    """Say in one paragraph what is wrong, where, and what to do about it."""
