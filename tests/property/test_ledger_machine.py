"""The ledger against a model: concurrent sends, refunds and movements on a real PostgreSQL, proved after every step.

Where several things happen at once their order is the database's choice; the model then predicts what holds in any
order, and exactly what follows from which of them were accepted.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import account_settings
from homing.dialects.registry import DIALECTS
from homing.ledger.postings import Posting, adjustment, gift, post, top_up
from homing.ledger.proof import LedgerProof
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import LedgerAccount
from homing.states import TABLE, MessageState, is_refunded, may_move
from homing.store.database import Database
from tests.support.bank import PRICES, Bank, Purse, group, outcomes
from tests.support.server import migrated_database

PROCESSES = 3
POLICIES = (False, True, False)
"""One account each: whether an undeliverable message is refunded."""
T = TypeVar("T")


HELD = """
SELECT gift_micro, balance_micro, credit_micro,
    sum(amount) FILTER (WHERE account = 1), sum(amount) FILTER (WHERE account = 2), sum(amount)
FROM unnest($1::bigint[]) WITH ORDINALITY AS mine (account_id, place)
JOIN balance USING (account_id)
CROSS JOIN LATERAL (
    SELECT destination AS account, amount_micro AS amount FROM posting WHERE posting.account_id = mine.account_id
    UNION ALL SELECT source, -amount_micro FROM posting WHERE posting.account_id = mine.account_id
    UNION ALL VALUES (1, 0), (2, 0)
) AS legs
GROUP BY place, gift_micro, balance_micro, credit_micro
ORDER BY place
"""
"""The balances of each account and the sums of its postings: gift, balance, and all ledger accounts together."""


@dataclass
class Message:
    account: int
    submission: int
    charge: int
    gift: int
    state: MessageState = MessageState.QUEUED
    refund: int = 0


@dataclass(frozen=True)
class Send:
    """A submission that is about to be made."""

    account: int
    process: int
    groups: tuple[tuple[str, int, int], ...]  # prefix, recipients, segments

    @property
    def charges(self) -> list[int]:
        return [PRICES[prefix] * segments for prefix, count, segments in self.groups for _ in range(count)]


accounts = st.integers(0, len(POLICIES) - 1)
processes = st.integers(0, PROCESSES - 1)
groups = st.tuples(st.sampled_from(sorted(PRICES)), st.integers(1, 25), st.integers(1, 3))
sends = st.builds(Send, accounts, processes, st.lists(groups, min_size=1, max_size=2).map(tuple))
amounts = st.integers(1, 3_000_000) | st.sampled_from([1, 4_000, 31_000])
ends = st.sampled_from(
    [
        MessageState.REJECTED,
        MessageState.EXPIRED,
        MessageState.UNDELIVERABLE,
        MessageState.FAILED,
        MessageState.DELIVERED,
        MessageState.SENT,
        MessageState.UNKNOWN,
    ]
)
picks = st.lists(st.tuples(st.integers(0, 10_000), ends), min_size=1, max_size=40)

TAMPERINGS = {
    "a balance": ("balance", "balance_micro", "account_id", "true"),
    "a gift": ("balance", "gift_micro", "account_id", "true"),
    "a charge's posting": ("posting", "amount_micro", "posting_id", "kind = 1"),
    "a refund's posting": ("posting", "amount_micro", "posting_id", "kind = 2"),
    "a top-up's posting": ("posting", "amount_micro", "posting_id", "kind IN (3, 4)"),
    "an adjustment's posting": ("posting", "amount_micro", "posting_id", "kind = 5"),
    "a message's charge": ("message", "charge_micro", "message_id", "true"),
    "a message's price": ("message", "price_micro", "message_id", "true"),
    "what the gift paid": ("message", "gift_micro", "message_id", "true"),
    "a message's refund": ("message", "refund_micro", "message_id", "refund_micro > 0"),
    "a refund that never was": ("message", "refund_micro", "message_id", "refund_micro = 0"),
}
"""Where to be one micro-unit off: table, column, key, and which rows."""


async def proof_off_by(bank: Bank, account: Profile, name: str, off: int) -> LedgerProof | None:
    """What the proof says while something is `off`; None when the account has nothing of that kind."""
    table, column, key, which = TAMPERINGS[name]
    found = await bank.query(
        f"SELECT {key} AS key, {column} AS value FROM {table}"
        f" WHERE account_id = $1 AND {which} ORDER BY 1 DESC LIMIT 1",
        account.account_id,
    )
    if not found:
        return None
    (row,) = found
    least = {("posting", "amount_micro"): 1, ("balance", "gift_micro"): 0}.get((table, column))
    if least is not None and row["value"] + off < least:
        off = 1  # the other way the table's own check stands against it
    update = f"UPDATE {table} SET {column} = $3 WHERE account_id = $1 AND {key} = $2"
    await bank.query(update, account.account_id, row["key"], row["value"] + off)
    try:
        return await bank.prove(account)
    finally:
        await bank.query(update, account.account_id, row["key"], row["value"])


def may_stand(before: Purse, after: Purse) -> bool:
    """Charges take a balance down to the credit's end and no further. One that was below it already, by an operator's
    hand, stays where it is: then the gift alone pays.
    """
    return after.balance >= -after.credit or after.balance == before.balance


class LedgerMachine(RuleBasedStateMachine):
    """Three accounts, several processes, one database. `self.purses` and `self.messages` are the model."""

    def __init__(self, run: Callable[[Awaitable[Any]], Any], bank: Bank, requests: "itertools.count[int]") -> None:
        super().__init__()
        self.run = run
        self.bank = bank
        self.requests = requests
        self.accounts: list[Profile] = []
        self.purses: list[Purse] = []
        self.messages: dict[int, Message] = {}

    @initialize(start=st.tuples(amounts, amounts, st.integers(0, 500_000)))
    def open_accounts(self, start: tuple[int, int, int]) -> None:
        self.run(self.bank.clear())
        balance, gifted, credit = start
        for policy in POLICIES:
            made = self.bank.account(balance=balance, gifted=gifted, credit=credit, refund_undeliverable=policy)
            self.accounts.append(self.run(made))
            self.purses.append(Purse(gifted, balance, credit))

    # --- steps ------------------------------------------------------------------------------------------

    @rule(batch=st.lists(sends, min_size=1, max_size=8))
    def send_at_once(self, batch: list[Send]) -> None:
        ids = [str(next(self.requests)) for _ in batch]
        results = self.run(outcomes(self._send(one, request) for one, request in zip(batch, ids, strict=True)))
        before = list(self.purses)
        for index in range(len(self.accounts)):
            mine = [(one, ended) for one, ended in zip(batch, results, strict=True) if one.account == index]
            self._charge(index, [one for one, ended in mine if isinstance(ended, list)])
            refused = [sum(one.charges) for one, ended in mine if not isinstance(ended, list)]
            left = self.purses[index].available
            assert all(total > left for total in refused), "refused although the money was there"
            assert may_stand(before[index], self.purses[index])
        for one, request, ended in zip(batch, ids, results, strict=True):
            self._learn(one, request, ended)
        self._gift_pays_first(before, [one for ended in results if isinstance(ended, list) for one in ended])

    @rule(account=accounts, amount=amounts, what=st.sampled_from(["top-up", "gift", "adjust", "adjust gift", "credit"]))
    def move_money(self, account: int, amount: int, what: str) -> None:
        old = self.purses[account]
        if what == "credit":
            self.run(self._set_credit(account, amount))
            self.purses[account] = Purse(old.gift, old.balance, amount)
            return
        signed = amount if amount % 2 or not what.startswith("adjust") else -amount
        gifted, balance = (signed, 0) if "gift" in what else (0, signed)
        movements: dict[str, Callable[[int], Any]] = {
            "top-up": top_up,
            "gift": gift,
            "adjust": adjustment,
            "adjust gift": lambda signed: adjustment(signed, LedgerAccount.GIFT),
        }
        movement = movements[what](signed)
        if old.gift + gifted < 0:
            with pytest.raises(errors.InvalidInput):
                self.run(self._move(account, movement))
            return
        self.run(self._move(account, movement))
        self.purses[account] = Purse(old.gift + gifted, old.balance + balance, old.credit)

    @rule(events=st.lists(picks, min_size=1, max_size=3))
    def end_messages_at_once(self, events: list[list[tuple[int, MessageState]]]) -> None:
        """Several processes hand in events, some for the same messages: only one of them may move each."""
        if not self.messages:
            return
        batches = self._events(events)
        moved = self.run(self._gather([self._apply(n % PROCESSES, batch) for n, batch in enumerate(batches)]))
        self._settle(batches, moved)

    @rule(
        batch=st.lists(sends, min_size=1, max_size=5),
        events=st.lists(picks, min_size=0, max_size=2),
        tops=st.lists(st.tuples(accounts, amounts), max_size=3),
    )
    def everything_at_once(
        self, batch: list[Send], events: list[list[tuple[int, MessageState]]], tops: list[tuple[int, int]]
    ) -> None:
        """Sends, refunds and top-ups together: which purse paid is the order's doing, how much there is is not."""
        batches = self._events(events) if self.messages else []
        ids = [str(next(self.requests)) for _ in batch]
        before = list(self.purses)
        results, moved, _ = self.run(
            self._gather(
                [
                    outcomes(self._send(one, request) for one, request in zip(batch, ids, strict=True)),
                    self._gather([self._apply(n % PROCESSES, one) for n, one in enumerate(batches)]),
                    self._gather([self._move(account, top_up(amount)) for account, amount in tops]),
                ]
            )
        )
        for account, amount in tops:
            old = self.purses[account]
            self.purses[account] = Purse(old.gift, old.balance + amount, old.credit)
        self._settle(batches, moved)
        for one, ended in zip(batch, results, strict=True):
            if isinstance(ended, list):
                self._charge(one.account, [one])
        for index, profile in enumerate(self.accounts):
            seen, model = self.run(self.bank.purse(profile)), self.purses[index]
            assert seen.gift + seen.balance == model.gift + model.balance
            assert seen.balance >= min(before[index].balance, -seen.credit)
            self.purses[index] = seen
        for one, request, ended in zip(batch, ids, results, strict=True):
            self._learn(one, request, ended)

    @rule(account=accounts, name=st.sampled_from(sorted(TAMPERINGS)), off=st.sampled_from([1, -1]))
    def tamper(self, account: int, name: str, off: int) -> None:
        """One micro-unit off anywhere is seen."""
        proof = self.run(proof_off_by(self.bank, self.accounts[account], name, off))
        assert proof is None or not proof.holds, f"{name} is off and nobody sees it"

    # --- what always holds ------------------------------------------------------------------------------

    @invariant()
    def everything_adds_up(self) -> None:
        """The balances are the model's, our own sums of the postings, and proved; what is not final waits."""
        if not self.accounts:
            return
        mine = [account.account_id for account in self.accounts]
        rows = self.run(self.bank.query(HELD, mine))
        assert [tuple(row) for row in rows] == [
            (p.gift, p.balance, p.credit, p.gift, p.balance, 0) for p in self.purses
        ]
        waiting = [row["message_id"] for row in self.run(self.bank.query("SELECT message_id FROM queue ORDER BY 1"))]
        assert waiting == sorted(key for key, one in self.messages.items() if not TABLE[one.state].final)
        proof = self.run(self.bank.prove())
        assert proof.holds, proof.differences
        assert (proof.accounts, proof.messages) == (len(mine), len(self.messages))

    # --- the model's insides ----------------------------------------------------------------------------

    def _send(self, one: Send, request_id: str) -> Awaitable[list[int]]:
        return self.bank.send(one.process, self.accounts[one.account], [group(*g) for g in one.groups], request_id)

    async def _move(self, account: int, movement: Posting) -> None:
        async with self.bank.plain.transaction() as transaction:
            await post(transaction, self.accounts[account].account_id, movement, "test", "a reason")

    async def _set_credit(self, account: int, credit: int) -> None:
        async with self.bank.plain.transaction() as transaction:
            await account_settings.set_credit(transaction, self.accounts[account].account_id, credit)

    async def _apply(self, process: int, events: Sequence[StateChange]) -> set[int]:
        database: Database = self.bank.databases[process]
        async with database.transaction() as transaction:
            return await apply(transaction, events, Outbox(DIALECTS))

    async def _gather(self, work: Sequence[Awaitable[T]]) -> list[T]:
        return list(await asyncio.gather(*work))

    def _charge(self, index: int, accepted: Sequence[Send]) -> None:
        for one in accepted:
            self.purses[index] = self.purses[index].charged(sum(one.charges))

    def _learn(self, one: Send, request_id: str, ended: object) -> None:
        """All of a submission's messages or none are there, each charged as it was priced, the gift's part first."""
        rows = self.run(
            self.bank.query(
                "SELECT message_id, submission_id, charge_micro, gift_micro, state FROM message"
                " WHERE account_id = $1 AND request_id = $2 ORDER BY message_id",
                self.accounts[one.account].account_id,
                request_id,
            )
        )
        if not isinstance(ended, list):
            assert not rows, "refused, and yet something was stored"
            return
        assert [row["message_id"] for row in rows] == ended
        assert [row["charge_micro"] for row in rows] == one.charges
        assert {row["submission_id"] for row in rows} == {ended[0]}
        gifts = [row["gift_micro"] for row in rows]
        assert gifts == _from_gift(sum(gifts), one.charges)
        for row in rows:
            self.messages[row["message_id"]] = Message(
                one.account, row["submission_id"], row["charge_micro"], row["gift_micro"]
            )

    def _gift_pays_first(self, before: Sequence[Purse], sent: Sequence[int]) -> None:
        """What the new messages' gift parts come to is what the gift lost, and the balance paid nothing before that."""
        for index in range(len(self.accounts)):
            parts = sum(self.messages[one].gift for one in sent if self.messages[one].account == index)
            assert parts == before[index].gift - self.purses[index].gift
            if self.purses[index].balance < before[index].balance:
                assert self.purses[index].gift == 0

    def _events(self, picked: list[list[tuple[int, MessageState]]]) -> list[list[StateChange]]:
        known = sorted(self.messages)
        batches = []
        for one in picked:
            chosen = {known[index % len(known)]: state for index, state in one}
            batches.append(
                [
                    StateChange(
                        self.accounts[self.messages[message_id].account].account_id,
                        message_id,
                        state,
                        datetime.now(UTC),
                        self.bank.lane,
                    )
                    for message_id, state in chosen.items()
                ]
            )
        return batches

    def _settle(self, batches: Sequence[Sequence[StateChange]], moved: Sequence[set[int]]) -> None:
        """What the moved messages' new states follow from, and the money that came back with them."""
        asked: dict[int, list[tuple[MessageState, bool]]] = {}
        for batch, ids in zip(batches, moved, strict=True):
            for event in batch:
                asked.setdefault(event.message_id, []).append((event.state, event.message_id in ids))
        rows = self.run(
            self.bank.query(
                "SELECT message_id, state, refund_micro FROM message WHERE message_id = ANY($1)", list(asked)
            )
        )
        assert len(rows) == len(asked)
        for row in rows:
            message = self.messages[row["message_id"]]
            state, events = MessageState(row["state"]), asked[row["message_id"]]
            took = [to for to, has_moved in events if has_moved]
            if state is message.state:
                assert not took
                assert not any(may_move(message.state, to) for to, _ in events)
                continue
            assert state in took
            assert TABLE[state].rank == max(TABLE[to].rank for to, _ in events)
            assert len({TABLE[to].rank for to in took}) == len(took), "two moves to the same rank"
            message.state = state
            if is_refunded(state, POLICIES[message.account]):
                assert message.refund == 0
                message.refund = message.charge
                old = self.purses[message.account]
                self.purses[message.account] = Purse(
                    old.gift + message.gift, old.balance + message.charge - message.gift, old.credit
                )
            assert row["refund_micro"] == message.refund


