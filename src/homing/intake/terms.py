"""What a submission may be bound to, besides money: limits, being done once, and the code that its message carries.

All of it is decided in the transaction that stores and charges the messages: over all processes no limit is passed, a
repeated call does nothing twice, and a code that a person may receive can be checked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from homing import errors
from homing.intake.kept_references import KeptReference
from homing.model import LimitScope
from homing.store.statements.intake import NewMessageCode
from homing.store.statements.verifications import NewVerificationMessage, VerificationResend

if TYPE_CHECKING:
    from homing.intake.prepare import PreparedSubmission


class LimitTake(msgspec.Struct, frozen=True, kw_only=True):
    """A submission's part of limits of the same thing: `amount`, where `bounds` have by period in seconds how much is
    allowed in it, counted from the first.

    `key`: of what, within the account and `scope`. `refusal`: what is raised when it does not fit.
    """

    scope: LimitScope
    key: str
    bounds: Mapping[int, int]
    amount: int
    refusal: type[errors.LimitReached]


class AnswerOnce(msgspec.Struct, frozen=True, kw_only=True):
    """A call of which a repetition within a day gets the first answer.

    `scope`: which kind of key. `digest`: of the request; whoever asks again finds out by it whether it is the same.
    `answer`: what is stored, from the submission that will be committed.
    """

    scope: str
    key: str
    digest: bytes
    answer: Callable[["PreparedSubmission"], bytes]


class EarlierAnswer(Exception):
    """The call was answered before: with `answer`, to a request with `digest`. Nothing was submitted."""

    def __init__(self, answer: bytes, digest: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.digest = digest


Bounds = tuple[tuple[int, int], ...]
"""Periods in seconds, and how many codes a number may get in each."""


class CodeSend(msgspec.Struct, frozen=True, kw_only=True):
    """The code that a submission's only message carries: a `new` one, or, in another `message` of a verification that
    there is, again. That has at most `messages_max`. `bounds`: how many codes the number may get from the app.
    """

    bounds: Bounds = ()
    new: NewMessageCode | None = None
    message: NewVerificationMessage | None = None
    resend: VerificationResend | None = None
    messages_max: int = 0


class SubmissionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """All that a submission is bound to."""

    limits: Sequence[LimitTake] = ()
    once: AnswerOnce | None = None
    references: Sequence[KeptReference] = ()
    code: CodeSend | None = None


NO_TERMS: Final = SubmissionTerms()
