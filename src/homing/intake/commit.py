"""The transaction of a batch in which submissions are bound to terms (terms.py)."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Final

import msgspec

from homing import errors
from homing.intake.kept_references import KeptReference
from homing.intake.limit_use import LimitsChanged, LimitUse
from homing.intake.prepare import PreparedSubmission
from homing.intake.terms import AnswerOnce, Bounds, CodeSend, EarlierAnswer, LimitTake, SubmissionTerms
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.intake import AnsweredCallKey, NewAnsweredCall, NewMessageCode, NumberBound
from homing.store.statements.verifications import VerificationKey
from homing.store.submissions import Payment, submit_on_terms

ANSWERS_KEPT: Final = timedelta(hours=24)
LeftOut = dict[int, errors.HomingError | EarlierAnswer | None]
"""By `id` of a submission why it is not in the transaction; None: it depends on another, and is tried again.
"""
Number = tuple[int, str, str]
"""Account, app and E.164 digits: what limits count codes by."""
ROUNDS_MAX: Final = 8  # of a transaction that others' limits overtake


async def commit_on_terms(
    database: Database, batch: Sequence[PreparedSubmission], *, now: datetime
) -> tuple[Mapping[int, Payment], LeftOut]:
    """One transaction. Gives each account's payment as `submit` does, and what was left out.

    What is left out is decided before money: an account's payment is of the others. Of an account that cannot pay
    nothing is written, and what a limit refuses is not left out. Raises a `PlatformFailure`.
    """
    if all(_is_light(prepared.terms) for prepared in batch):
        with contextlib.suppress(LimitsChanged):
            return await _commit_light(database, batch, now)
    for _round in range(ROUNDS_MAX):
        try:
            return await _commit(database, batch, now)
        except LimitsChanged:
            continue
    raise errors.Overloaded("limits change faster than they can be read")


def _is_light(terms: SubmissionTerms) -> bool:
    """Whether nothing but limits of single numbers stands against it: others seldom use those at the same time."""
    return (
        terms.once is None
        and not terms.references
        and not terms.limits
        and (terms.code is None or terms.code.resend is None)
    )


async def _commit_light(
    database: Database, batch: Sequence[PreparedSubmission], now: datetime
) -> tuple[Mapping[int, Payment], LeftOut]:
    """One statement decides and stores all."""
    left_out: LeftOut = {}
    async with database.connection() as connection:
        payments = await _submit(connection, batch, left_out, LimitUse(now), now)
    _forgive_unpaid(batch, payments, left_out)
    return payments, left_out


async def _commit(
    database: Database, batch: Sequence[PreparedSubmission], now: datetime
) -> tuple[Mapping[int, Payment], LeftOut]:
    left_out: LeftOut = {}
    async with database.transaction() as transaction:
        taken = await _take_keys(transaction, batch, now, left_out)
        limit_use = await LimitUse.lock(transaction, _takes(batch), now)
        await _lock_verifications(transaction, batch, now, left_out)
        payments = await _submit(transaction, batch, left_out, limit_use, now)
        stored = [each for each in batch if id(each) not in left_out and payments[each.account_id].is_paid]
        _forgive_unpaid(batch, payments, left_out)
        await _write_resends(transaction, stored, now)
        kept = {id(prepared) for prepared in stored}
        released = [key for prepared_id, keys in taken.items() if prepared_id not in kept for key in keys]
        if released:
            await statements.intake.answered_calls_remove(transaction, calls=released)
    return payments, left_out


async def _submit(
    connection: DatabaseConnection,
    batch: Sequence[PreparedSubmission],
    left_out: LeftOut,
    limit_use: LimitUse,
    now: datetime,
) -> Mapping[int, Payment]:
    """Stores what fits in its limits and can be paid for, with its codes and its use of limits, and leaves out what
    does not fit. Raises `LimitsChanged`.
    """
    while True:
        full = _take_limits(limit_use, batch, left_out)
        remaining = [prepared for prepared in batch if id(prepared) not in left_out and id(prepared) not in full]
        payments: Mapping[int, Payment] = {}
        if remaining:
            codes, bounds = _codes(remaining)
            payments, waits = await submit_on_terms(
                connection,
                list(chain.from_iterable(prepared.messages for prepared in remaining)),
                codes=codes,
                bounds=bounds,
                uses=limit_use.uses(),
                now=now,
            )
            if waits:
                left_out.update(_refused(remaining, waits))
                continue
            if not payments:
                raise LimitsChanged
        left_out.update(full)
        return payments


def _take_limits(limit_use: LimitUse, batch: Sequence[PreparedSubmission], left_out: LeftOut) -> LeftOut:
    """What is refused by limits of an app or account. Each submission takes part in all of its limits, or in none."""
    limit_use.take_none()
    full: LeftOut = {}
    for prepared in batch:
        if prepared.terms.limits and id(prepared) not in left_out:
            after = limit_use.after(prepared.account_id, prepared.terms.limits)
            if isinstance(after, errors.LimitReached):
                full[id(prepared)] = after
            else:
                limit_use.take(after)
    return full


def _codes(batch: Sequence[PreparedSubmission]) -> tuple[Sequence[NewMessageCode | None], Sequence[NumberBound]]:
    """The code of each of the batch's messages, nothing if none has one; and the bounds that hold for their numbers."""
    codes: list[NewMessageCode | None] = []
    kinds: dict[Bounds, int] = {}
    counts: dict[Number, int] = {}
    for prepared in batch:
        code = prepared.terms.code
        if code is None:
            codes += [None] * len(prepared.messages)
            continue
        carried = code.new
        if code.bounds:
            number = _number(prepared)
            counts[number] = counts.get(number, 0) + 1
            carried = msgspec.structs.replace(
                code.new or _again(code),
                bounds=kinds.setdefault(code.bounds, len(kinds)),
                ahead=counts[number] - 1,
            )
        codes.append(carried)
    bounds = [
        NumberBound(kind=kind, period_s=period_s, most=most) for each, kind in kinds.items() for period_s, most in each
    ]
    return codes if any(codes) else (), bounds