def _from_gift(total: int, charges: Sequence[int]) -> list[int]:
    """How a gift of `total` is spread over charges in their order."""
    parts = []
    for charge in charges:
        parts.append(min(total, charge))
        total -= parts[-1]
    return parts


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The machine is not a coroutine: it runs each of its steps in a loop of its own."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def bank(postgres: str, worker: str, loop: asyncio.AbstractEventLoop) -> Iterator[Bank]:
    made = loop.run_until_complete(
        Bank.open(loop.run_until_complete(migrated_database(postgres, f"machine_{worker}")), 3)
    )
    yield made
    loop.run_until_complete(made.close())


def test_the_ledger_is_right_whatever_happens_at_once(bank: Bank, loop: asyncio.AbstractEventLoop) -> None:
    requests = itertools.count(1)
    factory: Any = partial(LedgerMachine, loop.run_until_complete, bank, requests)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=25,
            stateful_step_count=14,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking replays hundreds of times, and fourteen steps can be read
            suppress_health_check=list(HealthCheck),
        ),
    )


@given(
    gifted=st.integers(0, 300_000),
    credit=st.integers(0, 20_000),
    adjusted=st.integers(-40_000, 40_000).filter(bool),
    messages=st.integers(1, 60),
)
@example(gifted=200_000, credit=2_493, adjusted=-4_000, messages=34)  # below the credit's end, and the gift pays all
@example(gifted=135_999, credit=2_493, adjusted=-4_000, messages=34)  # a micro-unit short of that
@example(gifted=137_507, credit=2_493, adjusted=-4_000, messages=34)  # all three together are the charge exactly
@example(gifted=137_506, credit=2_493, adjusted=-4_000, messages=34)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_a_charge_takes_a_balance_no_further_than_its_credit(
    bank: Bank, loop: asyncio.AbstractEventLoop, gifted: int, credit: int, adjusted: int, messages: int
) -> None:
    async def scenario() -> None:
        account = await bank.account(gifted=gifted, credit=credit)
        async with bank.plain.transaction() as transaction:
            await post(transaction, account.account_id, adjustment(adjusted), "test", "a reason")
        before, charge = Purse(gifted, adjusted, credit), messages * PRICES["91"]
        (ended,) = await outcomes([bank.send(0, account, [group("91", messages)])])
        after = await bank.purse(account)
        assert isinstance(ended, list) == (charge <= before.available)
        assert after == (before.charged(charge) if isinstance(ended, list) else before)
        assert may_stand(before, after)
        assert (await bank.prove(account)).holds

    loop.run_until_complete(scenario())


