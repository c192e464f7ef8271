"""Codes that Homing makes and checks: whatever happens at once, one success, no attempt too many, no message twice."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import carriers, routes
from homing.common.crypto import Vault
from homing.common.ids import IdSource
from homing.dialects.registry import DIALECTS
from homing.intake.intake import utc_now
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage
from homing.intake.terms import AnswerOnce, EarlierAnswer
from homing.messages.lookup import MessageLookup
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import App, CheckOutcome, CodeAlphabet, CodeFlow, CodeTemplate, FlowStep, Recipient, SendLimit
from homing.routing.catalogue_cache import CatalogueCache
from homing.routing.rules import RouteRequest, RouteScope
from homing.states import MessageState
from homing.store import statements
from homing.verification.codes import ALPHABETS, CodeKeeper, make_code
from homing.verification.ended import ExpiredVerifications
from homing.verification.flows import FlowRunner
from homing.verification.housekeeping import forget_calls_and_codes
from homing.verification.service import ATTEMPTS_MAX, MESSAGES_MAX, PERSON_LIMITS, NewCode, SentCode, Verifications
from tests.support.bank import NOWHERE, Bank, opened
from tests.support.server import migrated_database
from tests.support.waiting import until

LAAFFIC = 2
NUMBER = "8613800000001"
PRICE_MICRO = 31_000
TEMPLATE = CodeTemplate(
    template_id=1,
    app_id="",
    name="sign-in",
    locale="",
    text="##code## is your code",
    alphabet=CodeAlphabet.NUMERIC,
    length=6,
    sender="",
)


class MovedClock:
    """The machine's time, and what is added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


class Engines:
    """Two processes' engines over one database."""

    def __init__(self, bank: Bank, clock: MovedClock) -> None:
        self.bank = bank
        self.clock = clock
        vault = Vault(secrets.token_bytes(32))
        self.each = [
            Verifications(
                database=database,
                intake=intake,
                keeper=CodeKeeper(vault),
                next_id=IdSource(node).next,
                clock=self.clock,
                dialects=DIALECTS,
            )
            for node, (database, intake) in enumerate(zip(bank.databases, bank.intakes, strict=True), start=10)
        ]

    async def send(self, account: Profile, process: int = 0, **more: Any) -> SentCode:
        given = {
            "template": TEMPLATE,
            "recipient": Recipient(NUMBER, NUMBER),
            "app": account.apps[account.name],
            **more,
        }
        return await self.each[process].send(NewCode(account=account, dialect=LAAFFIC, request_id="r", **given))

    async def resend(self, account: Profile, sent: SentCode, process: int = 0, **more: Any) -> SentCode:
        row = await self.each[process].find(account.account_id, sent.message_id)
        assert row
        return await self.each[process].resend(account, row, "r", **more)

    async def check(self, account: Profile, sent: SentCode, code: str, process: int = 0) -> CheckOutcome:
        return (await self.each[process].check(account.account_id, sent.message_id, code, LAAFFIC)).outcome

    async def code(self, sent: SentCode) -> str:
        """As the person reads it: what waits to be sent."""
        (row,) = await self.bank.query("SELECT text FROM message WHERE message_id = $1", sent.message_id)
        return str(row["text"]).split()[0]

    async def messages(self) -> int:
        (row,) = await self.bank.query("SELECT count(*) AS n FROM message")
        return int(row["n"])


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str, clock: MovedClock) -> AsyncIterator[Bank]:
    async with opened(await migrated_database(postgres, f"verifications_{worker}"), 2, clock) as bank:
        yield bank


@pytest.fixture
async def engines(bank: Bank, clock: MovedClock) -> Engines:
    clock.ahead = timedelta(0)
    await bank.clear()
    await bank.query("TRUNCATE verification, verification_message, limit_use, answered_call, conversion, stat_delta")
    return Engines(bank, clock)


@pytest.fixture
async def account(bank: Bank, engines: Engines) -> Profile:
    return await bank.account(balance=10_000_000)


async def reread(bank: Bank, carriers_up: int) -> None:
    """Until all processes know of so many carriers."""
    for board in bank.boards:
        board.settings_changed("0")
    asked = RouteRequest(0, "", "", 0, NUMBER, "CN", "46000")

    def candidates(board: CatalogueCache) -> int:
        ranked = board.catalogue.rank(asked, PRICE_MICRO)
        return 0 if ranked is None else sum(len(tier.candidates) for tier in ranked.tiers)

    await until(lambda: all(candidates(board) == carriers_up for board in bank.boards))


