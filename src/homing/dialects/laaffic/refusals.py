"""The refusals that this dialect alone has."""

from homing import errors
from homing.accounts.refused_calls import HasReason
from homing.reasons import Reason, ReasonCode


class NotAuthenticated(errors.Refusal, HasReason):
    """Authentication error."""

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason = reason


class AddressNotAllowed(errors.Refusal, HasReason):
    """IP access limited."""

    reason = Reason.of(ReasonCode.CALL_ADDRESS_NOT_ALLOWED)


class AccountLocked(errors.Refusal, HasReason):
    """User locked."""

    reason = Reason.of(ReasonCode.CALL_ACCOUNT_LOCKED)


class TimestampExpired(errors.Refusal, HasReason):
    """Timestamp expired."""

    reason = Reason.of(ReasonCode.CALL_TIMESTAMP_EXPIRED)


class NameInUse(errors.Refusal):
    """Data existing: the name is taken."""


class BatchFailed(errors.PlatformFailure):
    """The bulk submission failed on the platform's side."""
