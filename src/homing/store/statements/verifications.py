"""Statements of sql/verifications.sql.

Made by tools/sql_bindings.py from sql/verifications.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, nullable, single

_SQL: Final = queries.load("verifications")


class NewVerificationMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verification_messages_add` is given."""

    account_id: int
    message_id: int
    verification_id: int
    code_hash: bytes


class VerificationKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verifications_open` is given."""

    account_id: int
    verification_id: int
    steps_before: int | None


class OpenVerification(msgspec.Struct, frozen=True, gc=False):
    """A row of `verifications_open`."""

    account_id: int
    verification_id: int


class VerificationResend(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verifications_resent` is given."""

    account_id: int
    verification_id: int
    message_id: int
    expires_at: datetime
    steps_done: int | None
    step_due_at: datetime | None
    is_timed: bool


class CodeGuess(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verifications_check` is given."""

    account_id: int
    message_id: int
    code_hash: bytes


class JudgedCheck(msgspec.Struct, frozen=True, gc=False):
    """What a check found, and the verification as it is afterwards. `outcome`: a CheckOutcome. `event_types`: of the
    account's feed.
    """

    nth: int
    account_id: int
    verification_id: int
    latest_id: int
    outcome: int
    attempts_left: int
    expires_at: datetime
    ended_at: datetime | None
    event_types: list[str] | None


class VerificationRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verifications_by_id` is given."""

    account_id: int
    verification_id: int


class VerificationRow(msgspec.Struct, frozen=True, gc=False):
    """A verification, as its owner is shown it. `expired`: its time ran out while it was pending."""

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
    code_sealed: bytes | None
    status: int
    attempts: int
    attempts_max: int
    messages: int
    latest_id: int
    is_test: bool
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    steps_done: int
    step_due_at: datetime | None
    is_expired: bool


class ExpiredVerification(msgspec.Struct, frozen=True, gc=False):
    """A row of `verifications_expire`."""

    account_id: int
    verification_id: int
    number: str
    reference: str | None
    created_at: datetime
    expires_at: datetime


class ShownVerification(msgspec.Struct, frozen=True, gc=False):
    """A verification for people: with names in place of ids, what its messages cost, and nothing that its code could
    be found by.
    """

    account_id: int
    account: str
    verification_id: int
    app_id: str
    app: str
    number: str
    reference: str | None
    template: str | None
    locale: str | None
    flow: str | None
    sender: str
    text: str
    status: int
    attempts: int
    attempts_max: int
    messages: int
    latest_id: int
    is_test: bool
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    is_expired: bool
    cost_micro: int


class VerificationMessageRow(msgspec.Struct, frozen=True, gc=False):
    """A message that carried a verification's code, and what became of it."""

    message_id: int
    state: int
    submitted_at: datetime
    sent_at: datetime | None
    final_at: datetime | None
    country: str
    mcc: str
    mnc: str
    sender: str
    segments: int
    charge_micro: int
    refund_micro: int
    carrier_id: int
    carrier: str
    error_code: str | None
    error_text: str | None
    reason: str | None
    credited_at: datetime | None


class DueStep(msgspec.Struct, frozen=True, gc=False):
    """A row of `verification_steps_claim`."""

    account_id: int
    verification_id: int
    step_due_at: datetime | None


class FailedMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `verifications_hasten` is given."""

    account_id: int
    message_id: int
    at: datetime


class CodeTemplateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `code_template_list`."""

    account_id: int
    template_id: int
    app_id: str
    name: str
    locale: str
    text: str
    code_alphabet: int
    code_length: int
    sender: str
    voice: str | None


class CodeFlowRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `code_flow_list`."""

    account_id: int
    flow_id: int
    name: str
    steps: str


class TestNumberRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `test_number_list`."""

    account_id: int
    number: str
    code: str


class AppVerificationRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `app_verification`, `apps_verification`."""

    app_id: str
    account_id: int
    name: str
    code_expiry_s: int
    total_limit: str | None
    number_limit: str | None
    resend_messages: int
    resend_worth_micro: int
    created_at: datetime


async def verification_messages_add(db: Executor, *, messages: Sequence[NewVerificationMessage]) -> None:
    """Messages that carry a verification's code again."""
    await execute(db, _SQL["verification_messages_add"], *columns(messages, 4))


async def verifications_open(
    db: Executor, *, keys: Sequence[VerificationKey], now: datetime, messages_max: int
) -> list[OpenVerification]:
    """Locks verifications that are to be sent again, and then their latest messages: what moves messages locks
    balances after them, as whoever sends does. Only those that can still be checked and have had fewer messages than
    `messages_max` are returned; for a step of a flow (`steps_before`: how many were done) only if nobody else has
    sent it.
    """
    return await fetch_rows(db, _SQL["verifications_open"], OpenVerification, *columns(keys, 3), now, messages_max)


async def verifications_resent(db: Executor, *, resends: Sequence[VerificationResend], now: datetime) -> None:
    """Notes of verifications that their codes have left again, and of their latest messages that these are
    superseded. How long after its submit that came, and what was known of it, is what the learner needs of a first
    message that has left; not where that was a fixed wait (`is_timed`).
    """
    await execute(db, _SQL["verifications_resent"], *columns(resends, 7), now)


async def verifications_check(db: Executor, *, guesses: Sequence[CodeGuess], now: datetime) -> list[JudgedCheck]:
    """Judges entered codes in their order. Each verification is locked, so that of all checks anywhere exactly one
    succeeds and no more wrong codes are looked at than it allows. What is over is compared no more. Codes are
    compared by their keyed hashes, which nobody outside can choose: how long that takes says nothing of a code.
    """
    return await fetch_rows(db, _SQL["verifications_check"], JudgedCheck, *columns(guesses, 3), now)


async def verifications_by_id(db: Executor, *, now: datetime, refs: Sequence[VerificationRef]) -> list[VerificationRow]:
    """Verifications by their own ids."""
    return await fetch_rows(db, _SQL["verifications_by_id"], VerificationRow, now, *columns(refs, 2))


async def verifications_expire(
    db: Executor, *, expired_type: str, now: datetime, rows_max: int
) -> list[ExpiredVerification]:
    """Verifications that expired unanswered, of accounts whose feeds have that event: each is given once, and its
    code is forgotten. What others have locked comes with the next look. `expired_type`: the event's.
    """
    return await fetch_rows(
        db,
        _SQL["verifications_expire"],
        ExpiredVerification,
        expired_type,
        now,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def event_feeds_expired(db: Executor, *, beyond_id: int, expired_type: str, ids_min: int) -> None:
    """Moves feeds on to their earliest verification that may still expire, so that the next look begins there. A new
    one has a later id than `beyond_id`. A feed is written only if it moves by `ids_min` at least and the look is
    spared a verification, of whatever account. One that is locked stays where it is until the next look: who locks
    several does it in their order (events_add).
    """
    await execute(
        db, _SQL["event_feeds_expired"], beyond_id, expired_type, ids_min, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def verification_cancel(db: Executor, *, now: datetime, account_id: int, verification_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["verification_cancel"], single(int), now, account_id, verification_id)


async def verifications_cancel_earlier(
    db: Executor, *, number: str, account_id: int, verification_id: int, dialect: int, now: datetime
) -> list[int]:
    """The pending ones that a dialect sent to a number before a verification. They are locked in the order of
    checks.
    """
    return await fetch_rows(
        db, _SQL["verifications_cancel_earlier"], single(int), number, account_id, verification_id, dialect, now
    )


async def verification_find(db: Executor, *, now: datetime, account_id: int, message_id: int) -> VerificationRow | None:
    """The verification that a message's id belongs to."""
    return await fetch_row_or_none(db, _SQL["verification_find"], VerificationRow, now, account_id, message_id)


async def verification_by_reference(
    db: Executor, *, now: datetime, reference: str, account_id: int, app_id: str
) -> VerificationRow | None:
    """An app's latest verification with a reference of the customer's."""
    return await fetch_row_or_none(
        db, _SQL["verification_by_reference"], VerificationRow, now, reference, account_id, app_id
    )


async def verifications_searched(
    db: Executor,
    *,
    now: datetime,
    first_id: int,
    before_id: int,
    account_id: int | None,
    number: str | None,
    reference: str | None,
    status: int | None,
    is_expired: bool | None,
    rows_max: int,
) -> list[ShownVerification]:
    """The latest verifications below an id (`before_id`) and not below another (`first_id`), of an account or all,
    to a number or any, with a reference or status or any.
    """
    return await fetch_rows(
        db,
        _SQL["verifications_searched"],
        ShownVerification,
        now,
        first_id,
        before_id,
        account_id,
        number,
        reference,
        status,
        is_expired,
        rows_max,
    )


async def verifications_search_end(
    db: Executor, *, before_id: int, account_id: int | None, number: str | None, reference: str | None, looked_max: int
) -> int | None:
    """The id of the last verification that a search looks at, of `looked_max` below `before_id`; none: there are
    fewer.
    """
    return await fetch_row_or_none(
        db, _SQL["verifications_search_end"], single(int), before_id, account_id, number, reference, looked_max
    )


async def verification_shown(
    db: Executor, *, now: datetime, message_id: int, account_id: int | None
) -> ShownVerification | None:
    """As `verification_find`."""
    return await fetch_row_or_none(db, _SQL["verification_shown"], ShownVerification, now, message_id, account_id)


async def verification_of_message(db: Executor, *, account_id: int, message_id: int) -> int | None:
    """The verification whose code a message carries."""
    return await fetch_row_or_none(db, _SQL["verification_of_message"], nullable(int), account_id, message_id)


async def verification_message_ids(db: Executor, *, account_id: int, verification_ids: Sequence[int]) -> list[int]:
    """The messages that carried the codes of verifications."""
    return await fetch_rows(db, _SQL["verification_message_ids"], single(int), account_id, verification_ids)


async def verification_story(db: Executor, *, verification_id: int, account_id: int) -> list[VerificationMessageRow]:
    return await fetch_rows(db, _SQL["verification_story"], VerificationMessageRow, verification_id, account_id)


async def verification_steps_claim(db: Executor, *, now: datetime, rows_max: int, lease: timedelta) -> list[DueStep]:
    """Verifications whose flow has a step due. They are due again after `lease`, should this process end before it
    has sent.
    """
    return await fetch_rows(db, _SQL["verification_steps_claim"], DueStep, now, rows_max, lease)


async def verification_step_skip(
    db: Executor,
    *,
    steps_done: int,
    step_due_at: datetime | None,
    account_id: int,
    verification_id: int,
    steps_before: int,
    due_before: datetime | None,
) -> None:
    """A step that is not sent: the flow is over, or goes on at `step_due_at`. Nothing changes if the verification is
    over, or if its step is not due any more at `due_before`, as when it was claimed: it was carried out, or a
    message has failed meanwhile (`verifications_hasten`).
    """
    await execute(
        db,
        _SQL["verification_step_skip"],
        steps_done,
        step_due_at,
        account_id,
        verification_id,
        steps_before,
        due_before,
    )


async def verifications_hasten(db: Executor, *, failures: Sequence[FailedMessage]) -> None:
    """Codes without a flow whose message has failed: they are looked at now. One that another transaction has locked
    keeps its time: it is being checked, sent or looked at, and waiting for it here could be for ever.
    """
    await execute(db, _SQL["verifications_hasten"], *columns(failures, 3))


async def verifications_forget_expired(
    db: Executor, *, now: datetime, lookback: timedelta, expired_type: str
) -> list[int]:
    """Forgets the codes of verifications that expired within `lookback`. A verification expires its app's time after
    it or its latest message was made, so their ids tell which those are: an index on the expiry would be written by
    each check. What others have locked, and what an app's changed time has moved, is left to `verifications_forget`.
    """
    return await fetch_rows(db, _SQL["verifications_forget_expired"], single(int), now, lookback, expired_type)


async def verifications_forget(db: Executor, *, expired_type: str) -> None:
    """Forgets the codes of verifications that nobody can check any more. Of the last days alone: it is done by the
    hour, and an index for it would be written by each check. What others have locked stays until the next time:
    checks lock several in another order, and must not wait for this one for ever. Those whose expiry is an event are
    forgotten by `verifications_expire`.
    """
    await execute(db, _SQL["verifications_forget"], expired_type, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def code_template_create(
    db: Executor,
    *,
    template_id: int | None,
    account_id: int,
    app_id: str,
    name: str,
    locale: str,
    text: str,
    code_alphabet: int,
    code_length: int,
    sender: str,
    voice: str | None,
) -> int | None:
    return await fetch_row_or_none(
        db,
        _SQL["code_template_create"],
        single(int),
        template_id,
        account_id,
        app_id,
        name,
        locale,
        text,
        code_alphabet,
        code_length,
        sender,
        voice,
    )


async def code_template_change(
    db: Executor,
    *,
    name: str,
    text: str,
    code_alphabet: int,
    code_length: int,
    sender: str,
    voice: str | None,
    account_id: int,
    template_id: int,
) -> int | None:
    return await fetch_row_or_none(
        db,
        _SQL["code_template_change"],
        single(int),
        name,
        text,
        code_alphabet,
        code_length,
        sender,
        voice,
        account_id,
        template_id,
    )


async def code_template_remove(db: Executor, *, account_id: int, template_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["code_template_remove"], single(int), account_id, template_id)


async def code_template_list(db: Executor, *, account_ids: Sequence[int]) -> list[CodeTemplateRow]:
    return await fetch_rows(db, _SQL["code_template_list"], CodeTemplateRow, account_ids)


async def code_flow_create(db: Executor, *, account_id: int, name: str, steps: str) -> int | None:
    return await fetch_row_or_none(db, _SQL["code_flow_create"], single(int), account_id, name, steps)


async def code_flow_change(db: Executor, *, name: str, steps: str, account_id: int, flow_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["code_flow_change"], single(int), name, steps, account_id, flow_id)


async def code_flow_list(db: Executor, *, account_ids: Sequence[int]) -> list[CodeFlowRow]:
    return await fetch_rows(db, _SQL["code_flow_list"], CodeFlowRow, account_ids)


async def test_number_set(db: Executor, *, account_id: int, number: str, code: str) -> None:
    await execute(db, _SQL["test_number_set"], account_id, number, code)


async def test_number_remove(db: Executor, *, account_id: int, number: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["test_number_remove"], single(str), account_id, number)


async def test_number_list(db: Executor, *, account_ids: Sequence[int]) -> list[TestNumberRow]:
    return await fetch_rows(db, _SQL["test_number_list"], TestNumberRow, account_ids)


async def app_verification(db: Executor, *, account_id: int, app_id: str) -> AppVerificationRow | None:
    return await fetch_row_or_none(db, _SQL["app_verification"], AppVerificationRow, account_id, app_id)


async def apps_verification(db: Executor, *, account_id: int) -> list[AppVerificationRow]:
    return await fetch_rows(db, _SQL["apps_verification"], AppVerificationRow, account_id)


async def app_verification_change(
    db: Executor,
    *,
    name: str,
    code_expiry_s: int,
    total_limit: str | None,
    number_limit: str | None,
    resend_messages: int,
    resend_worth_micro: int,
    account_id: int,
    app_id: str,
) -> str | None:
    return await fetch_row_or_none(
        db,
        _SQL["app_verification_change"],
        single(str),
        name,
        code_expiry_s,
        total_limit,
        number_limit,
        resend_messages,
        resend_worth_micro,
        account_id,
        app_id,
    )


async def reported_rate_add(
    db: Executor,
    *,
    account_id: int,
    app_id: str,
    mcc: str,
    converted: str,
    sent: str,
    rate: str,
    called_at: str,
    reported_at: datetime,
) -> None:
    await execute(db, _SQL["reported_rate_add"], account_id, app_id, mcc, converted, sent, rate, called_at, reported_at)


async def reported_rates_forget(db: Executor) -> None:
    """Reports are kept for a year."""
    await execute(db, _SQL["reported_rates_forget"], timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
