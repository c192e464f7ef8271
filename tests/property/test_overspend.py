"""No sequence of concurrent sends spends more than there is, and none is refused while there is enough."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from homing import errors
from homing.accounts.profile import Profile
from homing.intake import intake
from homing.intake.prepare import PreparedSubmission
from homing.ledger.postings import post, top_up
from homing.store.queries import Statement
from homing.store.rows import Record
from tests.support.bank import NOWHERE, PRICES, Bank, Purse, group, opened, outcomes
from tests.support.server import migrated_database

PROCESSES = 4
PRICE = PRICES["1"]
DEAR = PRICES["86"]


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    async with opened(await migrated_database(postgres, f"overspend_{worker}"), PROCESSES) as bank:
        yield bank


async def stored(bank: Bank, account: Profile) -> tuple[int, int]:
    """How many messages an account has, and what they cost together."""
    (row,) = await bank.query(
        "SELECT count(*), coalesce(sum(charge_micro), 0)::bigint FROM message WHERE account_id = $1",
        account.account_id,
    )
    return row[0], row[1]


@pytest.mark.parametrize(
    "purse",
    [
        Purse(0, 37 * PRICE, 0),
        Purse(37 * PRICE, 0, 0),
        Purse(0, 0, 37 * PRICE),
        Purse(10 * PRICE + 1, 20 * PRICE - 2, 7 * PRICE + 1),
        Purse(0, 37 * PRICE + PRICE - 1, 0),
    ],
    ids=["balance", "gift", "credit", "all three", "and a bit"],
)
async def test_of_simultaneous_sends_exactly_the_affordable_ones_are_accepted(bank: Bank, purse: Purse) -> None:
    account = await bank.account(balance=purse.balance, gifted=purse.gift, credit=purse.credit)
    results = await outcomes(bank.send(n % PROCESSES, account, [group("1", 1)]) for n in range(200))
    accepted = [one for one in results if isinstance(one, list)]
    assert len(accepted) == 37
    assert await stored(bank, account) == (37, 37 * PRICE)
    left = await bank.purse(account)
    assert left == purse.charged(37 * PRICE)
    assert 0 <= left.available < PRICE
    assert (await bank.prove(account)).holds


async def test_bulk_submissions_are_taken_whole_or_not_at_all(bank: Bank) -> None:
    account = await bank.account(balance=100 * PRICE)
    results = await outcomes(bank.send(n % PROCESSES, account, [group("1", 30)], request_id=str(n)) for n in range(12))
    assert sum(1 for one in results if isinstance(one, list)) == 3
    rows = await bank.query(
        "SELECT count(*) FROM message WHERE account_id = $1 GROUP BY request_id", account.account_id
    )
    assert [row[0] for row in rows] == [30, 30, 30]
    assert (await bank.purse(account)).balance == 10 * PRICE


async def test_a_dear_submission_is_refused_and_a_later_cheap_one_passes(bank: Bank) -> None:
    account = await bank.account(balance=5 * PRICE)
    dear, cheap, also = await outcomes(
        [
            bank.send(0, account, [group("86", 4)]),
            bank.send(0, account, [group("1", 4)]),
            bank.send(0, account, [group("1", 1)]),
        ]
    )
    assert isinstance(dear, errors.InsufficientBalance)
    assert isinstance(cheap, list)
    assert isinstance(also, list)
    assert await bank.purse(account) == Purse(0, 0, 0)


async def test_an_account_without_money_does_not_hold_up_others_in_its_batch(bank: Bank) -> None:
    poor = await bank.account(balance=PRICE)
    rich = [await bank.account(balance=50 * PRICE) for _ in range(3)]
    sends = [bank.send(0, account, [group("1", 10)]) for account in (*rich, poor, *rich, poor)]
    results = await outcomes([*sends, bank.send(0, poor, [group("1", 1)])])
    assert [isinstance(one, list) for one in results] == [True] * 3 + [False] + [True] * 3 + [False, True]
    assert [(await bank.purse(account)).balance for account in (*rich, poor)] == [30 * PRICE] * 3 + [0]


async def test_what_costs_nothing_is_sent_without_money(bank: Bank) -> None:
    account = await bank.account()
    assert len(await bank.send(0, account, [group("99", 3)])) == 3
    with pytest.raises(errors.InsufficientBalance):
        await bank.send(0, account, [group("99", 3), group("7", 1)])
    assert await stored(bank, account) == (3, 0)


async def test_a_recipient_without_a_route_costs_nothing_and_alone_is_refused(bank: Bank) -> None:
    account = await bank.account(balance=2 * PRICE)
    assert len(await bank.send(0, account, [group(NOWHERE, 5), group("1", 2)])) == 2
    assert await stored(bank, account) == (2, 2 * PRICE)
    with pytest.raises(errors.NoRoute):
        await bank.send(0, account, [group(NOWHERE, 5)])


async def test_money_that_comes_in_meanwhile_is_spent_and_no_more(bank: Bank) -> None:
    account = await bank.account(balance=10 * PRICE)

    async def put_in() -> None:
        for _ in range(20):
            async with bank.plain.transaction() as transaction:
                await post(transaction, account.account_id, top_up(PRICE), "test", "meanwhile")

    async def keep_sending(process: int) -> int:
        accepted = 0
        for _ in range(40):
            accepted += len(
                [1 for one in await outcomes([bank.send(process, account, [group("1", 1)])]) if one.__class__ is list]
            )
        return accepted

    filling = asyncio.ensure_future(put_in())
    accepted = await asyncio.gather(*(keep_sending(n) for n in range(PROCESSES)))
    await filling
    assert sum(accepted) <= 30
    rest = await outcomes(bank.send(n % PROCESSES, account, [group("1", 1)]) for n in range(40))
    assert sum(accepted) + sum(1 for one in rest if isinstance(one, list)) == 30
    assert await bank.purse(account) == Purse(0, 0, 0)


submissions = st.lists(
    st.tuples(st.integers(0, PROCESSES - 1), st.sampled_from(["1", "44", "86", "91"]), st.integers(1, 12)),
    min_size=1,
    max_size=25,
)


@given(submissions, st.integers(0, 1_500_000), st.integers(0, 300_000), st.integers(0, 300_000))
@settings(
    max_examples=40,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
async def test_any_mix_spends_what_it_may_and_refuses_only_what_does_not_fit(
    bank: Bank, sends: Sequence[tuple[int, str, int]], balance: int, gifted: int, credit: int
) -> None:
    account = await bank.account(balance=balance, gifted=gifted, credit=credit)
    results = await outcomes(bank.send(process, account, [group(prefix, count)]) for process, prefix, count in sends)
    totals = [PRICES[prefix] * count for _process, prefix, count in sends]
    spent = sum(total for total, one in zip(totals, results, strict=True) if isinstance(one, list))
    left = await bank.purse(account)
    assert left == Purse(gifted, balance, credit).charged(spent)
    assert left.balance >= -credit
    assert all(total > left.available for total, one in zip(totals, results, strict=True) if not isinstance(one, list))
    assert (await bank.prove(account)).holds


async def test_what_was_paid_in_a_first_round_is_said_even_if_later_rounds_fail(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that cannot pay for its part needs another round; the others of its batch are committed by then."""
    monkeypatch.setattr("homing.intake.intake.REQUERY_ROUNDS_MAX", 1)
    rich, poor = await bank.account(balance=10 * PRICE), await bank.account(balance=PRICE)
    sends = (bank.send(0, account, [group("1", 1)]) for account in (rich, poor, poor))
    accepted, *_ = await asyncio.gather(*sends, return_exceptions=True)
    charged = (await bank.purse(rich)).balance == 9 * PRICE
    assert isinstance(accepted, list) == charged, f"charged and stored, yet the caller was told {accepted!r}"
    assert (await bank.prove()).holds


