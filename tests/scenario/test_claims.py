"""Claims whose leases end while their process lives: nothing goes twice that was answered."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from homing import limits
from homing.admin import carriers, routes
from homing.carriers.base import CarrierReport
from homing.common.crypto import Vault
from homing.dialects.registry import DIALECTS
from homing.dispatch.answers import AnsweredMessage, AnswerRecorder
from homing.dispatch.expiry import ExpirySweep
from homing.dispatch.failover import Failover
from homing.dispatch.fleet import CarrierFleet
from homing.dispatch.written_marks import EndedClaim, WrittenMarks
from homing.model import Answer, Outbound, Outcome, Traffic
from homing.observe.work import WorkMetrics
from homing.reasons import ReasonCode, decode_reason
from homing.routing.rules import RouteScope
from homing.states import MessageState
from homing.statistics.proof import prove
from homing.store.due_poller import DuePoller
from tests.support.bank import Bank, group
from tests.support.server import migrated_database
from tests.support.waiting import until

OWNER = f"here:{os.getpid()}:link-1"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"claims_{worker}"), 2)
    await opened.query('UPDATE carrier SET settings = \'{"submit_ms": 700, "receipt_ms_mean": 86400000}\'')
    yield opened
    await opened.close()


@pytest.fixture
async def fleet(bank: Bank, tmp_path: Path) -> AsyncIterator[CarrierFleet]:
    """The link's carriers over a database of their own, which can be taken away from them alone."""
    database, chance = bank.databases[1], random.Random(1)
    pulse = DuePoller(database, now)

    async def sink(_carrier_id: int, _name: str, _reports: Sequence[CarrierReport]) -> None:
        """Receipts are not what this is about."""

    marks = WrittenMarks(folder=tmp_path, owner=OWNER, clock=now)
    marks.open()
    made = CarrierFleet(
        database=database,
        sink=sink,
        owner=OWNER,
        due_poller=pulse,
        clock=now,
        work_metrics=WorkMetrics(CollectorRegistry()),
        rng=chance,
        failover=Failover(bank.boards[1]),
        unknown_retry_s=10,
        vault=Vault(bytes(32)),
        marks=marks,
        dialects=DIALECTS,
    )
    pulsing = asyncio.get_running_loop().create_task(pulse.run())
    await made.open()
    yield made
    await made.close()
    pulsing.cancel()


async def attempts(bank: Bank, ids: list[int]) -> list[Any]:
    return await bank.query(
        "SELECT message_id, attempt, outcome, carrier_ref, error_text FROM attempt WHERE message_id = ANY($1)"
        " ORDER BY message_id, attempt",
        ids,
    )


async def test_what_was_answered_while_the_database_was_away_does_not_go_again(bank: Bank, fleet: CarrierFleet) -> None:
    """Longer than a carrier's lease: the carrier is let go and started anew, while its answers wait in memory; and the
    claims have lapsed by then.
    """
    account = await bank.account(balance=10_000_000)
    ids = await bank.send(0, account, [group("1", 20)])

    async def claimed() -> int:
        (row,) = await bank.query(
            "SELECT count(*) AS n FROM queue WHERE message_id = ANY($1) AND claimed_by = $2", ids, OWNER
        )
        return int(row["n"])

    await until(claimed, lambda count: count == len(ids))
    bank.databases[1].is_unavailable = True
    try:
        await asyncio.sleep(limits.CARRIER_LEASE_S + 1)
        await bank.query("UPDATE queue SET due_at = now() - interval '1 s' WHERE message_id = ANY($1)", ids)
    finally:
        bank.databases[1].is_unavailable = False

    async def states() -> set[int]:
        return {row["state"] for row in await bank.query("SELECT state FROM message WHERE message_id = ANY($1)", ids)}

    await until(states, lambda found: found <= {MessageState.SENT, MessageState.REJECTED})  # 0003 is refused
    await asyncio.sleep(limits.CARRIER_RETURN_GRACE_S)
    found = await attempts(bank, ids)
    assert {row["outcome"] for row in found} <= {Outcome.ACCEPTED, Outcome.REFUSED}
    assert len(found) == len(ids), "each was submitted once"
    assert await bank.query("SELECT FROM queue WHERE message_id = ANY($1) AND lane <> 0", ids) == []
    assert await prove(bank.plain, now()) == []


