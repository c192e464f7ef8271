"""The refusals that this dialect alone has."""

from homing import errors


class NotAuthenticated(errors.Refusal):
    """Authentication error."""


class AddressNotAllowed(errors.Refusal):
    """IP access limited."""


class AccountLocked(errors.Refusal):
    """User locked."""


class TimestampExpired(errors.Refusal):
    """Timestamp expired."""


class NameInUse(errors.Refusal):
    """Data existing: the name is taken."""


class BatchFailed(errors.PlatformFailure):
    """The bulk submission failed on the platform's side."""