async def test_what_fits_is_accepted_when_a_dearer_one_before_it_loses_its_money_to_another_process(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first round finds money for the dear one alone; before the second somebody else spends half of it."""
    account = await bank.account(balance=10 * PRICE)
    database = bank.databases[0]
    fetch, rounds = database.fetch, 0

    async def fetch_and_lose(statement: Statement, *values: Any, timeout_s: float | None = None) -> Sequence[Record]:
        nonlocal rounds
        found = await fetch(statement, *values, timeout_s=timeout_s)
        rounds += 1
        if rounds == 1:
            await bank.send(1, account, [group("1", 5)])
        return found

    monkeypatch.setattr(database, "fetch", fetch_and_lose)
    dear, cheap = await outcomes([bank.send(0, account, [group("1", count)]) for count in (10, 1)])
    assert isinstance(dear, errors.InsufficientBalance)
    assert isinstance(cheap, list), "refused for want of money that was there all the time"
    assert (await bank.purse(account)).balance == 4 * PRICE


def test_affordable_passes_over_the_dear_and_keeps_the_order() -> None:
    def prepared(total: int) -> PreparedSubmission:
        return PreparedSubmission(1, total, [], [])

    all_of_them = [prepared(total) for total in (5, 9, 3, 2, 1, 0)]
    assert [one.total_micro for one in intake.affordable(all_of_them, 9)] == [5, 3, 1, 0]
    assert [one.total_micro for one in intake.affordable(all_of_them, 0)] == [0]
    assert intake.affordable(all_of_them, -1) == []
