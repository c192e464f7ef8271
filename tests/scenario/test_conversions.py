"""Whose a conversion is: of several messages to a person one has the credit, and the others are marked with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from homing.common import ids
from homing.common.histogram import BUCKETS, EDGES_S, bucket_of
from homing.conversions.recorder import CREDIT_S, ConversionOutcome, ConversionRecorder
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.messages.timeline import find_message, read_timeline
from homing.states import MessageState
from homing.store import statements
from homing.store.statements.dispatch import MessageReroute
from tests.support.receipts import NUMBER, PostRoom
from tests.support.server import migrated_database

RECORDED, REPEATED = ConversionOutcome.RECORDED, ConversionOutcome.REPEATED
ANOTHER = "447700900999"


class Desk:
    """A customer who reports, at the room's time."""

    def __init__(self, room: PostRoom) -> None:
        self.room = room
        self.feedback = ConversionRecorder(room.database, room.clock)
        self.carrier = 0
        self.count = 0

    async def deliver(
        self, state: MessageState | None = MessageState.DELIVERED, *, number: str = NUMBER, app: str = ""
    ) -> int:
        """A message that has come so far; None: it is on its way."""
        self.count += 1
        ref = f"{self.carrier}-{self.count}"
        message_id = await self.room.sent(self.carrier, ref, number=number)
        await self.room.sql("UPDATE message SET app_id = $1 WHERE message_id = $2", app, message_id)
        if state is not None:
            await self.room.report(self.carrier, ref, state, number=number)
        return message_id

    async def report(self, message_id: int, at: datetime | None = None) -> ConversionOutcome:
        return await self.feedback.report(1, message_id, LIA, at)

    async def credited(self) -> dict[int, int]:
        """What has a credit, and the message that the report was about."""
        rows = await self.room.sql("SELECT message_id, credited_by FROM conversion WHERE credited_at IS NOT NULL")
        return {row["message_id"]: row["credited_by"] for row in rows}

    async def row(self, message_id: int) -> asyncpg.Record:
        (row,) = await self.room.sql("SELECT * FROM conversion WHERE message_id = $1", message_id)
        return row

    async def deltas(self) -> list[tuple[int, int]]:
        """Of conversions: the carrier and the bucket."""
        rows = await self.room.sql("SELECT carrier_id, conversion_bucket FROM stat_delta WHERE converted IS NOT NULL")
        return [(row[0], row[1]) for row in rows]

    async def told(self, message_id: int) -> str:
        async with self.room.database.transaction() as connection:
            message = await find_message(connection, message_id)
            assert message is not None
            moments = await read_timeline(connection, message, DIALECTS)
        return "\n".join(f"{moment.what}: {moment.detail}" for moment in moments)


@pytest.fixture(scope="module")
async def office(postgres: str, worker: str) -> AsyncIterator[PostRoom]:
    opened = await PostRoom.open(await migrated_database(postgres, f"conversions_{worker}"))
    yield opened
    await opened.close()


@pytest.fixture
async def desk(office: PostRoom) -> Desk:
    await office.sql("TRUNCATE message, attempt, receipt, queue, conversion, stat_delta")
    found = Desk(office)
    found.carrier = await office.carrier()
    return found


async def test_a_message_alone_has_the_credit_for_its_own_report(desk: Desk) -> None:
    message_id = await desk.deliver()
    desk.room.wait(90)
    assert await desk.report(message_id) is RECORDED
    assert await desk.report(message_id) is REPEATED
    assert await desk.credited() == {message_id: message_id}
    assert await desk.deltas() == [(desk.carrier, bucket_of(90))]
    assert "reported through lia; attributed to this message" in await desk.told(message_id)


async def test_of_two_to_one_person_the_last_delivered_has_the_credit_whichever_is_reported(desk: Desk) -> None:
    first = await desk.deliver()
    desk.room.wait(40)
    second = await desk.deliver()
    desk.room.wait(20)
    assert await desk.report(first) is RECORDED
    assert await desk.credited() == {second: first}
    assert f"attributed to message {second}, which reached this number later" in await desk.told(first)
    assert f"attributed: conversion reported for message {first}" in await desk.told(second)
    assert await desk.report(second) is RECORDED, "its own first report"
    assert await desk.report(second) is REPEATED
    assert await desk.credited() == {second: first}, "and no second credit"
    assert len(await desk.deltas()) == 1


