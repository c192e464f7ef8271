"""Statistics against the messages: random lives on a real PostgreSQL, by the parts that really write them, proved after
every step, whether what changed has been added up or not.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from prometheus_client import CollectorRegistry

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.admin import prices, routes
from homing.admin.carriers import add_carrier
from homing.conversions.recorder import ConversionOutcome, ConversionRecorder
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.dispatch.answers import AnsweredMessage, AnswerRecorder
from homing.dispatch.expiry import ExpirySweep
from homing.dispatch.failover import Failover
from homing.dispatch.reroute import RerouteSweep
from homing.intake.submission import MessageGroup
from homing.messages.cancellation import cancel_message
from homing.model import Answer, CarrierReceipt, Outbound, Outcome, PeriodGrain, Recipient, Traffic
from homing.observe.work import WorkMetrics
from homing.receipts.inbox import IncomingReceipt, ReceiptInbox
from homing.routing.catalogue_cache import read_catalogue
from homing.routing.rules import RouteScope
from homing.states import MessageState
from homing.statistics.delta import totals
from homing.statistics.proof import prove
from homing.statistics.rollup import Rollup
from homing.store import statements
from homing.store.leader_lease import LeaderLease
from tests.support.bank import Bank
from tests.support.server import migrated_database

COSTS = {0: [("1", 3_000), ("1555000", 2_000), ("44", 7_000)], 1: [("44", 5_001)]}
"""By place among the carriers; the second one's for prefix 1 are not known."""

answers = st.sampled_from(
    [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.DEFERRED, Outcome.UNKNOWN]
)
reports = st.sampled_from(
    [
        MessageState.DELIVERED,
        MessageState.DELIVERED,
        MessageState.UNDELIVERABLE,
        MessageState.EXPIRED,
        MessageState.UNKNOWN,
    ]
)
waits_s = st.sampled_from([0, 0, 3, 40, 700, 4_000, 90_000])
picks = st.integers(0, 10_000)


class World:
    """One account, two carriers on every route, and every part that changes a message."""

    def __init__(self, bank: Bank, account: Profile, carriers: list[int]) -> None:
        self.bank = bank
        self.account = account
        self.carriers = carriers
        self.ahead = timedelta()
        database, board, chance = bank.databases[0], bank.boards[0], random.Random(7)
        self.database = database
        self.failover = Failover(board)
        self.recorders = {
            carrier_id: AnswerRecorder(
                database=database,
                carrier_id=carrier_id,
                failover=self.failover,
                clock=self.now,
                rng=chance,
                unknown_retry_s=1.0,
                dialects=DIALECTS,
            )
            for carrier_id in carriers
        }
        self.sweep = RerouteSweep(database=database, failover=self.failover, clock=self.now, age_s=1.0)
        self.expiry = ExpirySweep(database, self.now, DIALECTS)
        self.inbox = ReceiptInbox(
            database=database, clock=self.now, work_metrics=WorkMetrics(CollectorRegistry()), dialects=DIALECTS
        )
        self.feedback = ConversionRecorder(database, self.now)
        self.refs: list[tuple[int, str, str]] = []  # carrier, its id, number
        self.messages: list[int] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def answer(self, carrier_id: int, outcome: Outcome) -> None:
        """The carrier claims what it has and answers all of it alike."""
        for traffic in Traffic:
            lane = carrier_id * limits.LANES_PER_CARRIER + traffic
            rows = await statements.dispatch.queue_claim(
                self.database, lane=lane, now=self.now(), rows_max=100, lease=timedelta(seconds=60), owner="me"
            )
            answered = []
            for row in rows:
                message = Outbound(
                    row.account_id,
                    row.message_id,
                    row.attempts,
                    row.number,
                    row.sender,
                    row.text,
                    row.encoding,
                    row.segments,
                    row.expires_at,
                    int(traffic),
                )
                ref = f"{row.message_id}-{row.attempts}"
                said = Answer(outcome, ref if outcome is Outcome.ACCEPTED else None, None, None)
                answered.append(AnsweredMessage(lane, message, said, self.now()))
                if outcome is not Outcome.REFUSED:
                    self.refs.append((carrier_id, ref, row.number))
            if answered:
                await self.recorders[carrier_id].record(answered)

    async def prove(self) -> list[Any]:
        return list(await prove(self.bank.plain, self.now()))


