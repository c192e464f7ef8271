"""The input of the intake, which dialects build, and its results."""

from collections.abc import Mapping, Sequence

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.model import NO_OPTIONS, Options, Recipient, Traffic
from homing.text.segments import TextEncoding


class MessageGroup(msgspec.Struct, frozen=True):
    """One text from one sender to one or more recipients. `encoding` None: the text decides.

    `notes`: what the dialect decided, for the message's timeline, such as a replaced sender ID. The `options` are
    stored among them, and need no columns.
    """

    text: str
    sender: str
    recipients: Sequence[Recipient]
    encoding: TextEncoding | None = None
    notes: Mapping[str, object] | None = None
    options: Options = NO_OPTIONS


class Submission(msgspec.Struct, frozen=True):
    """What one call submits. It is charged at once and as a whole, or refused.

    `registered`: SMPP's registered_delivery (SMPP 3.4, 5.2.17); None in dialects that have another way to request
    reports.
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
    """A message that is stored, charged and queued."""

    message_id: int
    recipient: Recipient


class RefusedRecipient(msgspec.Struct, frozen=True):
    """A recipient of an accepted submission that gets no message, and the reason."""

    recipient: Recipient
    reason: errors.Refusal


SubmitResult = AcceptedMessage | RefusedRecipient
