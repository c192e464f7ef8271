"""Every refusal and failure, with its consequences.

    HomingError
    ├── Refusal                   caused by the caller or the account; each dialect has a code for it
    │   ├── BadShape · BadParameter · NumbersAbnormal (NationalNumber) · ContentEmpty · ...
    │   ├── SensitiveWords · TemplateMismatch · TemplateMissing
    │   ├── NoRoute · FlashNotCarried · DestinationBlocked · InsufficientBalance · ReferenceReused
    │   └── ...
    └── PlatformFailure           ours; the caller may retry
        ├── DatabaseUnavailable   answered at once
        ├── DatabaseFailed        the database refused the statement or took too long
        └── Overloaded            more work is waiting than the limits allow

A class's docstring is its message; its code in a dialect stands in that dialect's table. `retryable`: whether the
same request can succeed later; `fault`: who has to act.
"""

from typing import ClassVar, Literal

Fault = Literal["caller", "account", "platform"]


class HomingError(Exception):
    """Something went wrong."""

    retryable: ClassVar[bool] = False
    fault: ClassVar[Fault] = "platform"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or type(self).message())
        self.detail = detail

    @classmethod
    def message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


class Refusal(HomingError):
    """Refused."""

    fault: ClassVar[Fault] = "caller"


class BadShape(Refusal):
    """The request is not of the dialect's shape."""


class BadParameter(Refusal):
    """A parameter's value is wrong; `detail` says which, and what is wrong."""


class UnknownApp(Refusal):
    """The appId is unknown or another account's."""


class NumbersEmpty(Refusal):
    """No number was given."""


class NumbersTooMany(Refusal):
    """More numbers than one call may carry."""


class NumbersAbnormal(Refusal):
    """None of the numbers is valid."""


class NationalNumber(NumbersAbnormal):
    """A number that begins with 0 is a national number: the country code comes first."""


class ContentEmpty(Refusal):
    """The text is empty."""


class ContentTooLong(Refusal):
    """The text is too long."""


class SensitiveWords(Refusal):
    """The text holds a word that may not be sent."""


class TemplateMismatch(Refusal):
    """The text matches none of the account's templates."""


class TemplateMissing(Refusal):
    """The account must use templates and has none."""


class BatchEmpty(Refusal):
    """A batch without groups."""


class NoRoute(Refusal):
    """No route or no price for this destination."""

    fault = "account"


class FlashNotCarried(NoRoute):
    """No carrier of this destination's route sends flash messages."""


class DestinationBlocked(Refusal):
    """The destination is blocked."""

    fault = "account"


class InsufficientBalance(Refusal):
    """The account's money does not cover the whole submission."""

    fault = "account"
    retryable = True


class ReferenceReused(Refusal):
    """The reference is that of another message to this number."""


class LimitReached(Refusal):
    """As many messages as the limits allow were sent; `retry_after_s`: until there is room."""

    retryable = True

    def __init__(self, detail: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class QuotaReached(LimitReached):
    """The account or the app has sent as much as its limits allow."""


class AppLimitReached(LimitReached):
    """The app has sent as many codes as its limit allows."""


class NumberLimitReached(LimitReached):
    """As many codes as the limit allows were sent to this number."""


class VerificationOver(Refusal):
    """The verification is over, or its code was sent as often as it may be."""


class QueryEmpty(Refusal):
    """A field of the query is empty or its id is abnormal."""


class QueryTooFrequent(Refusal):
    """Queries come faster than the account may ask."""

    retryable = True


class BadTime(Refusal):
    """A time cannot be read, or the range is reversed."""


class OutOfRange(Refusal):
    """The time range is too long or too old."""


class PlatformFailure(HomingError):
    """Homing's own failure."""

    retryable = True


class DatabaseUnavailable(PlatformFailure):
    """The database cannot be reached."""


class DatabaseFailed(PlatformFailure):
    """The database refused the statement or took too long.

    `poison`: something in the batch itself was refused (a value, a constraint), so a smaller batch may pass.
    """

    def __init__(self, detail: str = "", *, poison: bool = False) -> None:
        super().__init__(detail)
        self.poison = poison


class Overloaded(PlatformFailure):
    """More work is waiting than the bounds allow."""


class InvalidInput(HomingError):
    """A command cannot do what was asked; the text says why and what to do.

    A text with {names} for `values` can be translated (`text`, `values`).
    """

    fault = "caller"

    def __init__(self, text: str = "", **values: object) -> None:
        super().__init__(text.format(**values) if values else text)
        self.text = text
        self.values = values
