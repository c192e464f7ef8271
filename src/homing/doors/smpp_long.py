"""Long messages that customers submit in parts: what a part is, when a set is whole, and the message it makes. Pure.

Each part has the id that its submit_sm_resp gave. The message has the first part's id; its notes name all of them, so
that each gets the receipt that its submit asked for.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from homing import limits
from homing.accounts.profile import Profile
from homing.doors import smpp_text
from homing.doors.smpp_submit import Asked
from homing.doors.smpp_words import Unacceptable
from homing.intake.submission import Group, Submission
from homing.messages.smpp_form import Receipt
from homing.model import NO_OPTIONS, Door, Options, Recipient, Traffic
from homing.smpp.statuses import Status
from homing.states import State
from homing.text.segments import Encoding

Key = tuple[int, str, str, int, int]
"""What parts of one message share: account, number, sender, the customer's reference, how many there are."""


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a part's submit asked for, as it is stored. `door` and `key` name the credential that it came by."""

    door: int
    key: str
    app_id: str
    request_id: str
    raw_number: str
    data_coding: int
    registered: int
    traffic: int
    validity_s: int
    reference: str | None = None
    notes: dict[str, Any] = {}
    options: Options = NO_OPTIONS


class LongPart(msgspec.Struct, frozen=True):
    """A part as it is stored."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    form: Form

    @property
    def set_key(self) -> Key:
        return self.account_id, self.number, self.sender, self.reference, self.total


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Form).decode


def part_of(
    asked: Asked, account: Profile, part_id: int, door: Door, key: str, app_id: str, request_id: str
) -> LongPart:
    """Raises `Unacceptable` for what a part by itself cannot hold."""
    assert asked.part is not None
    if len(asked.octets) > limits.LONG_PART_BYTES_MAX:
        raise Unacceptable(Status.RINVMSGLEN, f"a part holds at most {limits.LONG_PART_BYTES_MAX} octets")
    smpp_text.check(asked.octets, asked.data_coding, account.smpp_charset)
    (recipient,) = asked.recipients
    return LongPart(
        account.account_id,
        part_id,
        recipient.number,
        asked.sender,
        asked.part.reference,
        asked.part.total,
        asked.part.part,
        asked.octets,
        Form(
            door,
            key,
            app_id,
            request_id,
            recipient.raw,
            asked.data_coding,
            asked.registered,
            asked.traffic,
            asked.validity_s,
            recipient.reference,
            asked.notes,
            asked.options,
        ),
    )


def whole_sets(parts: Iterable[LongPart]) -> list[list[LongPart]]:
    """Those of which every part is there, each in its order."""
    sets: dict[Key, dict[int, LongPart]] = {}
    for part in parts:
        sets.setdefault(part.set_key, {})[part.part] = part
    return [
        [members[number] for number in sorted(members)]
        for (*_shared, total), members in sets.items()
        if len(members) == total
    ]


def submission_of(parts: Sequence[LongPart], account: Profile) -> Submission:
    """The message of a whole set, as its first part asked for it. Raises `Unacceptable` when it is no text."""
    first = parts[0]
    text = _text(parts, account.smpp_charset)
    registered = 0
    for part in parts:
        registered |= part.form.registered
    notes = {**first.form.notes, "parts": [(part.part_id, part.form.registered) for part in parts]}
    reference = next((part.form.reference for part in parts if part.form.reference), None)
    recipient = Recipient(first.form.raw_number, first.number, reference)
    return Submission(
        account=account,
        door=Door.SMPP,
        app_id=first.form.app_id,
        request_id=first.form.request_id,
        groups=(Group(text.text, first.sender, (recipient,), text.encoding, notes, first.form.options),),
        traffic=Traffic(first.form.traffic),
        validity_s=first.form.validity_s,
        registered=registered,
    )


def _text(parts: Sequence[LongPart], charset: str) -> smpp_text.Text:
    codings = {part.form.data_coding for part in parts}
    if len(codings) == 1:
        return smpp_text.decode_parts([part.content for part in parts], codings.pop(), charset)
    texts = [smpp_text.decode(part.content, part.form.data_coding, charset) for part in parts]
    encoding = Encoding.UCS2 if any(text.encoding is Encoding.UCS2 for text in texts) else None
    return smpp_text.Text("".join(text.text for text in texts), encoding)


def receipt_of(part: LongPart, state: State, submitted_s: int, done_s: int) -> Receipt:
    """How a part ended of which no message came: nothing was charged for it."""
    reference = part.form.reference
    return Receipt(
        str(part.part_id),
        part.number,
        part.sender,
        state,
        submitted_s,
        done_s,
        reference=int(reference) if reference else None,
    )
