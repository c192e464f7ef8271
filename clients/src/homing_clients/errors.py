"""Errors of the clients, and their consequences.

    ClientError
    ├── NotSent             no connection: the call did not reach the vendor
    ├── Refused             the vendor refused the call; nothing was done
    │   ├── AccessRefused   NotAuthenticated · AddressNotAllowed · AccountLocked · ClockOff · ScopeMissing
    │   ├── BadParameter · NumbersEmpty · NumbersTooMany · NumbersInvalid · ContentEmpty · ContentTooLong
    │   ├── SensitiveWords · SensitiveCodeText · TemplateMismatch · TemplateMissing · BadTime · OutOfRange
    │   ├── InsufficientBalance · NoRoute · NoPrice · AlreadyNamed
    │   ├── MessageUnknown · AlreadyReported · VerificationUnknown · AlreadyVerified · VerificationOver
    │   ├── NoMessageAccepted · TooLateToCancel · KeyReused · WebhookUnknown · WebhookOff · EventUnknown · AppUnknown
    │   ├── BodyIncomplete  the call did not arrive whole
    │   ├── TooFrequent     come again later: AppLimit · NumberLimit
    │   ├── HttpRefused     an HTTP status of 4xx without the dialect's words
    │   └── VendorFault     the vendor's own failure; a send may have been done all the same
    │       └── BatchFailed
    ├── Unanswered          no response to a call that was sent
    ├── BadAnswer           a response that is not of the contract: 5xx, a web page, garbage
    │   └── Redirected · TooLarge
    ├── FateUnknown         one of those in doubt above, for a call that must not be repeated
    └── BadPush             a push that is not of the contract
        └── BadSignature    or not signed with the secret

A class's docstring is its message. `retryable`: the same call can succeed later. `soon`: within seconds, so that a
client tries again by itself where that is safe. `in_doubt`: the vendor may have done what was asked. `fault`: who has
to act.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from homing_clients.problem import Problem

Fault = Literal["caller", "account", "vendor", "network"]


class ClientError(Exception):
    """The call failed."""

    retryable: ClassVar[bool] = False
    soon: ClassVar[bool] = False
    fault: ClassVar[Fault] = "vendor"

    def __init__(
        self,
        words: str = "",
        *,
        code: str = "",
        http_status: int | None = None,
        retry_after_s: float | None = None,
        in_doubt: bool = False,
    ) -> None:
        """`words`: the vendor's, or the network's; `code`: the dialect's, "" where it has none."""
        super().__init__(words)
        self.words = words
        self.code = code
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.in_doubt = in_doubt
        self.endpoint = ""
        self.parameters: Mapping[str, object] = {}
        """The parameters of the call, without credentials."""
        self.idempotency_key = ""
        """The call's: given again with the same parameters, nothing is done twice. "" where the API has none."""
        self.problem: Problem | None = None
        """The problem document of Homing's own API."""

    def __str__(self) -> str:
        detail = f"{self.code} {self.words}".strip()
        where = f"{self.endpoint}: " if self.endpoint else ""
        return where + type(self).message() + (f" ({detail})" if detail else "")

    @classmethod
    def message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


class NotSent(ClientError):
    """No connection: the vendor never saw the call."""

    retryable = True
    soon = True
    fault: ClassVar[Fault] = "network"


class Refused(ClientError):
    """The vendor refused the call."""

    fault: ClassVar[Fault] = "caller"


class AccessRefused(Refused):
    """The account may not call."""

    fault: ClassVar[Fault] = "account"


class NotAuthenticated(AccessRefused):
    """Key, secret or app are not known to the vendor."""


class AddressNotAllowed(AccessRefused):
    """This address may not call with these credentials."""


class AccountLocked(AccessRefused):
    """The account is locked."""


class ClockOff(AccessRefused):
    """The clock of this machine is too far from the vendor's."""

    fault: ClassVar[Fault] = "caller"


class ScopeMissing(AccessRefused):
    """The key's scopes do not include this call."""