async def test_two_reports_that_come_together_give_one_credit(desk: Desk) -> None:
    first = await desk.deliver()
    second = await desk.deliver()
    assert await asyncio.gather(*(desk.report(one) for one in (first, second, first))) == [RECORDED, RECORDED, REPEATED]
    assert list(await desk.credited()) == [second]
    assert len(await desk.deltas()) == 1


async def test_a_person_who_comes_back_twice_is_counted_twice(desk: Desk) -> None:
    """The second message was not there when the first was reported."""
    first = await desk.deliver()
    desk.room.wait(60)
    await desk.report(first)
    desk.room.wait(600)
    second = await desk.deliver()
    desk.room.wait(60)
    await desk.report(second)
    assert await desk.credited() == {first: first, second: second}


async def test_a_repeated_report_gives_no_credit_to_a_later_message(desk: Desk) -> None:
    first = await desk.deliver()
    await desk.report(first)
    desk.room.wait(600)
    await desk.deliver()
    assert await desk.report(first) is REPEATED
    assert await desk.credited() == {first: first}


@pytest.mark.parametrize("apart_s", [CREDIT_S - 1, CREDIT_S + 1])
async def test_messages_more_than_an_hour_apart_are_of_different_visits(desk: Desk, apart_s: int) -> None:
    first = await desk.deliver()
    desk.room.wait(apart_s)
    second = await desk.deliver()
    desk.room.wait(10)
    await desk.report(first)
    assert list(await desk.credited()) == [second if apart_s < CREDIT_S else first]


async def test_other_numbers_and_other_apps_are_other_people(desk: Desk) -> None:
    message_id = await desk.deliver()
    await desk.deliver(number=ANOTHER)
    await desk.deliver(app="another")
    await desk.report(message_id)
    assert list(await desk.credited()) == [message_id]


async def test_an_undelivered_message_gives_its_credit_to_the_one_that_came(desk: Desk) -> None:
    came = await desk.deliver()
    desk.room.wait(30)
    lost = await desk.deliver(MessageState.UNDELIVERABLE)
    desk.room.wait(30)
    await desk.report(lost)
    assert await desk.credited() == {came: lost}


async def test_where_none_has_a_receipt_the_last_on_its_way_has_the_credit(desk: Desk) -> None:
    await desk.deliver(MessageState.UNDELIVERABLE)
    under_way = await desk.deliver(None)
    failed = await desk.deliver(MessageState.UNDELIVERABLE)
    await desk.report(failed)
    assert await desk.credited() == {under_way: failed}


async def test_where_nothing_came_the_reported_one_has_the_credit_all_the_same(desk: Desk) -> None:
    reported = await desk.deliver(MessageState.UNDELIVERABLE)
    await desk.deliver(MessageState.UNDELIVERABLE)
    await desk.report(reported)
    assert await desk.credited() == {reported: reported}


async def test_a_message_that_was_sent_after_the_person_came_back_is_not_why(desk: Desk) -> None:
    first = await desk.deliver()
    desk.room.wait(30)
    came_back_at = desk.room.now
    desk.room.wait(30)
    await desk.deliver()
    await desk.report(first, came_back_at)
    assert await desk.credited() == {first: first}
    assert (await desk.row(first))["credited_at"] == came_back_at


@pytest.mark.parametrize("off", [timedelta(days=-400), timedelta(seconds=-1), timedelta(days=2)])
async def test_a_time_before_the_submit_or_in_the_future_counts_as_the_report_s(desk: Desk, off: timedelta) -> None:
    """The customer's clock is wrong: its word is kept and told, and not counted on."""
    message_id = await desk.deliver()
    submitted_at = desk.room.now
    desk.room.wait(100)
    await desk.report(message_id, submitted_at + off)
    row = await desk.row(message_id)
    assert row["reported_at"] == submitted_at + off
    assert row["credited_at"] == desk.room.now
    assert await desk.deltas() == [(desk.carrier, bucket_of(100))]