async def opened(bank: Bank, is_lenient: bool) -> World:
    """A fresh account in a database without messages."""
    await bank.query(
        "TRUNCATE account, balance, posting, message, queue, push, attempt, receipt, parked_receipt, conversion, stat,"
        " stat_cell, stat_delta, stat_pending, leader_lease CASCADE"
    )
    account = await bank.account(balance=2_000_000, gifted=10_000, refund_undeliverable=is_lenient)
    rows = await bank.query("SELECT carrier_id FROM carrier ORDER BY 1")
    return World(bank, account, [row[0] for row in rows])


class StatisticsMachine(RuleBasedStateMachine):
    """`self.world` is there from the first step on."""

    def __init__(self, run: Callable[[Awaitable[Any]], Any], bank: Bank) -> None:
        super().__init__()
        self.run = run
        self.bank = bank

    @initialize(is_lenient=st.booleans(), first=answers)
    def begin(self, is_lenient: bool, first: Outcome) -> None:
        self.world: World = self.run(opened(self.bank, is_lenient))
        self.duties = [
            LeaderLease(database, "aggregator", f"elsewhere:{n}:link") for n, database in enumerate(self.bank.databases)
        ]
        self.rollups = [
            Rollup(database, duty, self.world.now)
            for database, duty in zip(self.bank.databases, self.duties, strict=True)
        ]
        self.turns = 0
        for prefix in ("1", "44"):  # whichever steps are drawn, there is something for them
            self.send(prefix, [1_554_999, 1_555_001, 1_555_000, 1_554_999], 2, "HOMING")
        self.run(self.world.answer(self.world.carriers[0], first))
        self.send("44", [1_554_999, 1_555_001], 1, "ACME")

    @rule(
        prefix=st.sampled_from(["1", "44"]),
        numbers=st.lists(st.integers(1_554_999, 1_555_001), min_size=1, max_size=6),
        segments=st.integers(1, 3),
        sender=st.sampled_from(["HOMING", "ACME"]),
    )
    def send(self, prefix: str, numbers: list[int], segments: int, sender: str) -> None:
        text = "a" * (160 if segments == 1 else 153 * segments)
        chosen = [Recipient(each, each) for each in (f"{prefix}{number % 1_000_000:06d}123" for number in numbers)]
        world = self.world

        async def try_it() -> None:
            try:
                world.messages += await self.bank.send(0, world.account, [MessageGroup(text, sender, chosen)])
            except errors.InsufficientBalance:
                return

        self.run(try_it())

    @rule(place=st.integers(0, 1), outcome=answers)
    def answer(self, place: int, outcome: Outcome) -> None:
        self.run(self.world.answer(self.world.carriers[place], outcome))

    @rule(drawn=st.lists(st.tuples(picks, reports, st.integers(-50, 50)), min_size=1, max_size=8))
    def report(self, drawn: list[tuple[int, MessageState, int]]) -> None:
        """Some come late, some twice, some of submits whose answer was lost."""
        if not self.world.refs:
            return
        world = self.world
        arrived = []
        for pick, state, off_s in drawn:
            carrier_id, ref, number = world.refs[pick % len(world.refs)]
            at = world.now() + timedelta(seconds=off_s)
            arrived.append(IncomingReceipt(carrier_id, "c", CarrierReceipt(ref, int(state), at, None, "", number)))
        self.run(world.inbox.store(arrived))

    @rule()
    def try_parked_ones(self) -> None:
        self.run(self.world.inbox.retry_due())

    @rule()
    def reroute(self) -> None:
        async def sweep() -> None:
            for row in await statements.dispatch.carriers_by_health(self.world.database):
                await self.world.sweep._sweep_carrier(row)

        self.run(sweep())

    @rule()
    def expire(self) -> None:
        self.run(self.world.expiry.sweep_receipts_overdue())
        self.run(self.world.expiry.sweep_unsent())

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if self.world.messages:
            chosen = self.world.messages[pick % len(self.world.messages)]
            self.run(
                cancel_message(self.world.database, self.world.account.account_id, chosen, self.world.now(), DIALECTS)
            )

    @rule(drawn=st.lists(st.tuples(picks, st.none() | st.integers(-100_000, 100_000)), min_size=1, max_size=8))
    def convert(self, drawn: list[tuple[int, int | None]]) -> None:
        """Reported at any time, also before the submit and in the future, of any messages, also at once."""
        world = self.world
        if not world.messages:
            return
        account_id = world.account.account_id

        async def all_at_once() -> list[ConversionOutcome]:
            return await asyncio.gather(
                *(
                    world.feedback.report(
                        account_id,
                        world.messages[pick % len(world.messages)],
                        LIA,
                        None if off_s is None else world.now() + timedelta(seconds=off_s),
                    )
                    for pick, off_s in drawn
                )
            )

        before = self._reported()
        verdicts = self.run(all_at_once())
        meant = {world.messages[pick % len(world.messages)] for pick, _off in drawn}
        assert self._reported() == before | meant
        assert verdicts.count(ConversionOutcome.RECORDED) == len(meant - before)
        assert ConversionOutcome.UNKNOWN_MESSAGE not in verdicts

    def _reported(self) -> set[int]:
        rows = self.run(self.bank.query("SELECT message_id FROM conversion WHERE recorded_at IS NOT NULL"))
        return {row[0] for row in rows}

    @rule(process=st.integers(0, 1))
    def add_up(self, process: int) -> None:
        """Whoever does not have the duty takes nothing."""
        self.run(self.duties[process].take())
        turn = self.run(self.rollups[process].run_round())
        if turn is not None:
            self.turns += 1
            assert turn.number == self.turns
            assert not self.run(self.bank.query("SELECT FROM stat_delta"))

    @rule(process=st.integers(0, 1))
    def settle(self, process: int) -> None:
        self.run(self.rollups[process].settle())

    @rule(seconds=waits_s)
    def wait(self, seconds: int) -> None:
        self.world.ahead += timedelta(seconds=seconds)

    @invariant()
    def statistics_add_up_to_the_messages(self) -> None:
        if hasattr(self, "world"):
            assert self.run(self.world.prove()) == []

    @invariant()
    def every_conversion_has_one_credit(self) -> None:
        """A reported message is credited itself or marked with another that is; nobody is credited twice."""
        if not hasattr(self, "world"):
            return
        rows = self.run(
            self.bank.query(
                "SELECT c.message_id, c.recorded_at IS NOT NULL AS reported, c.credited_to, c.credited_at IS NOT NULL,"
                " c.credited_by, o.credited_at IS NOT NULL AS holds FROM conversion AS c"
                " LEFT JOIN conversion AS o ON o.account_id = c.account_id AND o.message_id = c.credited_to"
            )
        )
        for message_id, reported, credited_to, credited, credited_by, holds in rows:
            assert reported == (credited_to is not None), message_id
            assert credited == (credited_by is not None), message_id
            assert holds or not reported
            assert reported or credited

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.run(self.world.inbox.drained())
        spent = self.run(self.bank.query("SELECT sum(charge_micro - refund_micro)::bigint, count(*) FROM message"))[0]
        for owner, duty in zip(self.rollups, self.duties, strict=True):
            self.run(duty.take())
            self.run(owner.run_round())
            self.run(owner.settle())
        assert not self.run(self.bank.query("SELECT FROM stat_pending"))
        is_young = self.world.ahead < timedelta(days=limits.STAT_MINUTE_DAYS, hours=-1)
        for grain in (1, 60, 1440) if is_young else (60, 1440):
            kept = self.run(
                self.bank.query(
                    f"SELECT sum(revenue_micro)::bigint, coalesce(sum(submitted), 0) FROM stat WHERE grain = {grain}"
                )
            )[0]
            assert (kept[0] or 0, kept[1]) == (spent[0] or 0, spent[1])
        assert self.run(self.world.prove()) == []


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The machine is not a coroutine: it runs each of its steps in a loop of its own."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def bank(postgres: str, worker: str, loop: asyncio.AbstractEventLoop) -> Iterator[Bank]:
    async def open_bank() -> Bank:
        found = await Bank.open(await migrated_database(postgres, f"statistics_{worker}"), 2)
        async with found.plain.transaction() as transaction:
            other = await add_carrier(transaction, "other", "simulator")
            for prefix in ("1", "44"):
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=other)
            for place, costs in COSTS.items():
                await prices.set_costs(transaction, (found.lane // 2, other)[place], costs)
        await found.query(
            "INSERT INTO carrier_session (carrier_id, owner, leased_until, is_up)"
            " SELECT carrier_id, '', now() + interval '1 day', true FROM carrier"
        )
        for database, board in zip(found.databases, found.boards, strict=True):
            board.catalogue = await read_catalogue(database)
        return found

    opened_bank = loop.run_until_complete(open_bank())
    yield opened_bank
    loop.run_until_complete(opened_bank.close())


def test_statistics_add_up_to_the_messages_whatever_their_lives(bank: Bank, loop: asyncio.AbstractEventLoop) -> None:
    factory: Any = partial(StatisticsMachine, loop.run_until_complete, bank)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking replays hundreds of times
        ),
    )