@pytest.fixture(scope="module")
def busy(bank: Bank, loop: asyncio.AbstractEventLoop) -> Profile:
    """An account with every kind of posting, and messages that the gift paid whole, in part and not at all."""

    async def fill() -> Profile:
        await bank.clear()
        account = await bank.account(balance=1_000_000, gifted=10_000)
        sent = await bank.send(0, account, [group("1", 3), group("44", 2, 2)])
        refunded = await bank.send(0, account, [group("86", 2)])
        async with bank.plain.transaction() as transaction:
            await post(transaction, account.account_id, adjustment(-77), "test", "a reason")
            events = [
                StateChange(account.account_id, one, MessageState.REJECTED, datetime.now(UTC), bank.lane)
                for one in (*refunded, sent[1])
            ]
            await apply(transaction, events, Outbox(DIALECTS))
        proof = await bank.prove(account)
        assert proof.holds, proof.differences
        return account

    return loop.run_until_complete(fill())


@pytest.mark.parametrize("off", [1, -1])
@pytest.mark.parametrize("name", TAMPERINGS)
def test_one_micro_unit_off_anywhere_is_seen(
    bank: Bank, busy: Profile, loop: asyncio.AbstractEventLoop, name: str, off: int
) -> None:
    proof = loop.run_until_complete(proof_off_by(bank, busy, name, off))
    assert proof is not None
    assert not proof.holds
    assert {one.account_id for one in proof.differences} == {busy.account_id}
    assert loop.run_until_complete(bank.prove(busy)).holds