async def test_reports_in_bulk_long_after_count_for_the_time_of_their_messages(desk: Desk) -> None:
    minutes = {}
    for n in range(5):
        number = f"44770090{n:04d}"
        message_id = await desk.deliver(number=number)
        minutes[message_id] = int(desk.room.now.timestamp()) // 60
        desk.room.wait(61)
    desk.room.wait(80_000)
    for message_id in minutes:
        assert await desk.report(message_id) is RECORDED
    rows = await desk.room.sql("SELECT minute FROM stat_delta WHERE converted = 1")
    assert sorted(row["minute"] for row in rows) == sorted(minutes.values())
    assert {bucket for _carrier, bucket in await desk.deltas()} == {bucket_of(80_000)}


async def test_a_number_with_more_messages_than_anybody_gets_costs_no_more(desk: Desk) -> None:
    """A load test to one number: each report reads a thousand of them at most, and has its own message's credit."""
    await desk.room.sql(
        "INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country, mcc,"
        " mnc, sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id, carrier_id,"
        " expires_at, state)"
        " SELECT 1, $1::bigint + n, 1, 1, '', '', $2, '', '', '', '', '', 0, 1, 0, 0, 0, 0, 0, 1, now(), 3"
        " FROM generate_series(1, 20000) AS n",
        ids.first_id_at(int((desk.room.now - timedelta(minutes=5)).timestamp() * 1000)),
        NUMBER,
    )
    rows = await desk.room.sql("SELECT message_id FROM message ORDER BY message_id DESC LIMIT 400")
    started_s = time.monotonic()
    verdicts = await asyncio.gather(*(desk.report(row["message_id"]) for row in rows))
    assert set(verdicts) == {RECORDED}
    assert time.monotonic() - started_s < 10, "all 20,000 are read for each"
    assert set(await desk.credited()) == {row["message_id"] for row in rows}


async def test_another_account_s_message_is_unknown_and_gets_nothing(desk: Desk) -> None:
    message_id = await desk.deliver()
    assert await desk.feedback.report(2, message_id, LIA, None) is ConversionOutcome.UNKNOWN_MESSAGE
    assert await desk.credited() == {}


async def test_the_database_s_buckets_are_those_of_the_code(office: PostRoom) -> None:
    edges = [edge for edge in EDGES_S if edge < float("inf")]
    times = sorted({-5.0, 0.0, *edges, *(edge + 0.001 for edge in edges), *(edge - 0.001 for edge in edges), 1e7})
    for seconds in times:
        (row,) = await office.sql("SELECT stat_bucket($1) AS bucket", timedelta(seconds=seconds))
        assert row["bucket"] == bucket_of(seconds), seconds
    (row,) = await office.sql("SELECT cardinality(stat_times(3::smallint, 2)) AS buckets FROM account LIMIT 1")
    assert row["buckets"] == BUCKETS


async def test_a_late_receipt_of_the_carrier_that_lost_its_answer_moves_the_message_to_it(desk: Desk) -> None:
    """It went on to another carrier, which had not taken it yet: who delivered it is counted for it."""
    lost, other = desk.carrier, await desk.room.carrier()
    message_id = await desk.room.submit(lost)
    await desk.room.answer(message_id, lost, ["late-1"], waits=False)
    await statements.dispatch.messages_reroute(
        desk.room.database, moves=[MessageReroute(account_id=1, message_id=message_id, carrier_id=other)]
    )
    await desk.room.report(lost, "late-1")
    assert (await desk.room.message(message_id))["carrier_id"] == lost
    rows = await desk.room.sql(
        "SELECT carrier_id, sum(submitted) AS submitted, sum(sent) AS sent, sum(delivered) AS delivered"
        " FROM stat_delta GROUP BY 1"
    )
    found = {row["carrier_id"]: (row["submitted"], row["sent"], row["delivered"]) for row in rows}
    assert found == {lost: (0, 1, 1), other: (0, None, None)}
