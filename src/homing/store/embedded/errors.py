"""Errors of the embedded PostgreSQL, worded for operators."""

from homing.errors import InvalidInput


class EmbeddedError(InvalidInput):
    """The embedded PostgreSQL cannot be used; the text says why and what the operator can do about it."""