def _again(code: CodeSend) -> NewMessageCode:
    """Of a message that carries a verification's code again: what limits count."""
    return NewMessageCode(
        code_text=None,
        template_id=None,
        flow_id=None,
        code_hash=None,
        code_sealed=None,
        code_expires_at=None,
        step_due_at=None,
        resend_of=None if code.resend is None else code.resend.verification_id,
        bounds=None,
        ahead=None,
    )


def _refused(batch: Iterable[PreparedSubmission], waits: Mapping[int, int]) -> LeftOut:
    """By `id` of a submission, from the seconds to wait by the messages' IDs.

    The first code that a number has no room for was decided as if it came alone, and so are those behind it within the
    same bounds. One with other bounds was counted behind codes that are refused: it is tried again.
    """
    refused: LeftOut = {}
    firsts: dict[Number, tuple[Bounds, int]] = {}
    for prepared in batch:
        code = prepared.terms.code
        if code is None or prepared.messages[0].message_id not in waits:
            continue
        first = (code.bounds, waits[prepared.messages[0].message_id])
        bounds, wait_s = firsts.setdefault(_number(prepared), first)
        if bounds == code.bounds:
            refused[id(prepared)] = errors.NumberLimitReached(retry_after_s=wait_s)
    return refused


def _number(prepared: PreparedSubmission) -> Number:
    """What the code of a submission's only message counts for."""
    (message,) = prepared.messages
    return message.account_id, message.app_id, message.number


def _forgive_unpaid(batch: Sequence[PreparedSubmission], payments: Mapping[int, Payment], left_out: LeftOut) -> None:
    """Of an account that cannot pay no limit's refusal holds: what would have used the limit up is not stored."""
    for prepared in batch:
        payment = payments.get(prepared.account_id)
        if payment and not payment.is_paid and isinstance(left_out.get(id(prepared)), errors.LimitReached):
            del left_out[id(prepared)]


