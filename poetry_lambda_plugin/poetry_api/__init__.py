"""The one door to Poetry: nothing else imports it, and what comes out of here are values of our own.

Every use of an API that is private or has moved names the versions that it was tried on.
"""
