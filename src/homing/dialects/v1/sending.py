"""POST /v1/messages: one message, or many."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from homing import errors
from homing.accounts.profile import Profile
from homing.api.http.wire import HttpResponse
from homing.dialects.v1 import bounds
from homing.dialects.v1.bodies import MessageBody, MessageItem, MessagesBody
from homing.dialects.v1.calls import V1Call, app_of, end_user_of, reader, recipient_of, sender_of, storable
from homing.dialects.v1.idempotency import once
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import MemberError, V1Refusal, document_of, shown_code, wrong_member
from homing.dialects.v1.replies import BatchItemResult, MessageResults, accepted_view, quote_view
from homing.guard.end_users import AddressHasher
from homing.intake.intake import Intake
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage, MessageGroup, RefusedRecipient, Submission
from homing.intake.terms import SubmissionTerms

encode: Final = msgspec.json.encode
CREATED: Final = 201
read_one: Final = reader(MessageBody)
read_many: Final = reader(MessagesBody)
OF_ONE_TEXT: Final = (
    errors.SensitiveWords,
    errors.TemplateMismatch,
    errors.TemplateMissing,
    errors.ContentTooLong,
    errors.NoRoute,
    errors.DestinationBlocked,
)
"""Refusals of a message for its own sake, which leave the call's other messages alone."""


class _Names(msgspec.Struct):
    """Whether a body names many messages."""

    messages: msgspec.Raw | UnsetType = UNSET


_read_names: Final = msgspec.json.Decoder(_Names).decode


def read_body(body: bytes) -> MessageBody | MessagesBody:
    """Raises `V1Refusal`."""
    try:
        return read_one(body)
    except V1Refusal:
        if not _has_many(body):
            raise
    return read_many(body)


def _has_many(body: bytes) -> bool:
    try:
        return _read_names(body).messages is not UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


class MessageSending:
    """Makes one submission of a call."""

    def __init__(self, intake: Intake, addresses: AddressHasher, clock: Callable[[], datetime]) -> None:
        self._intake = intake
        self._addresses = addresses
        self._clock = clock

    async def send(self, call: V1Call) -> HttpResponse:
        """Raises a `Refusal`, a `PlatformFailure`, or `EarlierAnswer`."""
        body = read_body(call.body)
        app = app_of(call.account, body.app or None)
        send_at, hold_s = self._schedule(body.send_at)
        draft = Submission(
            account=call.account,
            dialect=NUMBER,
            app_id="" if app is None else app.app_id,
            request_id=call.request.request_id,
            groups=(),
            hold_s=hold_s,
            end_user=(
                None if isinstance(body, MessagesBody) else end_user_of(self._addresses, call.account, body.end_user)
            ),
        )
        if isinstance(body, MessagesBody):
            return await self._send_many(call, body, draft, send_at)
        draft = msgspec.structs.replace(draft, groups=(group_of(call.account, body, send_at),))
        if body.dry_run:
            return HttpResponse(encode(quote_view(self._intake.quote(draft).messages[0])))

        def answer(prepared: PreparedSubmission) -> bytes:
            return encode(accepted_view(prepared.messages[0], send_at))

        prepared = await self._submit(call, draft, answer)
        return HttpResponse(answer(prepared), CREATED)

    async def _submit(
        self, call: V1Call, submission: Submission, answer: Callable[[PreparedSubmission], bytes]
    ) -> PreparedSubmission:
        if call.key is not None:
            terms = SubmissionTerms(once=once(call, CREATED, answer))
            submission = msgspec.structs.replace(submission, terms=terms)
        prepared, outcome = self._intake.begin_prepared(submission)
        if (error := await outcome) is not None:
            raise error
        return prepared

    async def _send_many(
        self, call: V1Call, body: MessagesBody, draft: Submission, send_at: datetime | None
    ) -> HttpResponse:
        refused: dict[int, errors.Refusal] = {}
        groups: dict[int, MessageGroup] = {}
        for place, item in enumerate(body.messages):
            try:
                groups[place] = group_of(call.account, item, send_at, f"messages/{place}/")
            except errors.Refusal as refusal:
                refused[place] = refusal

        def answer(prepared: PreparedSubmission) -> bytes:
            return encode(_results(body, groups, refused, prepared, send_at))

        for _attempt in range(2):
            if not groups:
                raise _nothing_accepted(call, refused)
            submission = msgspec.structs.replace(draft, groups=tuple(groups.values()))
            try:
                if body.dry_run:
                    return HttpResponse(answer(self._intake.quote(submission)))
                prepared = await self._submit(call, submission, answer)
                unsent = [each.reason for each in prepared.results if isinstance(each, RefusedRecipient)]
                _log(call, [*refused.values(), *unsent])
                return HttpResponse(answer(prepared), CREATED)
            except OF_ONE_TEXT as refusal:
                culprits = await self._culprits(draft, groups)
                for place, own in (culprits or dict.fromkeys(groups, refusal)).items():
                    refused[place] = own
                    del groups[place]
        raise _nothing_accepted(call, refused)

    async def _culprits(self, draft: Submission, groups: dict[int, MessageGroup]) -> dict[int, errors.Refusal]:
        """The messages that are refused for their own sake, each with the reason."""
        culprits: dict[int, errors.Refusal] = {}
        for place, group in groups.items():
            try:
                self._intake.quote(msgspec.structs.replace(draft, groups=(group,)))
            except errors.Refusal as refusal:
                culprits[place] = refusal
            if place % 50 == 49:
                await asyncio.sleep(0)  # a thousand of them take tens of milliseconds: others come in between
        return culprits

    def _schedule(self, given: datetime | UnsetType) -> tuple[datetime | None, int]:
        """When to send, and how long until then. Raises `V1Refusal`."""
        if given is UNSET:
            return None, 0
        try:
            at = given.astimezone(UTC)
        except OverflowError:
            raise wrong_member("send_at", "not within what can be reckoned with") from None
        wait = at - self._clock()
        if wait < timedelta(seconds=-bounds.SCHEDULE_LATE_S):
            raise wrong_member("send_at", "it is in the past")
        if wait > timedelta(seconds=bounds.SCHEDULE_S_MAX):
            raise wrong_member("send_at", f"at most {bounds.SCHEDULE_S_MAX // 86_400} days ahead")
        return at, max(0, round(wait.total_seconds()))