async def _take_keys(
    transaction: DatabaseConnection,
    batch: Sequence[PreparedSubmission],
    now: datetime,
    left_out: LeftOut,
) -> dict[int, list[AnsweredCallKey]]:
    """The keys that are this batch's own, by `id` of their submissions."""
    calls: dict[tuple[int, str, str], tuple[PreparedSubmission, NewAnsweredCall]] = {}
    repeated: list[tuple[PreparedSubmission, tuple[int, str, str]]] = []
    for prepared in batch:
        for key, make in _calls(prepared):
            if key in calls:
                repeated.append((prepared, key))
            else:
                calls[key] = (prepared, make())
    if not calls:
        return {}
    rows = await statements.intake.answered_calls_take(
        transaction, now=now, since=now - ANSWERS_KEPT, calls=[call for _prepared, call in calls.values()]
    )
    taken: dict[int, list[AnsweredCallKey]] = {}
    answers = {(row.account_id, row.scope, row.key): row for row in rows}
    for key, (prepared, _call) in calls.items():
        row = answers[key]
        if row.is_earlier:
            left_out[id(prepared)] = EarlierAnswer(row.answer, row.digest)
        else:
            own = AnsweredCallKey(account_id=row.account_id, scope=row.scope, key=row.key)
            taken.setdefault(id(prepared), []).append(own)
    for prepared, key in repeated:
        row = answers[key]
        if row.is_earlier:
            left_out[id(prepared)] = EarlierAnswer(row.answer, row.digest)
        else:
            left_out.setdefault(id(prepared), None)
    return taken


def _calls(prepared: PreparedSubmission) -> Iterator[tuple[tuple[int, str, str], Callable[[], NewAnsweredCall]]]:
    """The keys that a submission is done once for, by account and scope, and what is to be kept of each."""
    once = prepared.terms.once
    if once is not None:
        yield (prepared.account_id, once.scope, once.key), partial(_new_call, prepared, once)
    for kept in prepared.terms.references:
        yield (prepared.account_id, kept.scope, kept.key), partial(_kept_call, prepared.account_id, kept)


def _kept_call(account_id: int, kept: KeptReference) -> NewAnsweredCall:
    answer = b"%d" % kept.message_id
    return NewAnsweredCall(account_id=account_id, scope=kept.scope, key=kept.key, digest=kept.digest, answer=answer)


async def take_key(
    transaction: DatabaseConnection, prepared: PreparedSubmission, once: AnswerOnce, now: datetime
) -> None:
    """Takes the key of a call that submits nothing. Raises `EarlierAnswer` when another call has it."""
    (row,) = await statements.intake.answered_calls_take(
        transaction, now=now, since=now - ANSWERS_KEPT, calls=[_new_call(prepared, once)]
    )
    if row.is_earlier:
        raise EarlierAnswer(row.answer, row.digest)


def _new_call(prepared: PreparedSubmission, once: AnswerOnce) -> NewAnsweredCall:
    return NewAnsweredCall(
        account_id=prepared.account_id,
        scope=once.scope,
        key=once.key,
        digest=once.digest,
        answer=once.answer(prepared),
    )


async def find_answer(database: Database, account_id: int, once: AnswerOnce, now: datetime) -> None:
    """Raises `EarlierAnswer` when a call with the key was answered before."""
    row = await statements.intake.answered_call_find(
        database, account_id=account_id, scope=once.scope, key=once.key, since=now - ANSWERS_KEPT
    )
    if row is not None:
        raise EarlierAnswer(row.answer, row.digest)


def _takes(batch: Iterable[PreparedSubmission]) -> Iterator[tuple[int, LimitTake]]:
    for prepared in batch:
        for take in prepared.terms.limits:
            yield prepared.account_id, take


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
            keys=[
                VerificationKey(account_id=key[0], verification_id=key[1], steps_before=_steps_before(prepared))
                for key, prepared in resends.items()
            ],
        )
        still_open = {(row.account_id, row.verification_id) for row in rows}
        for key, prepared in resends.items():
            if key not in still_open:
                left_out[id(prepared)] = errors.VerificationOver()


def _steps_before(prepared: PreparedSubmission) -> int | None:
    code = prepared.terms.code
    if code is None or code.resend is None or code.resend.steps_done is None:
        return None
    return code.resend.steps_done - 1


async def _write_resends(transaction: DatabaseConnection, stored: Sequence[PreparedSubmission], now: datetime) -> None:
    codes = [prepared.terms.code for prepared in stored if prepared.terms.code is not None]
    resent = [code.resend for code in codes if code.resend is not None]
    if resent:
        messages = [code.message for code in codes if code.message is not None]
        await statements.verifications.verifications_resent(transaction, now=now, resends=resent)
        await statements.verifications.verification_messages_add(transaction, messages=messages)
