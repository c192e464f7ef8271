"""People who request a code again are read from messages, and routes of an app that reports nothing follow them."""

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from homing.accounts.profile import Profile
from homing.aggregation.aggregator import Aggregator
from homing.aggregation.repeat_reader import REPEAT_LAG_S, RepeatReader
from homing.aggregation.routing_listener import RoutingListener
from homing.guard.snapshot import GuardSnapshot
from homing.learning.repeats import REPEAT_READ_S
from homing.states import MessageState
from homing.statistics.delta import Delta
from tests.scenario.test_adaptive_routing import account, bank  # noqa: F401 - fixtures
from tests.support.bank import Bank, group

LEFT = """
UPDATE message SET state = $2::int, sent_at = accepted_at(message_id),
    final_at = CASE WHEN $2::int = 2 THEN NULL ELSE accepted_at(message_id) + interval '8 s' END
WHERE message_id = ANY ($1::bigint[])
"""


async def become(bank: Bank, message_ids: list[int], state: MessageState) -> None:  # noqa: F811
    await bank.query(LEFT, message_ids, state)


async def read_all(
    reader: RepeatReader,
    bank: Bank,  # noqa: F811
    wanted: Mapping[tuple[int, str], float],
    now_s: float,
) -> list[Delta]:
    """The past is read in parts."""
    parts = [await reader.read(bank.databases[0], wanted, now_s) for _part in range(8)]
    return [delta for part in parts for delta in part]


async def test_a_message_is_repeated_once_by_the_next_request_of_its_number(
    bank: Bank,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    first = await bank.send(0, account, [group("86", 10)])
    await become(bank, first[:3], MessageState.UNDELIVERABLE)
    await become(bank, first[3:], MessageState.SENT)
    again = await bank.send(0, account, [group("86", 5)])
    third = await bank.send(0, account, [group("86", 2)])
    await become(bank, [*again, *third], MessageState.SENT)
    resent = await bank.send(0, account, [group("86", 6)])
    await bank.query("UPDATE message SET is_resent = true WHERE message_id = ANY ($1::bigint[])", resent)

    reader, now_s = RepeatReader(), time.time() + REPEAT_LAG_S + 1.0
    wanted = {(account.account_id, account.name): now_s - 600.0}
    repeats = await read_all(reader, bank, wanted, now_s)
    assert sum(delta.repeated for delta in repeats) == 5, "a number counts once, and codes that are sent again do not"
    assert sum(delta.repeated_lost for delta in repeats) == 3
    (row,) = await bank.query(
        "SELECT DISTINCT country, mcc || mnc AS network FROM message WHERE message_id = ANY ($1::bigint[])", first
    )
    assert {(delta.country, delta.network, delta.repeat_bucket) for delta in repeats} == {(*row.values(), 0)}
    assert await reader.read(bank.databases[0], wanted, now_s + REPEAT_READ_S) == [], "each is read once"
    other = {(account.account_id + 1, account.name): now_s - 600.0}
    assert await read_all(RepeatReader(), bank, other, now_s) == []


async def test_what_cannot_be_read_is_left_out_and_stops_no_learning(
    bank: Bank,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    await become(bank, await bank.send(0, account, [group("86", 3)]), MessageState.SENT)
    await become(bank, await bank.send(0, account, [group("86", 3)]), MessageState.SENT)
    reader, now_s = RepeatReader(), time.time() + REPEAT_LAG_S + 1.0
    wanted = {(account.account_id, account.name): now_s - 60.0}
    await bank.query("ALTER TABLE message RENAME TO message_away")
    try:
        assert await reader.read(bank.databases[0], wanted, now_s) == ()
    finally:
        await bank.query("ALTER TABLE message_away RENAME TO message")
    assert await reader.read(bank.databases[0], wanted, now_s + REPEAT_READ_S) == []
    assert sum(delta.repeated for delta in await RepeatReader().read(bank.databases[0], wanted, now_s)) == 3


async def test_an_app_that_reports_nothing_is_judged_by_people_who_ask_again(
    bank: Bank,  # noqa: F811
    account: Profile,  # noqa: F811
) -> None:
    first = await bank.send(0, account, [group("86", 60)])
    await become(bank, first, MessageState.SENT)
    await bank.query(
        "UPDATE stat_delta AS d SET sent = submitted FROM message AS m WHERE m.account_id = d.account_id"
        " AND m.message_id = ANY ($1::bigint[])",
        first,
    )
    await become(bank, await bank.send(0, account, [group("86", 40)]), MessageState.SENT)
    board = bank.boards[0]
    listener = RoutingListener(lambda: board.catalogue, random.Random(1), GuardSnapshot)
    aggregator = Aggregator(
        database=bank.databases[0],
        owner="elsewhere:1:link",
        clock=lambda: datetime.now(UTC),
        listeners={"learner": lambda: listener},
    )
    while await aggregator.run_round():
        pass
    for later_s in range(20, 200, 6):  # the last half hour is read in parts
        listener.advance(time.time() + later_s)
        await listener.save(bank.databases[0])
    (cell,) = [cell for cell in listener.learner.active_cells() if cell.network]
    carrier_ids = [row["carrier_id"] for row in await bank.query("SELECT DISTINCT carrier_id FROM message")]
    assert {posterior.source for posterior in listener.learner.posteriors(cell, carrier_ids)} == {"repeats"}
    await aggregator.release()
