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


class ReceiptCandidate(msgspec.Struct, frozen=True, gc=False):
    """A submitted message that a receipt may be about, or one part of it. `part` counts from 1; 0: the whole
    message. `is_current`: the attempt is the message's latest, and so decides its state. `nth`: of the looked-up
    references, from 1; 0: none was looked up.
    """

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
    nth: int


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


class AttemptReference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `attempts_set_reference` is given."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str
    is_current: bool


class ReferencedAttempt(msgspec.Struct, frozen=True, gc=False):
    """A row of `attempts_set_reference`."""

    message_id: int
    attempt: int


class LateAnswerReference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `late_answers_apply` is given."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str


class LateAnswerRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `late_answers_apply`."""

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


class IdFormatCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `id_formats_count` is given."""

    carrier_id: int
    format: str
    confirmed: int


class CarrierIdFormatRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `id_formats_all`."""

    carrier_id: int
    format: str
    confirmed: int


class IdFormatRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `id_formats_of_carrier`."""

    format: str
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
    event_types: list[str] | None


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
) -> list[ReceiptCandidate]:
    """The messages whose submit answer had a reference with one of the keys (`reference_key`), the newest first. The
    rows are limited before they are sorted (`looked_max`): a carrier that answers every submit with the same ID must
    not make each receipt read all of them. One bound on message IDs prunes partitions; with both bounds the planner
    would take the primary key in place of the reference's index.
    """
    return await fetch_rows(
        db,
        _SQL["receipts_match"],
        ReceiptCandidate,
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
) -> list[ReceiptCandidate]:
    """As above, for parts of messages."""
    return await fetch_rows(
        db,
        _SQL["receipts_match_parts"],
        ReceiptCandidate,
        *columns(references, 2),
        first_id,
        beyond_id,
        looked_max,
        candidates_max,
    )


async def attempts_unanswered(
    db: Executor, *, carrier_ids: Sequence[int], first_id: int, beyond_id: int, started_since: datetime, rows_max: int
) -> list[UnansweredAttempt]:
    """Attempts whose submit answer was lost. `is_current`: no other attempt follows, since the message awaits its
    receipt.
    """
    return await fetch_rows(
        db, _SQL["attempts_unanswered"], UnansweredAttempt, carrier_ids, first_id, beyond_id, started_since, rows_max
    )


async def attempts_set_reference(db: Executor, *, attempts: Sequence[AttemptReference]) -> list[ReferencedAttempt]:
    """Stores the reference of attempts whose answer was lost, taken from their receipt; and the message's, where the
    attempt is its current one. Returns the attempts that had none.
    """
    return await fetch_rows(db, _SQL["attempts_set_reference"], ReferencedAttempt, *columns(attempts, 5))


async def late_answers_apply(
    db: Executor, *, answers: Sequence[LateAnswerReference], grace: timedelta
) -> list[LateAnswerRow]:
    """Stores the reference of a late submit answer with its attempt. Where no later attempt has an answer it becomes
    the message's too: a message that waits in a carrier's lane to be sent again waits for its receipt instead.
    """
    return await fetch_rows(db, _SQL["late_answers_apply"], LateAnswerRow, *columns(answers, 4), grace)


async def receipts_add(db: Executor, *, receipts: Sequence[NewReceipt]) -> None:
    await execute(db, _SQL["receipts_add"], *columns(receipts, 9))


async def parts_lock(db: Executor, *, keys: Sequence[MessageRef]) -> None:
    """Serialises processes that store receipts of parts of one message, so that each sees the parts of the other."""
    await execute(db, _SQL["parts_lock"], *columns(keys, 2))


async def parts_move(db: Executor, *, reports: Sequence[PartMove], ranks: Sequence[int]) -> list[MovedPart]:
    """Moves parts to states of a higher rank; `ranks`: each state's rank, by the state's number. Returns the parts
    that moved.
    """
    return await fetch_rows(db, _SQL["parts_move"], MovedPart, *columns(reports, 7), ranks)


async def parts_of(db: Executor, *, attempts: Sequence[AttemptKey]) -> list[PartRow]:
    return await fetch_rows(db, _SQL["parts_of"], PartRow, *columns(attempts, 3))


async def queue_await_parts(db: Executor, *, grace: timedelta, until: datetime, keys: Sequence[QueueKey]) -> None:
    """Some parts are delivered: the receipts of the others are awaited until `until` and no longer."""
    await execute(db, _SQL["queue_await_parts"], grace, until, *columns(keys, 2))


async def parts_delivered(db: Executor, *, keys: Sequence[MessageRef]) -> list[DeliveredParts]:
    """Of overdue messages, those with a delivered part, and the time of the last delivery."""
    return await fetch_rows(db, _SQL["parts_delivered"], DeliveredParts, *columns(keys, 2))