class BadParameter(Refused):
    """A parameter is missing, wrong or out of bounds."""


class NumbersEmpty(Refused):
    """No number was given."""


class NumbersTooMany(Refused):
    """More numbers than one call may carry."""


class NumbersInvalid(Refused):
    """None of the numbers is valid."""


class ContentEmpty(Refused):
    """The text is empty."""


class ContentTooLong(Refused):
    """The text is too long."""


class SensitiveWords(Refused):
    """The text holds a word that may not be sent."""


class TemplateMismatch(Refused):
    """The text matches none of the account's templates."""


class TemplateMissing(Refused):
    """There is no such template."""


class BadTime(Refused):
    """A time cannot be read, or the range is reversed."""


class OutOfRange(Refused):
    """The time range is too long or too old."""


class InsufficientBalance(Refused):
    """The account's money does not cover it."""

    retryable = True
    fault: ClassVar[Fault] = "account"


class NoRoute(Refused):
    """The vendor has no route or price for the destination."""

    fault: ClassVar[Fault] = "account"


class NoPrice(NoRoute):
    """The vendor has no price for the number."""


class AlreadyNamed(Refused):
    """The name is taken."""


class SensitiveCodeText(SensitiveWords):
    """The text of a code holds a word that is not allowed."""


class MessageUnknown(Refused):
    """A field is empty, or names no message of this account."""


class AlreadyReported(Refused):
    """The conversion of this message was reported before."""


class VerificationUnknown(Refused):
    """The account has no such verification."""


class WebhookUnknown(Refused):
    """The account has no such webhook endpoint."""


class AppUnknown(Refused):
    """The account has no such app."""


class EventUnknown(Refused):
    """The account has no such event, or it is no longer kept."""


class WebhookOff(Refused):
    """The webhook endpoint is disabled."""


class AlreadyVerified(Refused):
    """The verification succeeded before; this check lets nobody in."""


class VerificationOver(Refused):
    """The verification has ended, or its code was sent as often as it may be."""


class NoMessageAccepted(Refused):
    """None of the messages was accepted; the problem document says why for each."""


class TooLateToCancel(Refused):
    """The message may have left already."""


class KeyReused(Refused):
    """The Idempotency-Key belongs to another call."""


class BodyIncomplete(Refused):
    """The body of the call did not arrive whole, or not in time."""

    retryable = True
    soon = True
    fault: ClassVar[Fault] = "network"


class TooFrequent(Refused):
    """Calls come faster than the vendor allows; this one was turned away unread."""

    retryable = True
    soon = True


class AppLimit(TooFrequent):
    """The app has sent as many codes as its limit allows."""

    soon = False


class NumberLimit(TooFrequent):
    """As many codes as the limit allows were sent to the number."""

    soon = False


class HttpRefused(Refused):
    """The vendor refused the HTTP request."""


class VendorFault(Refused):
    """The vendor's own failure; what was asked may have been done."""

    retryable = True
    soon = True
    fault: ClassVar[Fault] = "vendor"


class BatchFailed(VendorFault):
    """The bulk submission failed on the vendor's side."""


class Unanswered(ClientError):
    """The call left and no answer came back."""

    retryable = True
    soon = True
    fault: ClassVar[Fault] = "network"


class BadAnswer(ClientError):
    """The answer is not of the contract."""

    retryable = True
    soon = True


class Redirected(BadAnswer):
    """The vendor points elsewhere; a client with credentials does not follow."""

    retryable = False
    soon = False


class TooLarge(BadAnswer):
    """The answer is larger than a client reads."""

    retryable = False
    soon = False


class FateUnknown(ClientError):
    """The vendor may have done what was asked; made again, the call may do it twice.

    `__cause__` is what happened: `Unanswered`, `BadAnswer` or `VendorFault`.
    """

    fault: ClassVar[Fault] = "network"


class BadPush(ClientError):
    """The push is not of the contract."""


class BadSignature(BadPush):
    """The push is not signed with the secret, or was signed too long ago."""
