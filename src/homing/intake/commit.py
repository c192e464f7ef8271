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
from homing.intake.number_use import Number, NumberPlace, NumberUse
from homing.intake.prepare import PreparedSubmission
from homing.intake.terms import NO_BOUNDS, AnswerOnce, EarlierAnswer, LimitTake, SubmissionTerms
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.intake import AnsweredCallKey, NewAnsweredCall, NewMessageCode
from homing.store.statements.verifications import VerificationKey
from homing.store.submissions import Payment, store_resends, submit_on_terms

ANSWERS_KEPT: Final = timedelta(hours=24)
LeftOut = dict[int, errors.HomingError | EarlierAnswer | None]
"""By `id` of a submission why it is not in the transaction; None: it depends on another, and is tried again.
"""
Places = dict[int, NumberPlace]
"""By `id` of a submission: of the code that it sends to a number with limits."""
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
    """No transaction is held open: the statement that stores the batch makes sure that what was read is still so."""
    left_out: LeftOut = {}
    async with database.connection() as connection:
        number_use = await NumberUse.read(connection, _numbers(batch), now)
        limit_use = LimitUse(now)
        places = _take_limits(limit_use, number_use, batch, left_out)
        payments = await _submit(connection, batch, left_out, limit_use, places, now)
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
        number_use = await NumberUse.read(transaction, _numbers(batch), now)
        places = _take_limits(limit_use, number_use, batch, left_out)
        payments = await _submit(transaction, batch, left_out, limit_use, places, now)
        stored = [each for each in batch if id(each) not in left_out and payments[each.account_id].is_paid]
        _forgive_unpaid(batch, payments, left_out)
        await _write_resends(transaction, stored, places, now)
        kept = {id(prepared) for prepared in stored}
        released = [key for prepared_id, keys in taken.items() if prepared_id not in kept for key in keys]
        if released:
            await statements.intake.answered_calls_remove(transaction, calls=released)
    return payments, left_out


def _number(prepared: PreparedSubmission) -> Number:
    """What limits of a single number count the submission's code for."""
    message = prepared.messages[0]
    return message.account_id, message.app_id, message.number


def _numbers(batch: Iterable[PreparedSubmission]) -> Iterator[Number]:
    for prepared in batch:
        if prepared.terms.code is not None and prepared.terms.code.bounds:
            yield _number(prepared)


def _take_limits(
    limit_use: LimitUse, number_use: NumberUse, batch: Sequence[PreparedSubmission], left_out: LeftOut
) -> Places:
    """Each submission takes part in all of its limits or, left out, in none."""
    places: Places = {}
    for prepared in batch:
        terms = prepared.terms
        bounds = NO_BOUNDS if terms.code is None else terms.code.bounds
        if (not bounds and not terms.limits) or id(prepared) in left_out:
            continue
        after = limit_use.after(prepared.account_id, terms.limits) if terms.limits else {}
        if isinstance(after, errors.LimitReached):
            left_out[id(prepared)] = after
            continue
        if bounds:
            number = _number(prepared)
            place = number_use.place(number, bounds)
            if isinstance(place, errors.LimitReached):
                left_out[id(prepared)] = place
                continue
            number_use.take(number, place)
            places[id(prepared)] = place
        limit_use.take(after)
    return places


async def _submit(
    connection: DatabaseConnection,
    batch: Sequence[PreparedSubmission],
    left_out: LeftOut,
    limit_use: LimitUse,
    places: Places,
    now: datetime,
) -> Mapping[int, Payment]:
    """Stores what is not left out and can be paid for, with its new codes and its use of limits. Raises
    `LimitsChanged`.
    """
    remaining = [prepared for prepared in batch if id(prepared) not in left_out]
    if not remaining:
        return {}
    codes = list(chain.from_iterable(_codes(prepared, places) for prepared in remaining))
    payments = await submit_on_terms(
        connection,
        list(chain.from_iterable(prepared.messages for prepared in remaining)),
        codes=codes if any(codes) else (),
        uses=limit_use.uses(),
        now=now,
    )
    if not payments:
        raise LimitsChanged
    return payments


def _codes(prepared: PreparedSubmission, places: Places) -> Sequence[NewMessageCode | None]:
    """The new code of each of its messages."""
    code = prepared.terms.code
    if code is None or code.new is None:
        return [None] * len(prepared.messages)
    place = places.get(id(prepared))
    if place is None:
        return (code.new,)
    return (msgspec.structs.replace(code.new, nth=place.nth, sent_times=place.sent_times),)


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


async def _write_resends(
    transaction: DatabaseConnection, stored: Sequence[PreparedSubmission], places: Places, now: datetime
) -> None:
    """Raises `LimitsChanged`."""
    resent, messages = [], []
    for prepared in stored:
        code = prepared.terms.code
        if code is None or code.resend is None or code.message is None:
            continue
        place = places.get(id(prepared))
        resent.append(
            code.resend
            if place is None
            else msgspec.structs.replace(code.resend, nth=place.nth, sent_times=place.sent_times)
        )
        messages.append(code.message)
    if resent:
        if not await store_resends(transaction, resent, now=now):
            raise LimitsChanged
        await statements.verifications.verification_messages_add(transaction, messages=messages)
