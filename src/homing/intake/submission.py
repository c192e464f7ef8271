"""The input of the intake, which dialects build, and its results."""

import enum
from collections.abc import Mapping, Sequence

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.guard.end_users import EndUserAddress
from homing.intake.terms import NO_TERMS, SubmissionTerms
from homing.model import NO_OPTIONS, Options, Recipient, Traffic
from homing.reasons import Reason
from homing.text.segments import TextEncoding


class MessageGroup(msgspec.Struct, frozen=True):
    """One text from one sender to one or more recipients. `encoding` None: the text decides.

    `notes`: what the dialect decided, for the message's timeline, such as a replaced sender ID. The `options` are
    stored among them, and need no columns. `masked_text`: what is kept of the text once the message has left; None:
    all.
    """

    text: str
    sender: str
    recipients: Sequence[Recipient]
    encoding: TextEncoding | None = None
    notes: Mapping[str, object] | None = None
    options: Options = NO_OPTIONS
    masked_text: str | None = None


class RepeatedReferences(enum.Enum):
    """What becomes of a recipient whose reference another message to the number had within a day.

    Answered: it gets that message's ID, and no other. Answered together: all recipients share one ID, so that of a call
    some of whose recipients are repeated the others are refused.
    """

    SENT = enum.auto()
    ANSWERED = enum.auto()
    ANSWERED_TOGETHER = enum.auto()


class Submission(msgspec.Struct, frozen=True):
    """What one call submits. It is charged at once and as a whole, or refused.

    `registered`: SMPP's registered_delivery (SMPP 3.4, 5.2.17); None in dialects that have another way to request
    reports. `hold_s`: how long the messages wait before they are sent. `avoid_carriers`: used only where the route has
    no others, or not at all with a `resend_reason`: why the platform sends a code again by itself. `terms`: what it is
    bound to besides money. `end_user`: who requested it, as evidence for the guard.
    """

    account: Profile
    dialect: int
    app_id: str
    request_id: str
    groups: Sequence[MessageGroup]
    traffic: Traffic = Traffic.TRANSACTIONAL
    validity_s: int = limits.VALIDITY_S_DEFAULT
    callback_url: str | None = None
    registered: int | None = None
    hold_s: int = 0
    avoid_carriers: frozenset[int] = frozenset()
    resend_reason: Reason | None = None
    terms: SubmissionTerms = NO_TERMS
    repeated_references: RepeatedReferences = RepeatedReferences.SENT
    end_user: EndUserAddress | None = None


class AcceptedMessage(msgspec.Struct, frozen=True):
    """A message that is stored, charged and queued."""

    message_id: int
    recipient: Recipient


class RefusedRecipient(msgspec.Struct, frozen=True):
    """A recipient of an accepted submission that gets no message, and the reason."""

    recipient: Recipient
    reason: errors.Refusal


SubmitResult = AcceptedMessage | RefusedRecipient