def group_of(
    account: Profile, item: MessageBody | MessageItem, send_at: datetime | None, place: str = ""
) -> MessageGroup:
    """Raises a `Refusal` that names the member."""
    text = storable(item.text, f"{place}text")
    if not text or text.isspace():
        raise wrong_member(f"{place}text", "it is empty", "text_empty")
    recipient = recipient_of(item.to, item.reference or None, place)
    sender = sender_of(account, None if item.sender is UNSET else item.sender, place)
    return MessageGroup(text, sender, (recipient,), notes=None if send_at is None else {"send_at": send_at})


def _results(
    body: MessagesBody,
    groups: dict[int, MessageGroup],
    refused: dict[int, errors.Refusal],
    prepared: PreparedSubmission,
    send_at: datetime | None,
) -> MessageResults:
    messages = iter(prepared.messages)
    results = {
        place: BatchItemResult(to=body.messages[place].to, error=document_of(refusal))
        for place, refusal in refused.items()
    }
    for place, result in zip(groups, prepared.results, strict=True):
        to = body.messages[place].to
        if not isinstance(result, AcceptedMessage):
            results[place] = BatchItemResult(to=to, error=document_of(result.reason))
        elif body.dry_run:
            results[place] = BatchItemResult(to=to, quote=quote_view(next(messages)))
        else:
            results[place] = BatchItemResult(to=to, message=accepted_view(next(messages), send_at))
    accepted = len(prepared.messages)
    return MessageResults(accepted, len(results) - accepted, [results[place] for place in sorted(results)])


def _log(call: V1Call, refused: Sequence[errors.Refusal]) -> None:
    for refusal in refused:
        call.request.refuse(refusal, shown_code(refusal), messages=1)


def _nothing_accepted(call: V1Call, refused: dict[int, errors.Refusal]) -> V1Refusal:
    _log(call, list(refused.values()))
    members = [
        MemberError(
            refusal.members[0].pointer if isinstance(refusal, V1Refusal) and refusal.members else f"#/messages/{place}",
            f"{document_of(refusal).code}: {document_of(refusal).detail}",
        )
        for place, refusal in sorted(refused.items())
    ]
    return V1Refusal("no_message_accepted", members=members)
