"""Statements of sql/receipts.sql.

Made by tools/sql_bindings.py from sql/receipts.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, single
from homing.store.statements.dispatch import MessageRef, QueueKey

_SQL: Final = queries.load("receipts")


class ReceiptReference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `receipts_match`, `receipts_match_parts` is given."""

    carrier_id: int
    key: str


class CandidateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `receipts_match`, `receipts_match_parts`."""

    nth: int
    account_id: int
    message_id: int
    attempt: int
    part: int
    state: int
    carrier_ref: str
    number: str
    sender: str
    segments: int
    is_current: bool
    sent_at: datetime | None


class UnansweredAttempt(msgspec.Struct, frozen=True, gc=False):
    """A row of `attempts_unanswered`."""

    account_id: int
    message_id: int
    attempt: int
    part: int
    state: int
    carrier_ref: str
    number: str
    sender: str
    segments: int
    is_current: bool
    sent_at: datetime | None
    carrier_id: int
    started_at: datetime


class AttemptName(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `attempts_name` is given."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str
    is_current: bool


class NamedAttempt(msgspec.Struct, frozen=True, gc=False):
    """A row of `attempts_name`."""

    message_id: int
    attempt: int


class LateAnswerKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `answers_late` is given."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str


class LateAnswerRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `answers_late`."""

    account_id: int
    message_id: int
    is_current: bool


class NewReceipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `receipts_add` is given."""

    account_id: int
    message_id: int
    carrier_id: int
    carrier_ref: str
    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    applied: bool


class PartMove(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `parts_move` is given."""

    account_id: int
    message_id: int
    attempt: int
    part: int
    state: int
    error_code: str | None
    at: datetime


class MovedPart(msgspec.Struct, frozen=True, gc=False):
    """A row of `parts_move`."""

    message_id: int
    attempt: int
    part: int


class AttemptKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `parts_of` is given."""

    account_id: int
    message_id: int
    attempt: int


class PartRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `parts_of`."""

    message_id: int
    attempt: int
    part: int
    state: int
    error_code: str | None
    reported_at: datetime | None


class DeliveredParts(msgspec.Struct, frozen=True, gc=False):
    """A row of `parts_delivered`."""

    message_id: int
    at: datetime


class FormCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `forms_count` is given."""

    carrier_id: int
    form: str
    confirmed: int


class CarrierFormRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `forms_all`."""

    carrier_id: int
    form: str
    confirmed: int


class ReferenceFormRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `reference_forms`."""

    form: str
    confirmed: int
    first_at: datetime
    last_at: datetime


class NewParkedReceipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `parked_add` is given."""

    carrier_id: int
    carrier_ref: str
    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    number: str | None


class ParkedReceiptRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `parked_claim`."""

    parked_id: int
    carrier_id: int
    carrier: str
    carrier_ref: str
    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    number: str | None
    waiting_since: datetime
    is_last: bool


class UnmatchedByCarrier(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_by_carrier`."""

    carrier: str
    unmatched: int


class UnmatchedReceiptRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_list`."""

    parked_id: int
    carrier_id: int
    carrier_ref: str
    number: str | None
    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    replays: int
    given_up_at: datetime
    carrier: str


class UnmatchedCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_counts`."""

    carrier: str
    receipts: int


class UnmatchedReceiptDetail(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_show`."""

    parked_id: int
    carrier_id: int
    carrier_ref: str
    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    given_up_at: datetime | None
    number: str | None
    replays: int
    waiting_since: datetime
    due_at: datetime
    carrier: str | None