async def test_a_claim_that_has_just_lapsed_is_given_time_for_its_answer_before_it_expires(bank: Bank) -> None:
    account = await bank.account(balance=10_000_000)
    ids = await bank.send(0, account, [group("91", 3)])
    for message_id, owner, ago_s in zip(ids, (OWNER, OWNER, None), (1, 2 * limits.CLAIM_LEASE_S, 1), strict=True):
        await bank.query(
            "UPDATE queue SET claimed_by = $2, due_at = $3, expires_at = $4, lane = 999 WHERE message_id = $1",
            message_id,
            owner,
            now() - timedelta(seconds=ago_s),
            now() - timedelta(seconds=2),
        )
    assert not await ExpirySweep(bank.plain, now, DIALECTS).sweep_unsent()
    rows = await bank.query("SELECT state FROM message WHERE message_id = ANY($1) ORDER BY message_id", ids)
    assert [row["state"] for row in rows] == [MessageState.QUEUED, MessageState.EXPIRED, MessageState.EXPIRED]
    assert await prove(bank.plain, now()) == []


def recorder(bank: Bank) -> AnswerRecorder:
    return AnswerRecorder(
        database=bank.databases[0],
        carrier_id=bank.lane // 2,
        failover=Failover(bank.boards[0]),
        clock=now,
        rng=random.Random(1),
        unknown_retry_s=10,
        dialects=DIALECTS,
    )


async def test_an_answer_stands_though_its_attempt_was_told_as_unknown_before(bank: Bank) -> None:
    account = await bank.account(balance=10_000_000)
    (message_id,) = await bank.send(0, account, [group("1", 1)])
    await bank.query("UPDATE queue SET due_at = now() + interval '1 h' WHERE message_id = $1", message_id)
    (row,) = await bank.query(
        "SELECT number, sender, text, encoding, segments FROM message WHERE message_id = $1", message_id
    )
    message = Outbound(
        account.account_id,
        message_id,
        1,
        row["number"],
        row["sender"],
        row["text"],
        row["encoding"],
        row["segments"],
        now() + timedelta(hours=1),
        Traffic.TRANSACTIONAL,
    )
    lost = Answer(Outcome.UNKNOWN, error_text="its claim ended")
    await recorder(bank).record([AnsweredMessage(bank.lane, message, lost, now(), is_retried=True)])
    await recorder(bank).record([AnsweredMessage(bank.lane, message, Answer(Outcome.ACCEPTED, "ab12"), now())])
    (found,) = await attempts(bank, [message_id])
    assert (found["outcome"], found["carrier_ref"]) == (Outcome.ACCEPTED, "ab12")
    await recorder(bank).record([AnsweredMessage(bank.lane, message, lost, now(), is_retried=True)])
    (found,) = await attempts(bank, [message_id])
    assert found["outcome"] == Outcome.ACCEPTED, "what is known is not made unknown"
    assert await prove(bank.plain, now()) == []


