"""What a dialect hands to the intake, and what it gets back."""

from collections.abc import Mapping, Sequence

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.model import NO_OPTIONS, Options, Recipient, Traffic
from homing.text.segments import TextEncoding


class MessageGroup(msgspec.Struct, frozen=True):
    """One text from one sender to one or more recipients. `encoding` None: the text decides.

    `notes` is what the dialect decided that the message's timeline should tell (a replaced sender). The `options` are
    stored among them, which costs no column.
    """

    text: str
    sender: str
    recipients: Sequence[Recipient]
    encoding: TextEncoding | None = None
    notes: Mapping[str, object] | None = None
    options: Options = NO_OPTIONS


class Submission(msgspec.Struct, frozen=True):
    """What is accepted or refused together: its money is taken at once, all or nothing.

    `registered` is SMPP's registered_delivery; None where the dialect has another way to ask for reports.
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


class AcceptedMessage(msgspec.Struct, frozen=True):
    """A message that is stored, paid for and queued."""

    message_id: int
    recipient: Recipient


class RefusedRecipient(msgspec.Struct, frozen=True):
    """A recipient of an accepted submission who gets no message, and why."""

    recipient: Recipient
    reason: errors.Refusal


SubmitResult = AcceptedMessage | RefusedRecipient