TAMPERINGS = {
    "submitted": "submitted = submitted + 1",
    "sent": "sent = sent - 1",
    "delivered": "delivered = delivered + 1",
    "undelivered": "undelivered = undelivered + 1",
    "converted": "converted = converted + 1",
    "refused": "refused = refused + 1",
    "cost_micro": "cost_micro = cost_micro + 1",
    "revenue_micro": "revenue_micro = revenue_micro - 1",
    "receipt_times": "receipt_times[1] = coalesce(receipt_times[1], 0) + 1",
    "conversion_times": "conversion_times[3] = coalesce(conversion_times[3], 0) + 1",
}
"""Where to be one off: a figure, and the row's change that makes it wrong."""


@pytest.fixture(scope="module")
def busy(bank: Bank, loop: asyncio.AbstractEventLoop) -> World:
    """Messages with every figure, added up."""

    async def fill() -> World:
        world = await opened(bank, False)
        chosen = [Recipient(each, each) for each in (f"4455500{n:02d}123" for n in range(20))]
        sent = await bank.send(0, world.account, [MessageGroup("a", "HOMING", chosen)])
        await world.answer(world.carriers[0], Outcome.REFUSED)
        await world.answer(world.carriers[1], Outcome.ACCEPTED)
        reported = [
            IncomingReceipt(one, "c", CarrierReceipt(ref, int(state), world.now(), None, "", number))
            for (one, ref, number), state in zip(
                world.refs, (MessageState.DELIVERED, MessageState.UNDELIVERABLE), strict=False
            )
        ]
        await world.inbox.store(reported)
        await world.inbox.drained()
        await world.feedback.report(world.account.account_id, sent[0], LIA, None)
        duty = LeaderLease(bank.databases[0], "aggregator", "elsewhere:1:link")
        await duty.take()
        rollup = Rollup(bank.databases[0], duty, world.now)
        turn = await rollup.run_round()
        assert turn is not None
        assert not await rollup.settle()
        sums = totals(turn.deltas)
        assert (sums["submitted"], sums["sent"], sums["delivered"], sums["undelivered"]) == (20, 20, 1, 1)
        (refused,) = await bank.query("SELECT count(*) FROM attempt WHERE outcome = 2")
        assert (sums["converted"], sums["refused"]) == (1, refused[0])
        assert (sums["cost_micro"], sums["revenue_micro"]) == (20 * 5_001, 20 * 20_001)
        return world

    return loop.run_until_complete(fill())


