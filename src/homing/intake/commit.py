"""The transaction of a batch in which submissions are bound to terms (terms.py)."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from homing import errors
from homing.intake.prepare import PreparedSubmission
from homing.intake.terms import EarlierAnswer, LimitTake
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.intake import AnsweredCallKey, NewAnsweredCall, NewWindow, WindowKey
from homing.store.statements.verifications import VerificationKey
from homing.store.submissions import Payment, submit

ANSWERS_KEPT: Final = timedelta(hours=24)
LeftOut = dict[int, errors.HomingError | EarlierAnswer | None]
"""By `id` of a submission why it is not in the transaction; None: it depends on another, and is tried again.
"""
Window = tuple[int, int, str, int]
"""Account, scope, key and period: the order in which all batches lock them, so that two cannot wait for each other."""


class _Use:
    """How much of a window is used up, as far as the batch has been decided."""

    def __init__(self, started_at: datetime, used: int) -> None:
        self.started_at = started_at
        self.used = used


async def commit_on_terms(
    database: Database, batch: Sequence[PreparedSubmission], *, now: datetime
) -> tuple[Mapping[int, Payment], LeftOut]:
    """One transaction. Gives each account's payment as `submit` does, and what was left out.

    What is left out is decided before money: an account's payment is of the others. Of an account that cannot pay
    nothing is written. Raises a `PlatformFailure`.
    """
    left_out: LeftOut = {}
    async with database.transaction() as transaction:
        taken = await _take_keys(transaction, batch, now, left_out)
        windows = await _lock_windows(transaction, batch, now)
        before = _decide_limits(batch, windows, now, left_out)
        await _lock_verifications(transaction, batch, now, left_out)
        remaining = [prepared for prepared in batch if id(prepared) not in left_out]
        payments: Mapping[int, Payment] = {}
        if remaining:
            messages = list(chain.from_iterable(prepared.messages for prepared in remaining))
            payments = await submit(transaction, messages, now=now)
        stored = [prepared for prepared in remaining if payments[prepared.account_id].is_paid]
        await _write_uses(transaction, stored, before, windows)
        await _write_codes(transaction, stored, now)
        kept = {id(prepared) for prepared in stored}
        released = [key for prepared_id, key in taken.items() if prepared_id not in kept]
        if released:
            await statements.intake.answered_calls_remove(transaction, calls=released)
    return payments, left_out


async def _take_keys(
    transaction: DatabaseConnection,
    batch: Sequence[PreparedSubmission],
    now: datetime,
    left_out: LeftOut,
) -> dict[int, AnsweredCallKey]:
    """The keys that are this batch's own, by `id` of their submissions."""
    calls: dict[tuple[int, str, str], tuple[PreparedSubmission, NewAnsweredCall]] = {}
    repeated: list[tuple[PreparedSubmission, tuple[int, str, str]]] = []
    for prepared in batch:
        once = prepared.terms.once
        if once is None:
            continue
        key = (prepared.account_id, once.scope, once.key)
        if key in calls:
            repeated.append((prepared, key))
        else:
            call = NewAnsweredCall(
                account_id=prepared.account_id,
                scope=once.scope,
                key=once.key,
                digest=once.digest,
                answer=once.answer(prepared),
            )
            calls[key] = (prepared, call)
    if not calls:
        return {}
    rows = await statements.intake.answered_calls_take(
        transaction, now=now, since=now - ANSWERS_KEPT, calls=[call for _prepared, call in calls.values()]
    )
    taken: dict[int, AnsweredCallKey] = {}
    answers = {(row.account_id, row.scope, row.key): row for row in rows}
    for key, (prepared, _call) in calls.items():
        row = answers[key]
        if row.is_earlier:
            left_out[id(prepared)] = EarlierAnswer(row.answer, row.digest)
        else:
            taken[id(prepared)] = AnsweredCallKey(account_id=row.account_id, scope=row.scope, key=row.key)
    for prepared, key in repeated:
        row = answers[key]
        left_out[id(prepared)] = EarlierAnswer(row.answer, row.digest) if row.is_earlier else None
    return taken


def _takes(prepared: PreparedSubmission) -> Sequence[tuple[Window, LimitTake]]:
    return [((prepared.account_id, int(take.scope), take.key, take.period_s), take) for take in prepared.terms.limits]


