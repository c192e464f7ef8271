"""Statements of sql/intake.sql.

Made by tools/sql_bindings.py from sql/intake.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import (
    Executor,
    columns,
    composites,
    composites_or_none,
    execute,
    fetch_row,
    fetch_row_or_none,
    fetch_rows,
    single,
)

_SQL: Final = queries.load("intake")


class AccountCharge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `submit`, `submit_on_terms` is given."""

    account_id: int
    total_micro: int


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message that is to be charged and stored. `raw_number`: as the customer wrote it; None if that is `number`.
    `price_micro`: of a segment. `notes`: a JSON object. `registered`: which reports an SMPP customer asked for (SMPP
    3.4, 5.2.17). `masked_text`: what takes the text's place when the message has left; None: the text stays.
    `hold_s`: how long it waits before it is sent; None: not at all. `is_resent`: the code that it carries has left
    before; None: no.
    """

    account_id: int
    message_id: int
    submission_id: int
    dialect: int
    app_id: str
    request_id: str
    raw_number: str | None
    number: str
    country: str
    mcc: str
    mnc: str
    sender: str
    text: str
    encoding: int
    segments: int
    traffic: int
    reference: str | None
    callback_url: str | None
    price_micro: int
    route_id: int
    carrier_id: int
    notes: str | None
    validity_s: int
    registered: int | None
    masked_text: str | None
    hold_s: int | None
    is_resent: bool | None


class PaymentRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `submit`."""

    account_id: int
    is_paid: bool
    available_micro: int


class NewLimitUse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a batch makes of a limit's use. `ends_ms`: Unix time at which the last window is over. `earlier`: the
    windows that it was decided by; None: nothing was used before.
    """

    account_id: int
    scope: int
    key: str
    windows: str
    ends_ms: int
    earlier: str | None


class NumberBound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many codes may go to a number within a period, of bounds that are named by `kind`."""

    kind: int
    period_s: int
    most: int


class NewMessageCode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The code that a message carries: a new one, or that of a verification (`resend_of`). `bounds`: which of the
    batch's bounds hold for its number; None: no limit counts it. `ahead`: how many messages of the batch before it
    are counted with it.
    """

    code_text: str | None
    template_id: int | None
    flow_id: int | None
    code_hash: bytes | None
    code_sealed: bytes | None
    code_expires_at: datetime | None
    step_due_at: datetime | None
    resend_of: int | None
    bounds: int | None
    ahead: int | None


class OutcomeOnTerms(msgspec.Struct, frozen=True, gc=False):
    """What became of an account's part of a batch; or, with a `refused_id`, a message for whose code a limit leaves
    no room: then nothing of the batch is written. `wait_ms`: until there is some.
    """

    account_id: int
    is_paid: bool
    available_micro: int
    refused_id: int | None
    wait_ms: int | None


class NewVerification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A code that nothing is sent of, with the ID that its message would have."""

    account_id: int
    verification_id: int
    dialect: int
    app_id: str
    number: str
    raw_number: str
    reference: str | None
    template_id: int | None
    flow_id: int | None
    sender: str
    text: str
    code_hash: bytes
    code_sealed: bytes | None
    attempts_max: int
    is_test: bool
    expires_at: datetime
    step_due_at: datetime | None


class LimitKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `limits_lock` is given."""

    account_id: int
    scope: int
    key: str


class StoredLimitUse(msgspec.Struct, frozen=True, gc=False):
    """A row of `limits_lock`."""

    account_id: int
    scope: int
    key: str
    windows: str


class NewAnsweredCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `answered_calls_take` is given."""

    account_id: int
    scope: str
    key: str
    digest: bytes
    answer: bytes


class AnsweredCall(msgspec.Struct, frozen=True, gc=False):
    """A row of `answered_calls_take`."""

    account_id: int
    scope: str
    key: str
    digest: bytes
    answer: bytes
    is_earlier: bool


class EarlierCall(msgspec.Struct, frozen=True, gc=False):
    """A row of `answered_call_find`."""

    digest: bytes
    answer: bytes


class AnsweredCallKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `answered_calls_find`, `answered_calls_remove` is given."""

    account_id: int
    scope: str
    key: str


class EarlierCallOfKey(msgspec.Struct, frozen=True, gc=False):
    """A row of `answered_calls_find`."""

    key: str
    digest: bytes
    answer: bytes


async def submit(
    db: Executor,
    *,
    charges: Sequence[AccountCharge],
    messages: Sequence[NewMessage],
    before_micro: Sequence[int],
    now: datetime,
) -> list[PaymentRow]:
    """One statement, one transaction: a conditional UPDATE charges each account that can pay for all of its messages
    in this batch, and only messages that are paid for are stored and queued. An account that cannot pay for all of
    them is not charged; the caller reads its available amount and submits again what that covers.
    """
    return await fetch_rows(
        db, _SQL["submit"], PaymentRow, *columns(charges, 2), composites(messages), before_micro, now
    )


async def submit_on_terms(
    db: Executor,
    *,
    uses: Sequence[NewLimitUse],
    bounds: Sequence[NumberBound],
    messages: Sequence[NewMessage],
    before_micro: Sequence[int],
    codes: Sequence[NewMessageCode | None],
    now_ms: int,
    charges: Sequence[AccountCharge],
    uses_held: int,
    now: datetime,
) -> list[OutcomeOnTerms]:
    """As `submit`, with what the messages are bound to: the codes that they carry, and what they use up of limits. A
    code is refused when so many went to its number as a bound allows within its period that ends now. Gives no row,
    and writes nothing, when `uses_held` of the uses are no longer as `earlier` says; fails with a unique violation
    when a use without an earlier one, or a code's place, has been stored elsewhere meanwhile. Locks are taken in one
    order by all batches: uses that are stored, balances, new uses and places.
    """
    return await fetch_rows(
        db,
        _SQL["submit_on_terms"],
        OutcomeOnTerms,
        composites(uses),
        *columns(bounds, 3),
        composites(messages),
        before_micro,
        composites_or_none(codes),
        now_ms,
        *columns(charges, 2),
        uses_held,
        now,
    )


async def verifications_add(db: Executor, *, now: datetime, verifications: Sequence[NewVerification]) -> None:
    """A code of a test number."""
    await execute(db, _SQL["verifications_add"], now, composites(verifications))


async def limits_lock(db: Executor, *, keys: Sequence[LimitKey]) -> list[StoredLimitUse]:
    """What is used up of limits, locked in the order of the keys. What was never used has no row."""
    return await fetch_rows(db, _SQL["limits_lock"], StoredLimitUse, composites(keys))


async def answered_calls_take(
    db: Executor, *, now: datetime, calls: Sequence[NewAnsweredCall], since: datetime
) -> list[AnsweredCall]:
    """Takes keys of calls that are answered once. A key that another call has had since `since` is returned with
    that call's answer, and is not taken; a call under way elsewhere is waited for.
    """
    return await fetch_rows(db, _SQL["answered_calls_take"], AnsweredCall, now, *columns(calls, 5), since)


async def answered_call_lock(db: Executor, *, scope: str, key: str, account_id: int) -> None:
    """What a key was answered with since `since`. The sum keeps the planner from the index by time. Calls with one
    key take place one after the other, over all processes, until the transaction's end.
    """
    await execute(db, _SQL["answered_call_lock"], scope, key, account_id)


async def answered_call_find(
    db: Executor, *, account_id: int, scope: str, key: str, since: datetime
) -> EarlierCall | None:
    return await fetch_row_or_none(db, _SQL["answered_call_find"], EarlierCall, account_id, scope, key, since)


async def answered_calls_find(
    db: Executor, *, calls: Sequence[AnsweredCallKey], since: datetime
) -> list[EarlierCallOfKey]:
    """As above, of many keys."""
    return await fetch_rows(db, _SQL["answered_calls_find"], EarlierCallOfKey, *columns(calls, 3), since)


async def answered_calls_remove(db: Executor, *, calls: Sequence[AnsweredCallKey]) -> None:
    await execute(db, _SQL["answered_calls_remove"], *columns(calls, 3))


async def answered_calls_forget(db: Executor, *, rows_max: int) -> int:
    """Forgets up to `rows_max` answers of two days ago; gives how many. What others have locked stays until the next
    time: batches lock in the order of the keys, and must not wait for this one for ever.
    """
    return await fetch_row(
        db, _SQL["answered_calls_forget"], single(int), rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def limits_forget(db: Executor, *, rows_max: int) -> int:
    """As above, of limits whose last window is over."""
    return await fetch_row(db, _SQL["limits_forget"], single(int), rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