async def id_formats_count(db: Executor, *, counts: Sequence[IdFormatCount]) -> None:
    await execute(db, _SQL["id_formats_count"], *columns(counts, 3))


async def id_formats_all(db: Executor) -> list[CarrierIdFormatRow]:
    return await fetch_rows(db, _SQL["id_formats_all"], CarrierIdFormatRow)


async def id_formats_of_carrier(db: Executor, *, carrier_id: int) -> list[IdFormatRow]:
    return await fetch_rows(db, _SQL["id_formats_of_carrier"], IdFormatRow, carrier_id)


async def parked_add(
    db: Executor, *, waiting_since: datetime, first_wait: timedelta, receipts: Sequence[NewParkedReceipt]
) -> None:
    await execute(db, _SQL["parked_add"], waiting_since, first_wait, *columns(receipts, 7))


async def parked_claim(
    db: Executor, *, now: datetime, wait_max: timedelta, rows_max: int, wait_min: timedelta, last_try_since: datetime
) -> list[ParkedReceiptRow]:
    """Claims receipts that are due for a retry, at most `rows_max`. The next retry is due after as long again as a
    receipt has waited, between `wait_min` and `wait_max`, so that old receipts do not delay recent ones. One that
    has waited since `last_try_since` is claimed for the last time. Time that passed while no process ran, or because
    the clock was stepped forwards (more than `wait_max` after `due_at`), does not count as waiting.
    """
    return await fetch_rows(
        db, _SQL["parked_claim"], ParkedReceiptRow, now, wait_max, rows_max, wait_min, last_try_since
    )


async def parked_remove(db: Executor, *, parked_ids: Sequence[int]) -> list[int]:
    return await fetch_rows(db, _SQL["parked_remove"], single(int), parked_ids)


async def parked_delete_old(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["parked_delete_old"], before, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


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
    """The latest `rows_max` of one carrier or all, received since `since` and before the row (`before_at`,
    `before_id`). Read carrier by carrier, as the index is ordered.
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
    """Parks given-up receipts again, as if they had just arrived; `received_at` stays. `rows_max` null: all that
    match.
    """
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


async def unmatched_delete(
    db: Executor,
    *,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None,
    before: datetime | None,
    rows_max: int | None,
) -> list[int]:
    return await fetch_rows(
        db,
        _SQL["unmatched_delete"],
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
    """The latest message to one of `numbers`, of an account with one of the sender IDs `senders` (as
    `ltrim(lower(sender), '+0')`). Returns `sender` as the account spells it, if possible like `recipient`;
    `numbers`: how many of the numbers such accounts have sent messages to.
    """
    return await fetch_row_or_none(db, _SQL["inbound_owner"], InboundOwner, bound_days, senders, recipient, numbers)


async def inbound_lock(db: Executor, *, key: str, seed: int) -> None:
    """Serialises processes that receive the same message at once."""
    await execute(db, _SQL["inbound_lock"], key, seed)


async def inbound_duplicate(
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
    """The same message, received before. The text must be equal too: carriers reuse IDs, and some give all parts of
    a message the same ID.
    """
    return await fetch_row_or_none(
        db,
        _SQL["inbound_duplicate"],
        single(int),
        account_id,
        carrier_id,
        number,
        carrier_ref,
        recipient,
        content,
        since_id,
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
    """A message that a carrier repeats under the same ID is stored once."""
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


async def unmatched_inbound_delete(
    db: Executor, *, unmatched_ids: Sequence[int] | None, carrier_id: int | None
) -> list[int]:
    return await fetch_rows(
        db,
        _SQL["unmatched_inbound_delete"],
        single(int),
        unmatched_ids,
        carrier_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def unmatched_inbound_claim(db: Executor, *, rows_max: int) -> list[ReplayedInbound]:
    return await fetch_rows(db, _SQL["unmatched_inbound_claim"], ReplayedInbound, rows_max)


async def unmatched_inbound_end_replay(db: Executor, *, unmatched_id: int) -> None:
    await execute(db, _SQL["unmatched_inbound_end_replay"], unmatched_id)


async def unmatched_inbound_remove(db: Executor, *, unmatched_id: int) -> None:
    await execute(db, _SQL["unmatched_inbound_remove"], unmatched_id)


async def unmatched_inbound_delete_old(db: Executor, *, days: int, rows_max: int) -> None:
    """Those stored more than `days` days ago, and the oldest beyond `rows_max`."""
    await execute(db, _SQL["unmatched_inbound_delete_old"], days, rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