def wrong(code: str) -> Iterator[str]:
    return (str(guess).zfill(6) for guess in range(10**6) if str(guess).zfill(6) != code)


async def test_a_code_is_right_once_and_its_check_is_the_conversion(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    assert len(code) == 6
    assert code.isdigit()
    checked = await engines.each[1].check(account.account_id, sent.message_id, f" {code} ", LAAFFIC)
    assert checked.outcome is CheckOutcome.VERIFIED
    assert checked.verification_id == sent.verification_id
    assert await engines.check(account, sent, code) is CheckOutcome.ALREADY_VERIFIED
    rows = await engines.bank.query("SELECT message_id, dialect, recorded_at, credited_to FROM conversion")
    assert [(row["message_id"], row["credited_to"]) for row in rows] == [(sent.message_id, sent.message_id)]
    (row,) = await engines.bank.query("SELECT code_sealed, status, ended_at FROM verification")
    assert row["code_sealed"] is None
    assert row["status"] == 1
    assert (await engines.bank.prove(account)).holds


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_a_thousand_right_checks_at_once_one_succeeds(
    engines: Engines, account: Profile, processes: int
) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    outcomes = await asyncio.gather(*(engines.check(account, sent, code, n % processes) for n in range(1_000)))
    assert Counter(outcomes) == {CheckOutcome.VERIFIED: 1, CheckOutcome.ALREADY_VERIFIED: 999}
    (row,) = await engines.bank.query("SELECT count(*) AS n FROM conversion")
    assert row["n"] == 1


async def test_however_many_guess_at_once_only_five_are_looked_at(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    guesses = wrong(code)
    outcomes = await asyncio.gather(*(engines.check(account, sent, next(guesses), n % 2) for n in range(400)))
    assert Counter(outcomes) == {CheckOutcome.WRONG: ATTEMPTS_MAX, CheckOutcome.TOO_MANY_ATTEMPTS: 400 - ATTEMPTS_MAX}
    assert await engines.check(account, sent, code) is CheckOutcome.TOO_MANY_ATTEMPTS
    (row,) = await engines.bank.query("SELECT status, attempts, code_sealed FROM verification")
    assert (row["status"], row["attempts"], row["code_sealed"]) == (2, ATTEMPTS_MAX, None)
    assert await engines.bank.query("SELECT FROM conversion") == []


async def test_attempts_left_go_down_and_the_last_may_be_right(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    guesses = wrong(code)
    for left in range(ATTEMPTS_MAX - 1, 0, -1):
        checked = await engines.each[0].check(account.account_id, sent.message_id, next(guesses), LAAFFIC)
        assert (checked.outcome, checked.attempts_left) == (CheckOutcome.WRONG, left)
    assert await engines.check(account, sent, code) is CheckOutcome.VERIFIED


async def test_a_code_is_right_for_no_other_account_and_no_other_verification(
    engines: Engines, account: Profile
) -> None:
    other = await engines.bank.account(balance=1_000_000)
    sent, twin = await engines.send(account), await engines.send(account)
    code, twin_code = await engines.code(sent), await engines.code(twin)
    assert await engines.check(other, sent, code) is CheckOutcome.UNKNOWN
    assert await engines.check(account, twin, code) is (
        CheckOutcome.VERIFIED if code == twin_code else CheckOutcome.WRONG
    )
    assert await engines.check(account, sent, code) is CheckOutcome.VERIFIED
    for unknown in (0, -1, sent.message_id + 1, 2**63):
        assert (await engines.each[0].check(account.account_id, unknown, code, LAAFFIC)).outcome is CheckOutcome.UNKNOWN


async def test_an_expired_code_is_said_to_be_and_costs_no_attempt(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    engines.clock.ahead = timedelta(seconds=301)
    assert await engines.check(account, sent, code) is CheckOutcome.EXPIRED
    with pytest.raises(errors.VerificationOver):
        await engines.resend(account, sent)
    assert not await engines.each[0].cancel(account.account_id, sent.verification_id)


async def test_a_cancelled_code_is_not_right(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    assert await engines.each[0].cancel(account.account_id, sent.verification_id)
    assert await engines.check(account, sent, code) is CheckOutcome.CANCELLED
    with pytest.raises(errors.VerificationOver):
        await engines.resend(account, sent)


async def test_a_cancelled_codes_queued_messages_do_not_leave_and_are_refunded(
    engines: Engines, account: Profile
) -> None:
    sent = await engines.send(account)
    again = await engines.resend(account, sent)
    await engines.bank.query("UPDATE queue SET claimed_by = 'w' WHERE message_id = $1", again.message_id)
    assert await engines.each[0].cancel(account.account_id, sent.verification_id)
    rows = await engines.bank.query(
        "SELECT message_id, state, reason, refund_micro = charge_micro AS is_refunded FROM message ORDER BY message_id"
    )
    assert [(row["state"], row["is_refunded"]) for row in rows] == [
        (MessageState.FAILED, True),
        (MessageState.QUEUED, False),
    ], "a carrier may have the second one"
    assert "message.cancelled" in rows[0]["reason"]
    assert [row["message_id"] for row in await engines.bank.query("SELECT message_id FROM queue")] == [again.message_id]


async def test_wrong_codes_after_the_right_one_are_answered_that_it_is_verified(
    engines: Engines, account: Profile
) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    guesses = wrong(code)
    entered = [next(guesses), code, *(next(guesses) for _ in range(8)), code]
    outcomes = await asyncio.gather(*(engines.check(account, sent, each) for each in entered))
    assert outcomes == [CheckOutcome.WRONG, CheckOutcome.VERIFIED, *[CheckOutcome.ALREADY_VERIFIED] * 9]


async def test_codes_entered_too_late_are_all_answered_so(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    guesses = wrong(await engines.code(sent))
    engines.clock.ahead = timedelta(days=2)
    outcomes = await asyncio.gather(*(engines.check(account, sent, next(guesses)) for _ in range(8)))
    assert outcomes == [CheckOutcome.EXPIRED] * 8


async def test_a_resent_code_is_the_same_under_both_ids_with_one_count_of_attempts(
    engines: Engines, account: Profile
) -> None:
    sent = await engines.send(account)
    code = await engines.code(sent)
    engines.clock.ahead = timedelta(seconds=200)
    again = await engines.resend(account, sent, 1)
    assert again.message_id != sent.message_id
    assert again.verification_id == sent.verification_id
    assert await engines.code(again) == code
    guesses = wrong(code)
    for n in range(ATTEMPTS_MAX - 1):
        assert await engines.check(account, (sent, again)[n % 2], next(guesses)) is CheckOutcome.WRONG
    engines.clock.ahead = timedelta(seconds=400)  # the first one's time would be over
    assert await engines.check(account, sent, code) is CheckOutcome.VERIFIED
    (conversion,) = await engines.bank.query("SELECT message_id FROM conversion WHERE recorded_at IS NOT NULL")
    assert conversion["message_id"] == again.message_id, "the latest message is credited"
    assert await engines.check(account, again, code) is CheckOutcome.ALREADY_VERIFIED
    assert (await engines.bank.purse(account)).balance == 10_000_000 - 2 * PRICE_MICRO


async def test_a_code_is_sent_so_often_and_no_more(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account)
    outcomes = await asyncio.gather(*(engines.resend(account, sent, n % 2) for n in range(12)), return_exceptions=True)
    assert Counter(type(outcome) for outcome in outcomes) == {
        SentCode: MESSAGES_MAX - 1,
        errors.VerificationOver: 12 - (MESSAGES_MAX - 1),
    }
    assert await engines.messages() == MESSAGES_MAX
    assert (await engines.bank.purse(account)).balance == 10_000_000 - MESSAGES_MAX * PRICE_MICRO
    assert (await engines.bank.prove(account)).holds


async def test_a_resend_goes_by_another_carrier(engines: Engines, account: Profile, bank: Bank) -> None:
    async with bank.plain.transaction() as transaction:
        second = await carriers.add_carrier(transaction, "second", "simulator")
        await routes.set_route(transaction, RouteScope(prefix="86"), carrier_id=second, priority=200)
    try:
        await reread(bank, 2)
        sent = await engines.send(account)
        again = await engines.resend(account, sent)
        rows = await bank.query(
            "SELECT message_id, carrier_id, notes FROM message ORDER BY message_id",
        )
        assert [row["message_id"] for row in rows] == [sent.message_id, again.message_id]
        assert len({row["carrier_id"] for row in rows}) == 2
        assert "route.another_carrier" in rows[1]["notes"]
        third = await engines.resend(account, sent)
        assert third.message_id, "where all have been tried, any will do"
    finally:
        await bank.query("DELETE FROM route WHERE carrier_id = $1", second)
        await bank.query("DELETE FROM carrier WHERE carrier_id = $1", second)
        await reread(bank, 1)


async def test_limits_are_kept_exactly_over_processes_and_say_how_long_to_wait(
    engines: Engines, account: Profile
) -> None:
    limits = (SendLimit(unit="second", period=30, most=3), SendLimit(unit="hour", period=1, most=5))
    for most in (3, 2, 0):
        outcomes = await asyncio.gather(
            *(engines.send(account, n % 2, number_limits=limits) for n in range(40)), return_exceptions=True
        )
        refused = [each for each in outcomes if isinstance(each, errors.NumberLimitReached)]
        assert len(outcomes) - len(refused) == most
        assert all(1 <= each.retry_after_s <= (30 if most == 3 else 3_600) for each in refused)
        engines.clock.ahead += timedelta(seconds=31)
    assert await engines.messages() == 5
    assert (await engines.bank.purse(account)).balance == 10_000_000 - 5 * PRICE_MICRO
    engines.clock.ahead += timedelta(hours=1)
    await engines.send(account, number_limits=limits)


async def test_a_limit_counts_any_period_and_not_from_one_border_to_the_next(
    engines: Engines, account: Profile
) -> None:
    limits = (SendLimit(unit="hour", period=1, most=2),)
    for minute, is_sent in ((0, True), (58, True), (59, False), (61, True), (62, False), (119, True), (120, False)):
        engines.clock.ahead = timedelta(minutes=minute)
        if is_sent:
            await engines.send(account, minute % 2, number_limits=limits)
        else:
            with pytest.raises(errors.NumberLimitReached) as refused:
                await engines.send(account, minute % 2, number_limits=limits)
            assert 0 < refused.value.retry_after_s <= 3_600
    assert await engines.messages() == 4


async def test_a_code_sent_again_and_a_new_one_at_once_count_both(engines: Engines, account: Profile) -> None:
    limits = (SendLimit(unit="hour", period=1, most=3),)
    first = await engines.send(account, number_limits=limits)
    waiting = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with engines.bank.plain.transaction() as other:
        await other.raw.execute("SELECT FROM balance WHERE account_id = $1 FOR UPDATE", account.account_id)
        again = asyncio.create_task(engines.resend(account, first, number_limits=limits))
        await until(lambda: engines.bank.query(waiting), lambda rows: rows[0]["n"] > 0)
        await other.raw.execute(
            "INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text,"
            " code_hash, attempts_max, latest_id, created_at, expires_at, nth, sent_times)"
            " SELECT account_id, 1, dialect, app_id, number, number, '', '', '', 5, 1, now(), now(), 2,"
            " sent_times || sent_times FROM verification"
        )
    await again
    rows = await engines.bank.query("SELECT nth, cardinality(sent_times) FROM verification ORDER BY nth")
    assert [tuple(row) for row in rows] == [(2, 2), (3, 3)], "the code that left again has moved to the latest place"
    with pytest.raises(errors.NumberLimitReached):
        await engines.send(account, number_limits=limits)
    with pytest.raises(errors.NumberLimitReached):
        await engines.resend(account, first, number_limits=limits)
    assert await engines.messages() == 2
    assert (await engines.bank.prove(account)).holds


async def test_each_of_several_codes_at_once_counts_those_that_are_sent_alone(
    engines: Engines, account: Profile
) -> None:
    hourly = (SendLimit(unit="hour", period=1, most=3),)
    waits = (SendLimit(unit="second", period=30, most=1), *hourly)
    outcomes = await asyncio.gather(
        *(
            engines.send(account, number_limits=limits)
            for limits in (hourly, waits, waits, hourly, waits, hourly, hourly)
        ),
        return_exceptions=True,
    )
    no = errors.NumberLimitReached
    assert [type(each) for each in outcomes] == [SentCode, no, no, SentCode, no, SentCode, no]
    assert [each.retry_after_s for each in outcomes if isinstance(each, no)] == [30, 30, 30, 3_600]


async def test_an_apps_limit_is_not_used_up_by_what_a_numbers_limit_refuses(engines: Engines, account: Profile) -> None:
    app = account.apps[account.name]
    tight = App(app.app_id, app.name, None, None, total_limit=SendLimit(unit="day", period=1, most=2))
    once = (SendLimit(unit="day", period=1, most=1),)
    numbers = (NUMBER, NUMBER, "8613800000002", "8613800000003")
    outcomes = await asyncio.gather(
        *(engines.send(account, app=tight, number_limits=once, recipient=Recipient(each, each)) for each in numbers),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes] == [SentCode, errors.NumberLimitReached, SentCode, errors.AppLimitReached]


async def test_an_apps_limit_counts_all_numbers_and_a_refusal_uses_up_nothing(
    engines: Engines, account: Profile
) -> None:
    app = account.apps[account.name]
    tight = App(app.app_id, app.name, None, None, total_limit=SendLimit(unit="day", period=1, most=7))
    once = (SendLimit(unit="day", period=1, most=1),)
    outcomes = await asyncio.gather(
        *(
            engines.send(account, n % 2, app=tight, number_limits=once, recipient=Recipient(number, number))
            for n in range(30)
            for number in (f"861380000{n % 10:04d}",)
        ),
        return_exceptions=True,
    )
    kinds = Counter(type(each) for each in outcomes)
    assert kinds[SentCode] == 7
    assert kinds[SentCode] + kinds[errors.AppLimitReached] + kinds[errors.NumberLimitReached] == 30
    (row,) = await engines.bank.query("SELECT windows::json -> 0 ->> 2 AS used FROM limit_use WHERE scope = 1")
    assert row["used"] == "7"


async def test_what_cannot_be_paid_for_uses_up_no_limit_and_leaves_nothing(engines: Engines, bank: Bank) -> None:
    poor = await bank.account(balance=2 * PRICE_MICRO)
    limits = (SendLimit(unit="day", period=1, most=100),)
    outcomes = await asyncio.gather(
        *(engines.send(poor, n % 2, number_limits=limits) for n in range(20)), return_exceptions=True
    )
    assert Counter(type(each) for each in outcomes) == {SentCode: 2, errors.InsufficientBalance: 18}
    (row,) = await bank.query("SELECT max(nth) AS used FROM verification")
    assert row["used"] == 2
    counts = await bank.query(
        "SELECT (SELECT count(*) FROM verification) AS a, (SELECT count(*) FROM verification_message) AS b,"
        " (SELECT count(*) FROM message) AS c, (SELECT count(*) FROM queue) AS d"
    )
    assert tuple(counts[0]) == (2, 0, 2, 2)
    assert (await bank.prove(poor)).holds


async def test_a_repeated_call_gets_the_first_answer_and_sends_nothing(engines: Engines, account: Profile) -> None:
    def once(key: str, digest: bytes = b"d") -> AnswerOnce:
        return AnswerOnce(
            scope="test", key=key, digest=digest, answer=lambda prepared: b"%d" % prepared.messages[0].message_id
        )

    outcomes = await asyncio.gather(
        *(engines.send(account, n % 2, once=once("a")) for n in range(50)), return_exceptions=True
    )
    (sent,) = (each for each in outcomes if isinstance(each, SentCode))
    earlier = [each for each in outcomes if isinstance(each, EarlierAnswer)]
    assert len(earlier) == 49
    assert {(each.answer, each.digest) for each in earlier} == {(b"%d" % sent.message_id, b"d")}
    assert await engines.messages() == 1
    await engines.send(account, once=once("b"))
    with pytest.raises(EarlierAnswer) as other:
        await engines.send(account, once=once("a", b"another request"))
    assert other.value.digest == b"d", "whoever asks can tell that it was another request"
    engines.clock.ahead = timedelta(hours=25)
    poor = await engines.bank.account(balance=0)
    for _twice in range(2):
        with pytest.raises(errors.InsufficientBalance):
            await engines.send(poor, once=once("c"))
    assert await engines.bank.query("SELECT FROM answered_call WHERE account_id = $1", poor.account_id) == []


async def test_a_test_number_gets_its_own_code_no_message_and_no_bill(engines: Engines, account: Profile) -> None:
    tester = msgspec.structs.replace(account, test_numbers={NUMBER: "123456"})
    sent = await engines.send(tester)
    assert not sent.prepared.messages
    assert await engines.check(tester, sent, "654321") is CheckOutcome.WRONG
    again = await engines.resend(tester, sent)
    assert await engines.check(tester, again, "123456") is CheckOutcome.VERIFIED
    assert await engines.messages() == 0
    assert (await engines.bank.purse(account)).balance == 10_000_000
    assert await engines.bank.query("SELECT FROM conversion") == []


async def test_a_test_numbers_repeated_call_is_answered_once_and_its_resent_code_has_one_more_id(
    engines: Engines, account: Profile
) -> None:
    tester = msgspec.structs.replace(account, test_numbers={NUMBER: "123456"})

    def once(key: str) -> AnswerOnce:
        def answer(prepared: PreparedSubmission) -> bytes:
            (accepted,) = prepared.results
            assert isinstance(accepted, AcceptedMessage)
            return b"%d" % accepted.message_id

        return AnswerOnce(scope="test", key=key, digest=b"d", answer=answer)

    outcomes = await asyncio.gather(
        *(engines.send(tester, n % 2, once=once("a")) for n in range(30)), return_exceptions=True
    )
    (sent,) = (each for each in outcomes if isinstance(each, SentCode))
    earlier = [each for each in outcomes if isinstance(each, EarlierAnswer)]
    assert len(earlier) == 29
    assert {each.answer for each in earlier} == {b"%d" % sent.message_id}
    again = await asyncio.gather(*(engines.resend(tester, sent, n % 2) for n in range(9)), return_exceptions=True)
    assert Counter(type(each) for each in again) == {
        SentCode: MESSAGES_MAX - 1,
        errors.VerificationOver: 10 - MESSAGES_MAX,
    }
    ids = {each.message_id for each in again if isinstance(each, SentCode)} | {sent.message_id}
    assert len(ids) == MESSAGES_MAX
    with pytest.raises(errors.VerificationOver):
        await engines.resend(account, sent)
    last = next(each for each in again if isinstance(each, SentCode))
    assert await engines.check(tester, last, "123456") is CheckOutcome.VERIFIED
    assert await engines.check(tester, sent, "123456") is CheckOutcome.ALREADY_VERIFIED
    assert await engines.messages() == 0


async def test_a_repeated_call_gets_its_answer_also_where_a_new_one_would_be_refused(
    engines: Engines, account: Profile
) -> None:
    once = AnswerOnce(scope="test", key="k", digest=b"d", answer=lambda _prepared: b"answer")
    await engines.send(account, once=once)
    nowhere = Recipient(f"{NOWHERE}0000001", f"{NOWHERE}0000001")
    with pytest.raises(EarlierAnswer):
        await engines.send(account, once=once, recipient=nowhere)
    with pytest.raises(errors.NoRoute):
        await engines.send(account, once=msgspec.structs.replace(once, key="other"), recipient=nowhere)


async def test_a_flows_steps_count_among_what_one_person_may_get(engines: Engines, account: Profile) -> None:
    flow = CodeFlow(flow_id=1, name="f", steps=(FlowStep(wait_s=60), FlowStep(wait_s=60)))
    runner = FlowRunner(
        database=engines.bank.plain,
        catalogue_cache=engines.bank.boards[0],
        verifications=engines.each[0],
        profile_of=Known(account, flow).profile_of,
        clock=engines.clock,
    )
    for _each in range(PERSON_LIMITS[0].most - 1):
        await engines.send(account, number_limits=PERSON_LIMITS)
    await engines.send(account, flow=flow, number_limits=())
    for ahead in (61, 122, 183):
        engines.clock.ahead = timedelta(seconds=ahead)
        await runner.run_due()
    assert await engines.messages() == PERSON_LIMITS[0].most + 1, "one step found room, the other none"


async def test_a_code_is_gone_from_the_text_when_the_message_has_left(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account, recipient=Recipient(NUMBER, NUMBER, "order"))
    shown = await statements.timeline.timeline_message(engines.bank.plain, message_id=sent.message_id)
    assert shown is not None
    assert shown.text == "****** is your code", "it is on its way, and only its carrier reads it"
    by_reference = await MessageLookup(engines.bank.plain).by_reference(account.account_id, "order")
    assert by_reference is not None
    assert by_reference.text == shown.text
    async with engines.bank.plain.transaction() as transaction:
        event = StateChange(account.account_id, sent.message_id, MessageState.SENT, utc_now())
        await apply(transaction, [event], Outbox(DIALECTS))
    (row,) = await engines.bank.query("SELECT text FROM message WHERE message_id = $1", sent.message_id)
    assert row["text"] == "****** is your code"


async def test_what_is_stored_of_a_code_says_nothing_without_the_secret(engines: Engines, account: Profile) -> None:
    sent = await engines.send(account, code="424242")
    await engines.bank.query("UPDATE message SET text = masked_text")
    for table in ("verification", "verification_message", "message", "queue"):
        for row in await engines.bank.query(f"SELECT t::text AS row FROM {table} AS t"):
            assert "424242" not in row["row"]
            assert b"424242".hex() not in row["row"]
    assert await engines.check(account, sent, "424242") is CheckOutcome.VERIFIED


def test_codes_are_of_their_alphabet_and_do_not_repeat() -> None:
    for alphabet, characters in ALPHABETS.items():
        codes = {make_code(alphabet, 10) for _ in range(2_000)}
        assert len(codes) == 2_000
        assert set("".join(codes)) == set(characters)


async def test_a_flows_first_step_is_due_after_its_wait(engines: Engines, account: Profile) -> None:
    flow = CodeFlow(flow_id=1, name="f", steps=(FlowStep(wait_s=60),))
    before = engines.clock()
    await engines.send(account, flow=flow)
    (row,) = await engines.bank.query("SELECT step_due_at FROM verification")
    assert timedelta(seconds=60) <= row["step_due_at"] - before < timedelta(seconds=62)


async def test_a_flow_sends_again_until_the_code_is_entered(engines: Engines, account: Profile) -> None:
    flow = CodeFlow(
        flow_id=1, name="f", steps=(FlowStep(wait_s=60), FlowStep(wait_s=30, channel="call"), FlowStep(wait_s=10))
    )
    runners = [
        FlowRunner(
            database=engines.bank.plain,
            catalogue_cache=engines.bank.boards[0],
            verifications=each,
            profile_of=Known(account, flow).profile_of,
            clock=engines.clock,
        )
        for each in engines.each
    ]
    sent = await engines.send(account, flow=flow)
    for ahead, messages in ((59, 1), (61, 2), (80, 2), (92, 2), (103, 3), (500, 3)):
        engines.clock.ahead = timedelta(seconds=ahead)
        await asyncio.gather(*(runner.run_due() for runner in runners))
        assert await engines.messages() == messages, ahead
    (row,) = await engines.bank.query("SELECT steps_done, step_due_at FROM verification")
    assert tuple(row) == (3, None)
    engines.clock.ahead = timedelta(0)
    assert await engines.check(account, sent, await engines.code(sent)) is CheckOutcome.VERIFIED


async def test_a_flow_ends_with_the_verification_and_steps_that_cannot_be_paid_are_left_out(
    engines: Engines, bank: Bank
) -> None:
    account = await bank.account(balance=PRICE_MICRO)
    flow = CodeFlow(flow_id=1, name="f", steps=(FlowStep(wait_s=60), FlowStep(wait_s=60)))
    runner = FlowRunner(
        database=bank.plain,
        catalogue_cache=engines.bank.boards[0],
        verifications=engines.each[0],
        profile_of=Known(account, flow).profile_of,
        clock=engines.clock,
    )
    sent = await engines.send(account, flow=flow)
    engines.clock.ahead = timedelta(seconds=61)
    assert await runner.run_due() == 1
    (row,) = await bank.query("SELECT steps_done, step_due_at FROM verification")
    assert row["steps_done"] == 1
    assert row["step_due_at"] is not None
    await engines.check(account, sent, await engines.code(sent))
    engines.clock.ahead = timedelta(seconds=200)
    assert await runner.run_due() == 0
    assert await engines.messages() == 1


class Known:
    """A directory of one account."""

    def __init__(self, account: Profile, flow: CodeFlow) -> None:
        self._account = msgspec.structs.replace(account, code_flows={flow.flow_id: flow})

    async def profile_of(self, account_id: int) -> Profile | None:
        return self._account if account_id == self._account.account_id else None


async def test_a_code_that_nobody_can_check_is_forgotten(engines: Engines, account: Profile, bank: Bank) -> None:
    sent, later = await engines.send(account), await engines.send(account)
    await bank.query(
        "UPDATE verification SET expires_at = now() - interval '1 s' WHERE verification_id = $1", sent.verification_id
    )
    await forget_calls_and_codes(bank.plain)
    rows = await bank.query("SELECT code_sealed FROM verification ORDER BY verification_id")
    assert [row["code_sealed"] is None for row in rows] == [True, False]
    assert await engines.check(account, later, await engines.code(later)) is CheckOutcome.VERIFIED


async def test_a_code_is_forgotten_when_it_expires_resent_or_not(
    engines: Engines, account: Profile, bank: Bank
) -> None:
    async def sealed() -> list[int]:
        rows = await bank.query("SELECT verification_id FROM verification WHERE code_sealed IS NOT NULL ORDER BY 1")
        return [row["verification_id"] for row in rows]

    await bank.query("INSERT INTO app (app_id, account_id, name) VALUES ($1, $2, $1)", account.name, account.account_id)
    first, resent = await engines.send(account), await engines.send(account)
    await engines.resend(account, resent)
    long_ago = "first_id_at(accepted_at($1) - interval '2 hours')"
    for table in ("verification_message", "verification"):
        await bank.query(
            f"UPDATE {table} SET verification_id = {long_ago} WHERE verification_id = $1", resent.verification_id
        )
    expired = ExpiredVerifications(bank.plain, engines.clock, DIALECTS)
    assert await expired.forget_codes() == 0
    engines.clock.ahead = timedelta(seconds=account.apps[account.name].code_expiry_s + 5)
    later = await engines.send(account)
    assert await expired.forget_codes() == 2
    assert await sealed() == [later.verification_id]
    assert first.verification_id != later.verification_id


async def test_a_step_is_sent_once_however_slow_the_process_that_began_it(engines: Engines, account: Profile) -> None:
    flow = CodeFlow(flow_id=1, name="f", steps=(FlowStep(wait_s=60), FlowStep(wait_s=600)))
    known = Known(account, flow)
    may_go_on = asyncio.Event()

    async def slowly(account_id: int) -> Profile | None:
        await may_go_on.wait()
        return await known.profile_of(account_id)

    slow, quick = (
        FlowRunner(
            database=engines.bank.plain,
            catalogue_cache=engines.bank.boards[0],
            verifications=each,
            profile_of=profile_of,
            clock=engines.clock,
        )
        for each, profile_of in zip(engines.each, (slowly, known.profile_of), strict=True)
    )
    await engines.send(account, flow=flow)
    engines.clock.ahead = timedelta(seconds=61)
    begun = asyncio.create_task(slow.run_due())
    due = "SELECT step_due_at > $1 AS is_claimed FROM verification"
    await until(lambda: engines.bank.query(due, engines.clock()), lambda rows: rows[0]["is_claimed"])
    await asyncio.sleep(0.1)
    engines.clock.ahead = timedelta(seconds=125)
    assert await quick.run_due() == 1
    may_go_on.set()
    assert await begun == 1
    assert await engines.messages() == 2
    (row,) = await engines.bank.query("SELECT steps_done, step_due_at FROM verification")
    assert row["steps_done"] == 1
    assert row["step_due_at"] > engines.clock() + timedelta(seconds=500)


async def test_a_resend_by_hand_leaves_the_flow_where_it_is(engines: Engines, account: Profile) -> None:
    flow = CodeFlow(flow_id=1, name="f", steps=(FlowStep(wait_s=60), FlowStep(wait_s=600)))
    runner = FlowRunner(
        database=engines.bank.plain,
        catalogue_cache=engines.bank.boards[0],
        verifications=engines.each[0],
        profile_of=Known(account, flow).profile_of,
        clock=engines.clock,
    )
    sent = await engines.send(account, flow=flow)
    row = await engines.each[1].find(account.account_id, sent.message_id)
    assert row
    engines.clock.ahead = timedelta(seconds=61)
    await runner.run_due()
    await engines.each[1].resend(account, row, "r")
    assert await runner.run_due() == 0, "the step that was sent is not due again"
    (after,) = await engines.bank.query(
        "SELECT steps_done, step_due_at > $1 AS waits FROM verification", engines.clock()
    )
    assert tuple(after) == (1, True)


async def test_what_is_forgotten_by_the_hour_waits_for_no_batch(engines: Engines, account: Profile) -> None:
    app = account.apps[account.name]
    for number in ("8613800000001", "8613800000002"):
        tight = App(f"tight-{number}", app.name, None, None, total_limit=SendLimit(unit="day", period=1, most=1))
        await engines.send(
            account,
            recipient=Recipient(number, number),
            app=tight,
            once=AnswerOnce(scope="t", key=number, digest=b"", answer=lambda _prepared: b""),
        )
    await engines.bank.query("UPDATE verification SET expires_at = now() - interval '1 hour'")
    await engines.bank.query("UPDATE limit_use SET ends_at = now() - interval '1 hour'")
    await engines.bank.query("UPDATE answered_call SET answered_at = now() - interval '3 days'")
    left = """
        SELECT (SELECT count(*) FROM verification WHERE code_sealed IS NOT NULL), (SELECT count(*) FROM limit_use),
            (SELECT count(*) FROM answered_call)
    """
    async with engines.bank.plain.transaction() as batch:
        for statement in (
            "SELECT FROM verification WHERE number = '8613800000001' FOR UPDATE",
            "SELECT FROM limit_use WHERE key LIKE '%1' FOR UPDATE",
            "SELECT FROM answered_call WHERE key LIKE '%1' FOR UPDATE",
        ):
            await batch.raw.execute(statement)
        await forget_calls_and_codes(engines.bank.databases[0])
        assert tuple((await engines.bank.query(left))[0]) == (1, 1, 1)
    await forget_calls_and_codes(engines.bank.databases[0])
    assert tuple((await engines.bank.query(left))[0]) == (0, 0, 0)