TAKEN_BY = "UPDATE balance SET gift_micro = gift_micro + $2, balance_micro = balance_micro + $3 WHERE account_id = $1"
CONSISTENT_LIES = {
    "a refund that went into the wrong ledger account": (
        "UPDATE posting SET destination = 2 WHERE account_id = $1 AND kind = 2 AND destination = 1",
        (-8_000, 8_000),
    ),
    "a rejected message that was not refunded": (
        "WITH gone AS (DELETE FROM posting WHERE account_id = $1 AND kind = 2)"
        " UPDATE message SET refund_micro = 0 WHERE account_id = $1 AND refund_micro > 0",
        (-8_000, 0),
    ),
    "a delivered message that was refunded": (
        "WITH given AS (INSERT INTO posting (account_id, at, kind, source, destination, amount_micro, message_id)"
        " SELECT account_id, now(), 2, 3, 1, charge_micro, message_id FROM message WHERE account_id = $1 AND state = 3)"
        " UPDATE message SET refund_micro = charge_micro WHERE account_id = $1 AND state = 3",
        (8_000, 0),
    ),
    "a refund that is noted and was never posted": (
        "UPDATE message SET refund_micro = charge_micro WHERE account_id = $1 AND state = 3",
        (0, 0),
    ),
    "a refund that is posted and was never noted": (
        "UPDATE message SET refund_micro = 0 WHERE account_id = $1 AND refund_micro > 0",
        (0, 0),
    ),
    "a charge for no submission": (
        "INSERT INTO posting (account_id, at, kind, source, destination, amount_micro) VALUES ($1, now(), 1, 2, 3, 1)",
        (0, -1),
    ),
    "a refund for no message": (
        "INSERT INTO posting (account_id, at, kind, source, destination, amount_micro) VALUES ($1, now(), 2, 3, 2, 1)",
        (0, 1),
    ),
}
"""Wrong postings whose sums agree: the change of postings and messages, and that of the balance to agree with them."""


@pytest.mark.parametrize("lie", CONSISTENT_LIES)
def test_postings_that_agree_with_the_balance_and_not_with_the_messages_are_seen(
    bank: Bank, loop: asyncio.AbstractEventLoop, lie: str
) -> None:
    """One message that the gift paid was rejected and refunded, another was delivered."""

    async def scenario() -> None:
        account = await bank.account(balance=100_000, gifted=16_000)
        rejected, delivered = await bank.send(0, account, [group("1", 2)])
        ends = ((rejected, MessageState.REJECTED), (delivered, MessageState.DELIVERED))
        async with bank.plain.transaction() as transaction:
            await apply(
                transaction,
                [StateChange(account.account_id, one, state, datetime.now(UTC), bank.lane) for one, state in ends],
                Outbox(DIALECTS),
            )
        assert (await bank.purse(account)).gift == 8_000
        assert (await bank.prove(account)).holds
        statement, (gifted, balance) = CONSISTENT_LIES[lie]
        await bank.query(statement, account.account_id)
        await bank.query(TAKEN_BY, account.account_id, gifted, balance)
        assert not (await bank.prove(account)).holds

    loop.run_until_complete(scenario())