async def test_what_a_carrier_has_accepted_after_all_does_not_go_by_the_next_one_without_its_code(
    bank: Bank, fleet: CarrierFleet
) -> None:
    """Its claim lapsed, it was moved to the next carrier's lane, and then the first carrier's answer was stored."""
    account = await bank.account(balance=10_000_000)
    bank.databases[1].is_unavailable = True  # until the message stands as it is moved
    try:
        (message_id,) = await bank.send(0, account, [group("1", 1)])
        await bank.query("UPDATE message SET masked_text = '****' WHERE message_id = $1", message_id)
        await bank.query("UPDATE queue SET attempts = 1 WHERE message_id = $1", message_id)
        until_at = now() + timedelta(hours=1)
        message = Outbound(account.account_id, message_id, 1, "1", "S", "1234", 0, 1, until_at, Traffic.TRANSACTIONAL)
        answered = AnsweredMessage(bank.lane + 1_000, message, Answer(Outcome.ACCEPTED, "ab34"), now())
        await recorder(bank).record([answered])
    finally:
        bank.databases[1].is_unavailable = False

    async def lanes() -> list[int]:
        return [row["lane"] for row in await bank.query("SELECT lane FROM queue WHERE message_id = $1", message_id)]

    await until(lanes, lambda found: found == [0])
    assert [(row["attempt"], row["carrier_ref"]) for row in await attempts(bank, [message_id])] == [(1, "ab34")]
    (row,) = await bank.query("SELECT state, text FROM message WHERE message_id = $1", message_id)
    assert tuple(row) == (MessageState.SENT, "****")
    assert await prove(bank.plain, now()) == []


async def test_a_claim_that_lapsed_keeps_its_own_time_and_does_not_say_that_a_living_process_died(
    bank: Bank, fleet: CarrierFleet
) -> None:
    account = await bank.account(balance=10_000_000)
    claimed_at = now() - timedelta(minutes=3)
    bank.databases[1].is_unavailable = True  # until the claims stand as another process left them
    try:
        ids = await bank.send(0, account, [group("1", 2)])
        for message_id, owner in zip(ids, ("elsewhere:1:link-1", "here:4194999:link-1"), strict=True):
            await bank.query(
                "UPDATE queue SET claimed_by = $2, claimed_at = $3, attempts = 1, due_at = now() WHERE message_id = $1",
                message_id,
                owner,
                claimed_at,
            )
    finally:
        bank.databases[1].is_unavailable = False

    async def lapsed() -> list[Any]:
        return await bank.query(
            "SELECT started_at, reason FROM attempt WHERE message_id = ANY($1) AND attempt = 1 ORDER BY message_id",
            ids,
        )

    rows = await until(lapsed, lambda found: len(found) == 2)
    assert [row["started_at"] for row in rows] == [claimed_at] * 2
    assert [decode_reason(row["reason"]).code for row in rows] == [
        ReasonCode.ATTEMPT_CLAIM_LAPSED,
        ReasonCode.ATTEMPT_PROCESS_DIED,
    ]


async def test_what_the_next_carrier_has_in_hand_stays_marked_when_the_former_ones_answer_is_stored(
    bank: Bank, fleet: CarrierFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former carrier's answer is durable, and the next carrier has the message, before whoever stored the answer
    hears of it: a mark that went then would let the message go twice.
    """
    record, has_ended = AnswerRecorder.record, asyncio.Event()

    async def heard_late(recorder: AnswerRecorder, answered: Sequence[AnsweredMessage]) -> None:
        await record(recorder, answered)
        await asyncio.sleep(1)
        has_ended.set()

    monkeypatch.setattr(AnswerRecorder, "record", heard_late)
    async with bank.plain.transaction() as transaction:
        for priority, settings in enumerate(('{"refused": 1.0, "submit_ms": 0}', '{"submit_ms": 6000}'), 1):
            carrier_id = await carriers.add_carrier(transaction, f"in-turn-{priority}", "simulator", settings)
            await routes.set_route(transaction, RouteScope(prefix="44"), carrier_id=carrier_id, priority=priority)
    for board in bank.boards:
        await board._read()
    (message_id,) = await bank.send(0, await bank.account(balance=10_000_000), [group("44", 1)])

    async def second_claim() -> list[Any]:
        return await bank.query(
            "SELECT claimed_at FROM queue WHERE message_id = $1 AND attempts = 2 AND claimed_by = $2", message_id, OWNER
        )

    (row,) = await until(second_claim, lambda found: len(found) == 1)
    await has_ended.wait()
    await asyncio.sleep(0.2)
    assert fleet._marks.may_have_left(EndedClaim(message_id, OWNER, row["claimed_at"]))