async def _lock_windows(
    transaction: DatabaseConnection, batch: Sequence[PreparedSubmission], now: datetime
) -> dict[Window, _Use]:
    wanted = sorted({window for prepared in batch for window, _take in _takes(prepared)})
    if not wanted:
        return {}
    rows = await statements.intake.windows_lock(
        transaction,
        now=now,
        windows=[WindowKey(account_id=w[0], scope=w[1], key=w[2], period_s=w[3]) for w in wanted],
    )
    windows = {}
    for row in rows:
        is_over = row.started_at + timedelta(seconds=row.period_s) <= now
        use = _Use(now, 0) if is_over else _Use(row.started_at, row.used)
        windows[row.account_id, row.scope, row.key, row.period_s] = use
    return windows


def _decide_limits(
    batch: Sequence[PreparedSubmission],
    windows: Mapping[Window, _Use],
    now: datetime,
    left_out: LeftOut,
) -> dict[Window, int]:
    """Decides one submission after the other: all of its limits have room for it, or it takes nothing. Gives what the
    windows have been used for before the batch.
    """
    before = {window: use.used for window, use in windows.items()}
    for prepared in batch:
        if id(prepared) in left_out:
            continue
        takes = _takes(prepared)
        full = next(((w, take) for w, take in takes if windows[w].used + take.amount > take.most), None)
        if full is None:
            for window, take in takes:
                windows[window].used += take.amount
        else:
            window, take = full
            free_at = windows[window].started_at + timedelta(seconds=take.period_s)
            wait_s = math.ceil((free_at - now).total_seconds())
            left_out[id(prepared)] = take.refusal(retry_after_s=min(max(wait_s, 1), take.period_s))
    return before


async def _lock_verifications(
    transaction: DatabaseConnection,
    batch: Sequence[PreparedSubmission],
    now: datetime,
    left_out: LeftOut,
) -> None:
    """Leaves out resends of what is over; in a batch a verification is sent again once."""
    resends: dict[tuple[int, int], PreparedSubmission] = {}
    messages_max = 0
    for prepared in batch:
        code = prepared.terms.code
        if id(prepared) in left_out or code is None or code.resend is None:
            continue
        key = (prepared.account_id, code.resend.verification_id)
        if key in resends:
            left_out[id(prepared)] = None
        else:
            resends[key] = prepared
            messages_max = code.messages_max
    if resends:
        rows = await statements.verifications.verifications_open(
            transaction,
            now=now,
            messages_max=messages_max,
            keys=[VerificationKey(account_id=key[0], verification_id=key[1]) for key in resends],
        )
        still_open = {(row.account_id, row.verification_id) for row in rows}
        for key, prepared in resends.items():
            if key not in still_open:
                left_out[id(prepared)] = errors.VerificationOver()


async def _write_uses(
    transaction: DatabaseConnection,
    stored: Sequence[PreparedSubmission],
    before: Mapping[Window, int],
    windows: Mapping[Window, _Use],
) -> None:
    """What was decided for submissions that are not paid for is not used."""
    used: dict[Window, int] = {}
    for prepared in stored:
        for window, take in _takes(prepared):
            used[window] = used.get(window, before[window]) + take.amount
    if used:
        await statements.intake.windows_write(
            transaction,
            windows=[
                NewWindow(
                    account_id=window[0],
                    scope=window[1],
                    key=window[2],
                    period_s=window[3],
                    started_at=windows[window].started_at,
                    used=amount,
                )
                for window, amount in sorted(used.items())
            ],
        )


async def _write_codes(transaction: DatabaseConnection, stored: Sequence[PreparedSubmission], now: datetime) -> None:
    codes = [prepared.terms.code for prepared in stored if prepared.terms.code is not None]
    if not codes:
        return
    added = [code.verification for code in codes if code.verification is not None]
    resent = [code.resend for code in codes if code.resend is not None]
    if added:
        await statements.verifications.verifications_add(transaction, now=now, verifications=added)
    if resent:
        await statements.verifications.verifications_resent(transaction, resends=resent)
    await statements.verifications.verification_messages_add(transaction, messages=[code.message for code in codes])