@pytest.mark.parametrize("grain", [1, 60, 1440])
@pytest.mark.parametrize("figure", TAMPERINGS)
def test_one_off_in_any_figure_of_any_grain_is_seen(
    bank: Bank, busy: World, loop: asyncio.AbstractEventLoop, figure: str, grain: int
) -> None:
    change = TAMPERINGS[figure]

    async def scenario() -> None:
        assert await busy.prove() == []
        (before,) = await bank.query(f"SELECT * FROM stat WHERE grain = {grain} AND delivered > 0")
        one = f"grain = {grain} AND cell_id = {before['cell_id']}"
        await bank.query(f"UPDATE stat SET {change} WHERE {one}")
        found = await busy.prove()
        await bank.query(f"DELETE FROM stat WHERE {one}")
        places = ", ".join(f"${n}" for n in range(1, len(before) + 1))
        await bank.query(f"INSERT INTO stat VALUES ({places})", *before)
        assert [(one.grain, one.figure) for one in found] == [(grain, figure)]
        assert abs(found[0].recorded - found[0].counted) in (1, 3)
        assert await busy.prove() == []

    loop.run_until_complete(scenario())


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE message SET state = 4 WHERE state = 3",
        "UPDATE message SET sent_at = NULL WHERE state = 2",
        "UPDATE message SET carrier_cost_micro = carrier_cost_micro + 1",
        "DELETE FROM attempt WHERE outcome = 2",
        "UPDATE conversion SET credited_at = NULL",
        "UPDATE message SET carrier_id = 1 WHERE state = 2",
    ],
)
def test_a_message_that_is_changed_behind_the_statistics_is_seen(
    bank: Bank, busy: World, loop: asyncio.AbstractEventLoop, lie: str
) -> None:
    async def scenario() -> None:
        async with bank.plain.connection() as connection:
            undo = connection.raw.transaction()
            await undo.start()
            await connection.raw.execute(lie)
            found = await statements.statistics.stat_prove(
                connection, grain=PeriodGrain.DAY, first_period=0, account_id=None, rows_max=100
            )
            await undo.rollback()
        assert found

    loop.run_until_complete(scenario())
