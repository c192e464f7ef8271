"""Multipart messages that customers submit: the parts, complete sets, and the messages they make. Pure.

Each part has the id of its submit_sm_resp. The message has the first part's id; its notes name all of them, so that
each part gets the receipt that its submit asked for.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from homing.accounts.profile import Profile
from homing.api.smpp import message_text
from homing.api.smpp.dialect import NUMBER
from homing.api.smpp.statuses import RequestRejected
from homing.api.smpp.submit import SubmitRequest
from homing.intake.submission import MessageGroup, RepeatedReferences, Submission
from homing.messages.smpp_bodies import ReceiptBody
from homing.model import NO_OPTIONS, Options, Recipient, Traffic
from homing.smpp.statuses import CommandStatus
from homing.states import MessageState
from homing.text.segments import TextEncoding

MULTIPART_PART_BYTES_MAX: Final = 254  # SMPP 3.4, 4.4.1: short_message holds no more, and a part by SAR needs no more


MultipartKey = tuple[int, str, str, int, int]
"""Of the parts of one message: account, number, sender, the customer's reference, how many parts."""


class PartRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part's submit as it is stored. `dialect` and `key` name its credential."""

    dialect: int
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


class MessagePart(msgspec.Struct, frozen=True):
    """A stored part. `part` runs from 1 to `total`."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    form: PartRequest

    @property
    def set_key(self) -> MultipartKey:
        return self.account_id, self.number, self.sender, self.reference, self.total


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(PartRequest).decode


def part_of(
    submit: SubmitRequest, account: Profile, part_id: int, *, dialect: int, key: str, app_id: str, request_id: str
) -> MessagePart:
    """Raises `RequestRejected` for a part that is too long, or no text by itself."""
    assert submit.part is not None
    if len(submit.octets) > MULTIPART_PART_BYTES_MAX:
        raise RequestRejected(CommandStatus.RINVMSGLEN, f"a part holds at most {MULTIPART_PART_BYTES_MAX} octets")
    message_text.check(submit.octets, submit.data_coding, account.smpp_charset)
    (recipient,) = submit.recipients
    return MessagePart(
        account.account_id,
        part_id,
        recipient.number,
        submit.sender,
        submit.part.reference,
        submit.part.total,
        submit.part.part,
        submit.octets,
        PartRequest(
            dialect,
            key,
            app_id,
            request_id,
            recipient.raw,
            submit.data_coding,
            submit.registered,
            submit.traffic,
            submit.validity_s,
            recipient.reference,
            submit.notes,
            submit.options,
        ),
    )


def complete_sets(parts: Iterable[MessagePart]) -> list[list[MessagePart]]:
    """The sets of which every part is there, each in order."""
    sets: dict[MultipartKey, dict[int, MessagePart]] = {}
    for part in parts:
        sets.setdefault(part.set_key, {})[part.part] = part
    return [
        [members[number] for number in sorted(members)]
        for (*_shared, total), members in sets.items()
        if len(members) == total
    ]


def submission_of(parts: Sequence[MessagePart], account: Profile) -> Submission:
    """The message of a complete set, as its first part asks. Raises `RequestRejected` when it is no text."""
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
        dialect=NUMBER,
        app_id=first.form.app_id,
        request_id=first.form.request_id,
        groups=(MessageGroup(text.text, first.sender, (recipient,), text.encoding, notes, first.form.options),),
        traffic=Traffic(first.form.traffic),
        validity_s=first.form.validity_s,
        registered=registered,
        repeated_references=(
            RepeatedReferences.ANSWERED if reference and account.unique_references else RepeatedReferences.SENT
        ),
    )


def _text(parts: Sequence[MessagePart], charset: str) -> message_text.SubmittedText:
    codings = {part.form.data_coding for part in parts}
    if len(codings) == 1:
        return message_text.decode_parts([part.content for part in parts], codings.pop(), charset)
    texts = [message_text.decode(part.content, part.form.data_coding, charset) for part in parts]
    encoding = TextEncoding.UCS2 if any(text.encoding is TextEncoding.UCS2 for text in texts) else None
    return message_text.SubmittedText("".join(text.text for text in texts), encoding)


def receipt_of(part: MessagePart, state: MessageState, submitted_s: int, done_s: int) -> ReceiptBody:
    """The receipt of a part that became no message: nothing was charged for it."""
    reference = part.form.reference
    return ReceiptBody(
        str(part.part_id),
        part.number,
        part.sender,
        state,
        submitted_s,
        done_s,
        reference=int(reference) if reference else None,
    )
