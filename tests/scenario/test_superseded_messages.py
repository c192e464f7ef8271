"""What statistics note of codes that left more than once, and what the learner makes of it after a restart."""

import random
from datetime import UTC, datetime

import pytest

from homing.accounts.profile import Profile
from homing.aggregation.aggregator import Aggregator
from homing.aggregation.routing_listener import RoutingListener
from homing.dialects.registry import DIALECTS
from homing.guard.snapshot import GuardSnapshot
from homing.intake.intake import utc_now
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import CheckOutcome, ReceiptState
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey
from homing.states import MessageState
from homing.statistics.proof import prove
from tests.scenario.test_verifications import (  # noqa: F401 - fixtures
    Engines,
    account,
    bank,
    clock,
    engines,
)

CODE = "424242"
DELTAS = """
SELECT coalesce(sum(submitted), 0) AS submitted, coalesce(sum(sent), 0) AS sent,
    coalesce(sum(converted), 0) AS converted
FROM stat_delta WHERE coalesce(resent, false) = $1
"""
SUPERSEDED = "SELECT superseded, superseded_age_s, superseded_receipt FROM stat_delta WHERE superseded IS NOT NULL"


async def become(engines: Engines, account: Profile, message_id: int, state: MessageState) -> None:  # noqa: F811
    async with engines.bank.plain.transaction() as transaction:
        await apply(transaction, [StateChange(account.account_id, message_id, state, utc_now())], Outbox(DIALECTS))


@pytest.fixture(autouse=True)
async def empty(engines: Engines) -> None:  # noqa: F811
    await engines.bank.query("TRUNCATE stat_delta, stat_pending, stat, verification, message, queue CASCADE")


@pytest.mark.parametrize(
    ("state", "receipt"),
    [
        (MessageState.SENT, ReceiptState.NONE),
        (MessageState.UNDELIVERABLE, ReceiptState.LOST),
        (MessageState.DELIVERED, ReceiptState.DELIVERED),
    ],
)
async def test_an_answer_after_the_code_left_again_is_of_neither_message(
    engines: Engines,  # noqa: F811
    account: Profile,  # noqa: F811
    state: MessageState,
    receipt: ReceiptState,
) -> None:
    sent = await engines.send(account, code=CODE)
    await become(engines, account, sent.message_id, MessageState.SENT)
    if state is not MessageState.SENT:
        await become(engines, account, sent.message_id, state)
    again = await engines.resend(account, sent)
    (noted,) = await engines.bank.query(SUPERSEDED)
    assert (noted["superseded"], noted["superseded_receipt"]) == (1, receipt)
    await become(engines, account, again.message_id, MessageState.SENT)
    third = await engines.resend(account, sent)
    assert len(await engines.bank.query(SUPERSEDED)) == 1, "the second message was left out anyway"
    await become(engines, account, third.message_id, MessageState.SENT)
    assert await engines.check(account, sent, CODE) is CheckOutcome.VERIFIED
    (first,), (others,) = [await engines.bank.query(DELTAS, of_others) for of_others in (False, True)]
    assert (first["submitted"], first["sent"], first["converted"]) == (1, 1, 0)
    assert (others["submitted"], others["sent"], others["converted"]) == (2, 2, 1)


async def test_a_message_that_leaves_after_its_code_left_again_is_of_no_carrier(
    engines: Engines,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    sent = await engines.send(account, code=CODE)
    again = await engines.resend(account, sent)
    await become(engines, account, again.message_id, MessageState.SENT)
    await become(engines, account, sent.message_id, MessageState.SENT)
    await become(engines, account, sent.message_id, MessageState.DELIVERED)
    assert await engines.bank.query(SUPERSEDED) == []
    (first,), (others,) = [await engines.bank.query(DELTAS, of_others) for of_others in (False, True)]
    assert (first["sent"], others["sent"]) == (0, 2)


async def test_after_a_fixed_wait_a_message_is_judged_by_what_came_within_it(
    engines: Engines,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    sent = await engines.send(account, code=CODE)
    await become(engines, account, sent.message_id, MessageState.SENT)
    await engines.resend(account, sent, steps_done=1)
    assert await engines.bank.query(SUPERSEDED) == []
    assert await engines.check(account, sent, CODE) is CheckOutcome.VERIFIED
    (first,), (others,) = [await engines.bank.query(DELTAS, of_others) for of_others in (False, True)]
    assert (first["sent"], first["converted"], others["converted"]) == (1, 0, 1)


async def aggregate(engines: Engines, owner: str) -> RoutingListener:  # noqa: F811
    listener = RoutingListener(Catalogue, random.Random(1), GuardSnapshot)
    aggregator = Aggregator(
        database=engines.bank.databases[0],
        owner=f"elsewhere:{owner}:link",
        clock=lambda: datetime.now(UTC),
        listeners={"learner": lambda: listener},
    )
    while await aggregator.run_round():
        pass
    await aggregator.release()
    return listener


def trials(listener: RoutingListener, cell: CellKey, carrier_id: int) -> tuple[float, float]:
    (posterior,) = listener.learner.posteriors(cell, [carrier_id])
    return posterior.trials, posterior.conversions


async def test_a_new_process_counts_what_the_one_before_counted(
    engines: Engines,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    for n in range(4):
        sent = await engines.send(account, code=CODE, number_limits=())
        await become(engines, account, sent.message_id, MessageState.SENT)
        if n < 3:
            again = await engines.resend(account, sent)
            await become(engines, account, again.message_id, MessageState.SENT)
        assert await engines.check(account, sent, CODE) is CheckOutcome.VERIFIED
    (row,) = await engines.bank.query("SELECT country, mcc || mnc AS network, carrier_id FROM message LIMIT 1")
    cell = CellKey(account.account_id, account.name, row["country"], row["network"])
    before = await aggregate(engines, "1")
    after = await aggregate(engines, "2")
    for listener in (before, after):
        counted, conversions = trials(listener, cell, row["carrier_id"])
        assert conversions == 1, "the code that left once"
        assert counted < 1.5, "the others left at once"
    assert await prove(engines.bank.plain, datetime.now(UTC)) == []


async def test_the_address_that_requested_the_code_has_its_answer_whichever_message_is_credited(
    engines: Engines,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    sent = await engines.send(account, code=CODE)
    await engines.bank.query(
        "INSERT INTO guard_address (message_id, account_id, app_id, network, address, prefix, number)"
        " VALUES ($1, $2, $3, '46000', 1, 2, 3)",
        sent.message_id,
        account.account_id,
        account.name,
    )
    again = await engines.resend(account, sent)
    for state in (MessageState.SENT, MessageState.DELIVERED):
        await become(engines, account, again.message_id, state)
    await engines.bank.query("TRUNCATE guard_address_delta")
    assert await engines.check(account, sent, CODE) is CheckOutcome.VERIFIED
    (noted,) = await engines.bank.query("SELECT address, is_conversion FROM guard_address_delta")
    assert (noted["address"], noted["is_conversion"]) == (1, True)
    await engines.bank.query("TRUNCATE guard_address, guard_address_delta")