class UnmatchedSpan(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_count`."""

    carrier: str | None
    unmatched: int
    oldest_at: datetime
    newest_at: datetime


class InboundOwner(msgspec.Struct, frozen=True, gc=False):
    """A row of `inbound_owner`."""

    account_id: int
    app_id: str
    number: str
    sender: str
    inbound_url: str | None
    is_bound: bool
    numbers: int


class UnmatchedInboundRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_inbound_list`."""

    unmatched_id: int
    carrier_id: int
    number: str
    recipient: str
    content: str
    carrier_ref: str
    received_at: datetime
    kept_at: datetime
    replay_at: datetime | None
    replays: int
    carrier: str | None


class UnmatchedInboundCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_inbound_counts`."""

    carrier: str
    messages: int


class ReplayedInbound(msgspec.Struct, frozen=True, gc=False):
    """A row of `unmatched_inbound_claim`."""

    unmatched_id: int
    carrier_id: int
    number: str
    recipient: str
    content: str
    carrier_ref: str
    received_at: datetime


async def receipts_match(
    db: Executor,
    *,
    references: Sequence[ReceiptReference],
    first_id: int,
    beyond_id: int,
    looked_max: int,
    candidates_max: int,
) -> list[CandidateRow]:
    """A receipt's id in a form that it may have in the answer (`key`), and the messages that had such an answer. Cut
    off before it is put in order: a carrier that gives one id to everything must not make each of its receipts read
    all of them. One bound of the ids leaves partitions out; with both the planner takes the primary key for as good
    an index as the reference's, and walks it.
    """
    return await fetch_rows(
        db,
        _SQL["receipts_match"],
        CandidateRow,
        *columns(references, 2),
        first_id,
        beyond_id,
        looked_max,
        candidates_max,
    )


async def receipts_match_parts(
    db: Executor,
    *,
    references: Sequence[ReceiptReference],
    first_id: int,
    beyond_id: int,
    looked_max: int,
    candidates_max: int,
) -> list[CandidateRow]:
    """As above, of parts. A part belongs to what its attempt belongs to."""
    return await fetch_rows(
        db,
        _SQL["receipts_match_parts"],
        CandidateRow,
        *columns(references, 2),
        first_id,
        beyond_id,
        looked_max,
        candidates_max,
    )


async def attempts_unanswered(
    db: Executor, *, carrier_ids: Sequence[int], first_id: int, beyond_id: int, started_since: datetime, rows_max: int
) -> list[UnansweredAttempt]:
    """Submits whose answer was lost. Current where no other attempt is, or is still to come: the message awaits its
    receipt.
    """
    return await fetch_rows(
        db, _SQL["attempts_unanswered"], UnansweredAttempt, carrier_ids, first_id, beyond_id, started_since, rows_max
    )


async def attempts_name(db: Executor, *, attempts: Sequence[AttemptName]) -> list[NamedAttempt]:
    """The answer that was lost, learnt from its receipt; the message's own where it stands on no other."""
    return await fetch_rows(db, _SQL["attempts_name"], NamedAttempt, *columns(attempts, 5))


async def answers_late(db: Executor, *, answers: Sequence[LateAnswerKey], grace: timedelta) -> list[LateAnswerRow]:
    """An answer that came late: the attempt's id; and the message's own, where it awaits its receipt and stands on
    no other attempt, or waits in a carrier's lane to go again, which it then does not.
    """
    return await fetch_rows(db, _SQL["answers_late"], LateAnswerRow, *columns(answers, 4), grace)


async def receipts_add(db: Executor, *, receipts: Sequence[NewReceipt]) -> None:
    await execute(db, _SQL["receipts_add"], *columns(receipts, 9))


async def parts_lock(db: Executor, *, keys: Sequence[MessageRef]) -> None:
    """Two processes that hear of a message's last two parts at once must not each miss the other's: they take turns."""
    await execute(db, _SQL["parts_lock"], *columns(keys, 2))


async def parts_move(db: Executor, *, reports: Sequence[PartMove], ranks: Sequence[int]) -> list[MovedPart]:
    """`ranks` gives each state's rank, and only a higher rank moves a part."""
    return await fetch_rows(db, _SQL["parts_move"], MovedPart, *columns(reports, 7), ranks)


async def parts_of(db: Executor, *, attempts: Sequence[AttemptKey]) -> list[PartRow]:
    return await fetch_rows(db, _SQL["parts_of"], PartRow, *columns(attempts, 3))


async def queue_await_parts(db: Executor, *, grace: timedelta, until: datetime, keys: Sequence[QueueKey]) -> None:
    """Some parts are delivered: the others have until `until` to be told of."""
    await execute(db, _SQL["queue_await_parts"], grace, until, *columns(keys, 2))


async def parts_delivered(db: Executor, *, keys: Sequence[MessageRef]) -> list[DeliveredParts]:
    """Of overdue messages, those of which a part was delivered, and when the last one was."""
    return await fetch_rows(db, _SQL["parts_delivered"], DeliveredParts, *columns(keys, 2))


async def forms_count(db: Executor, *, counts: Sequence[FormCount]) -> None:
    await execute(db, _SQL["forms_count"], *columns(counts, 3))


async def forms_all(db: Executor) -> list[CarrierFormRow]:
    return await fetch_rows(db, _SQL["forms_all"], CarrierFormRow)


async def reference_forms(db: Executor, *, carrier_id: int) -> list[ReferenceFormRow]:
    return await fetch_rows(db, _SQL["reference_forms"], ReferenceFormRow, carrier_id)


async def parked_add(
    db: Executor, *, waiting_since: datetime, first_wait: timedelta, receipts: Sequence[NewParkedReceipt]
) -> None:
    await execute(db, _SQL["parked_add"], waiting_since, first_wait, *columns(receipts, 7))


async def parked_claim(
    db: Executor, *, now: datetime, wait_max: timedelta, rows_max: int, wait_min: timedelta, last_try_since: datetime
) -> list[ParkedReceiptRow]:
    """What is due for a try, at most `rows_max`. Each waits as long again as it has waited, between `wait_min` and
    `wait_max`, so that those of which little is to be hoped do not keep early ones from their turn; whoever waits
    since `last_try_since` has this try and no other. Where nobody looked for longer than `wait_max` after it was
    due, or the clock was stepped forwards, that time is none of its waiting.
    """
    return await fetch_rows(
        db, _SQL["parked_claim"], ParkedReceiptRow, now, wait_max, rows_max, wait_min, last_try_since
    )


async def parked_leave(db: Executor, *, parked_ids: Sequence[int]) -> list[int]:
    return await fetch_rows(db, _SQL["parked_leave"], single(int), parked_ids)


async def parked_forget(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["parked_forget"], before, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def unmatched_by_carrier(db: Executor) -> list[UnmatchedByCarrier]:
    return await fetch_rows(db, _SQL["unmatched_by_carrier"], UnmatchedByCarrier)


async def unmatched_list(
    db: Executor,
    *,
    since: datetime | None,
    before_at: datetime | None,
    before_id: int | None,
    rows_max: int,
    carrier_id: int | None,
) -> list[UnmatchedReceiptRow]:
    """The latest `rows_max` of one carrier or all, received since `since`, below the receipt `before_id` of the time
    `before_at`. By carrier, which is how the index has them.
    """
    return await fetch_rows(
        db, _SQL["unmatched_list"], UnmatchedReceiptRow, since, before_at, before_id, rows_max, carrier_id
    )


async def unmatched_counts(db: Executor, *, counted_max: int) -> list[UnmatchedCounts]:
    """How many each carrier has, counted up to `counted_max`."""
    return await fetch_rows(db, _SQL["unmatched_counts"], UnmatchedCounts, counted_max)


async def unmatched_show(db: Executor, *, parked_id: int) -> UnmatchedReceiptDetail | None:
    return await fetch_row_or_none(db, _SQL["unmatched_show"], UnmatchedReceiptDetail, parked_id)


async def unmatched_count(db: Executor, *, carrier_id: int | None, since: datetime | None) -> list[UnmatchedSpan]:
    return await fetch_rows(
        db, _SQL["unmatched_count"], UnmatchedSpan, carrier_id, since, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def unmatched_replay(
    db: Executor,
    *,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None,
    since: datetime | None,
    rows_max: int | None,
) -> list[int]:
    """The time that a receipt has begins anew; when it was received stays. `rows_max`: how many at most; null: all."""
    return await fetch_rows(
        db,
        _SQL["unmatched_replay"],
        single(int),
        parked_ids,
        carrier_id,
        since,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def unmatched_drop(
    db: Executor,
    *,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None,
    before: datetime | None,
    rows_max: int | None,
) -> list[int]:
    return await fetch_rows(
        db,
        _SQL["unmatched_drop"],
        single(int),
        parked_ids,
        carrier_id,
        before,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def inbound_owner(
    db: Executor, *, bound_days: int, senders: Sequence[str], recipient: str, numbers: Sequence[str]
) -> InboundOwner | None:
    """The latest message to one of the numbers `numbers` of an account that has one of the senders `senders`, as
    `ltrim(lower(sender), '+0')` has them. `sender`: as the account spells it, `recipient` itself if it does so.
    `numbers`: to how many of `numbers` such accounts have written.
    """
    return await fetch_row_or_none(db, _SQL["inbound_owner"], InboundOwner, bound_days, senders, recipient, numbers)


async def inbound_lock(db: Executor, *, key: str, seed: int) -> None:
    """Two processes may be told of one message at once."""
    await execute(db, _SQL["inbound_lock"], key, seed)


async def inbound_twin(
    db: Executor,
    *,
    account_id: int,
    carrier_id: int,
    number: str,
    carrier_ref: str,
    recipient: str,
    content: str,
    since_id: int,
) -> int | None:
    """The same message, brought before. Carriers use ids again, and some give one id to all parts of a message: its
    text must be the same.
    """
    return await fetch_row_or_none(
        db, _SQL["inbound_twin"], single(int), account_id, carrier_id, number, carrier_ref, recipient, content, since_id
    )


async def inbound_add(
    db: Executor,
    *,
    account_id: int,
    inbound_id: int,
    app_id: str,
    carrier_id: int,
    number: str,
    recipient: str,
    content: str,
    received_at: datetime,
    mcc: str | None,
    mnc: str | None,
    operator: str | None,
    carrier_ref: str,
) -> None:
    await execute(
        db,
        _SQL["inbound_add"],
        account_id,
        inbound_id,
        app_id,
        carrier_id,
        number,
        recipient,
        content,
        received_at,
        mcc,
        mnc,
        operator,
        carrier_ref,
    )


async def unmatched_inbound_add(
    db: Executor, *, carrier_id: int, number: str, recipient: str, content: str, carrier_ref: str, received_at: datetime
) -> None:
    """What a carrier brings again under the same id is kept once."""
    await execute(db, _SQL["unmatched_inbound_add"], carrier_id, number, recipient, content, carrier_ref, received_at)


async def unmatched_inbound_list(
    db: Executor, *, carrier_id: int | None, since: datetime | None, before_id: int | None, rows_max: int
) -> list[UnmatchedInboundRow]:
    return await fetch_rows(
        db, _SQL["unmatched_inbound_list"], UnmatchedInboundRow, carrier_id, since, before_id, rows_max
    )


async def unmatched_inbound_counts(db: Executor, *, counted_max: int) -> list[UnmatchedInboundCounts]:
    """How many each carrier has, counted up to `counted_max`."""
    return await fetch_rows(db, _SQL["unmatched_inbound_counts"], UnmatchedInboundCounts, counted_max)


async def unmatched_inbound_replay(
    db: Executor, *, unmatched_ids: Sequence[int] | None, carrier_id: int | None
) -> list[int]:
    return await fetch_rows(
        db,
        _SQL["unmatched_inbound_replay"],
        single(int),
        unmatched_ids,
        carrier_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def unmatched_inbound_drop(
    db: Executor, *, unmatched_ids: Sequence[int] | None, carrier_id: int | None
) -> list[int]:
    return await fetch_rows(
        db,
        _SQL["unmatched_inbound_drop"],
        single(int),
        unmatched_ids,
        carrier_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def unmatched_inbound_claim(db: Executor, *, rows_max: int) -> list[ReplayedInbound]:
    return await fetch_rows(db, _SQL["unmatched_inbound_claim"], ReplayedInbound, rows_max)


async def unmatched_inbound_rest(db: Executor, *, unmatched_id: int) -> None:
    await execute(db, _SQL["unmatched_inbound_rest"], unmatched_id)


async def unmatched_inbound_leave(db: Executor, *, unmatched_id: int) -> None:
    await execute(db, _SQL["unmatched_inbound_leave"], unmatched_id)


async def unmatched_inbound_forget(db: Executor, *, days: int, rows_max: int) -> None:
    """Those kept for more than `days` days, and the oldest beyond `rows_max`."""
    await execute(db, _SQL["unmatched_inbound_forget"], days, rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
