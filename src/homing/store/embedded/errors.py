"""What can go wrong with the embedded PostgreSQL, in words for whoever runs Homing."""

from homing.errors import InvalidInput


class EmbeddedError(InvalidInput):
    """The embedded PostgreSQL cannot be used; the text says why and what the operator can do about it."""
