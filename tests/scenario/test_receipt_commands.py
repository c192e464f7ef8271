"""`homing receipt`: what operators see of receipts without a message, and how they try them again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from click.testing import CliRunner

from homing import limits
from homing.cli import main
from homing.receipts.id_formats import IdFormat
from homing.receipts.learnt_formats import CONFIRMATIONS_MIN
from homing.states import MessageState
from homing.store.queue_depths import queue_depths
from tests.support import server as serving
from tests.support.receipts import NUMBER, PostRoom
from tests.support.waiting import until

OTHER = "447700900999"
Homing = Callable[..., Any]


@pytest.fixture(scope="module")
async def dsn(postgres: str, worker: str) -> str:
    return await serving.migrated_database(postgres, f"receipt_commands_{worker}")


@pytest.fixture
async def post(dsn: str) -> AsyncIterator[PostRoom]:
    """With three receipts that were given up, of two carriers, and one that still waits."""
    opened = await PostRoom.open(dsn)
    yield opened
    await opened.sql(
        "TRUNCATE message, attempt, part, receipt, queue, parked_receipt, id_format, balance, account, carrier"
        " RESTART IDENTITY CASCADE"
    )
    await opened.close()


@pytest.fixture
async def carriers(post: PostRoom) -> tuple[int, int]:
    one, two = await post.carrier(), await post.carrier()
    await post.report(one, "stray-1", error="069", number=None)
    await post.report(one, "stray-2", MessageState.UNDELIVERABLE)
    await post.report(two, "stray-3")
    await post.wait_trying(limits.RECEIPT_PARK_S_MAX + 30)
    await post.report(two, "waiting")
    return one, two


@pytest.fixture
def homing(dsn: str, tmp_path: Any) -> Homing:
    """Runs `homing receipt ...` and gives its JSON, or with a status its one line of error."""

    async def run(*words: str, status: int = 0) -> Any:
        result = await asyncio.to_thread(
            CliRunner().invoke,
            main,
            ["receipt", *words, *([] if status else ["--json"])],
            env={"HOMING_DATA": str(tmp_path), "HOMING_DATABASE_URL": dsn},
            prog_name="homing",
        )
        assert result.exit_code == status, result.output
        return result.stderr if status else json.loads(result.stdout)

    return run


def refs(rows: list[dict[str, Any]]) -> list[str]:
    return [row["carrier_ref"] for row in rows]


async def test_the_list_has_those_that_were_given_up_newest_first(homing: Homing, carriers: tuple[int, int]) -> None:
    rows = await homing("list")
    assert refs(rows) == ["stray-3", "stray-2", "stray-1"]
    assert (rows[2]["carrier"], rows[2]["state"], rows[2]["error_code"]) == ("carrier-1", "delivered", "069")
    assert [row["number"] for row in rows] == [NUMBER, NUMBER, None]
    assert refs(await homing("list", "--carrier", "carrier-2")) == ["stray-3"]
    assert refs(await homing("list", "--carrier", "1", "--limit", "1")) == ["stray-2"]


async def test_since_is_a_time_or_a_span(homing: Homing, carriers: tuple[int, int], post: PostRoom) -> None:
    await post.sql("UPDATE parked_receipt SET received_at = now() - interval '3 h' WHERE carrier_ref = 'stray-1'")
    assert len(await homing("list", "--since", "1d")) == 3
    assert refs(await homing("list", "--since", "2h")) == ["stray-3", "stray-2"]
    assert await homing("list", "--since", "2100-01-01T10:00") == []
    assert len(await homing("list", "--since", "2020-01-01")) == 3
    assert "is not a time" in await homing("list", "--since", "yesterday", status=2)
    assert "is not a time" in await homing("list", "--since", "999999d", status=2)


async def test_the_count_is_by_carrier(homing: Homing, carriers: tuple[int, int]) -> None:
    assert [(row["carrier"], row["unmatched"]) for row in await homing("count")] == [("carrier-1", 2), ("carrier-2", 1)]
    assert [row["unmatched"] for row in await homing("count", "--carrier", "carrier-2")] == [1]
    assert await homing("count", "--since", "2100-01-01") == []


async def test_metrics_tell_how_many_there_are_by_carrier(post: PostRoom, carriers: tuple[int, int]) -> None:
    families = {family.name: family for family in await queue_depths(post.database)}
    counts = {sample.labels["carrier"]: sample.value for sample in families["homing_unmatched_receipts"].samples}
    assert counts == {"carrier-1": 2, "carrier-2": 1}
    kinds = {sample.labels["kind"]: sample.value for sample in families["homing_waiting"].samples}
    assert (kinds["receipts_parked"], kinds["receipts_unmatched"]) == (1, 3)


async def test_one_is_shown_with_the_messages_that_its_id_could_mean(
    homing: Homing, carriers: tuple[int, int], post: PostRoom
) -> None:
    one, _two = carriers
    await post.sql(
        "INSERT INTO id_format (carrier_id, format, confirmed) VALUES ($1, 'decimal', $2)",
        one,
        CONFIRMATIONS_MIN,
    )
    other = await post.sent(one, "1E240", number=OTHER)
    await post.sent(one, "abc", "123456", number=OTHER)
    await post.report(one, "123456")
    await post.wait_trying(limits.RECEIPT_PARK_S_MAX + 30)
    (row,) = [row for row in await homing("list") if row["carrier_ref"] == "123456"]
    shown = await homing("show", str(row["parked_id"]))
    assert shown["carrier_ref"] == "123456"
    assert shown["learnt_format"] == f"{IdFormat.DECIMAL}, confirmed {CONFIRMATIONS_MIN} times"
    told = [(one["carrier_ref"], one["part"], one["format"], one["check"]) for one in shown["possible_messages"]]
    assert told == [
        ("123456", 2, "same", "the receipt has a different number"),
        ("1E240", 0, "decimal", "the receipt has a different number"),
    ]
    assert shown["possible_messages"][1]["message_id"] == other
    assert "there is no unmatched receipt 99" in await homing("show", "99", status=1)


async def test_a_replayed_receipt_is_tried_as_if_it_had_just_come(
    homing: Homing, carriers: tuple[int, int], post: PostRoom
) -> None:
    one, _two = carriers
    message_id = await post.sent(one, "stray-1")
    assert await homing("replay", "1") == {"replayed": 1}
    assert refs(await homing("list")) == ["stray-3", "stray-2"]
    post.wait(1)
    await post.retry()
    assert await post.state(message_id) is MessageState.DELIVERED
    row = await post.message(message_id)
    assert row["error_code"] == "069"


async def test_all_of_a_carrier_are_replayed_at_once(homing: Homing, carriers: tuple[int, int], post: PostRoom) -> None:
    assert await homing("replay", "--all", "--carrier", "carrier-1") == {"replayed": 2}
    assert await homing("replay", "--all", "--carrier", "carrier-1") == {"replayed": 0}
    rows = await post.sql("SELECT carrier_ref, replays, given_up_at FROM parked_receipt ORDER BY parked_id")
    assert [(row["replays"], row["given_up_at"] is None) for row in rows] == [
        (1, True),
        (1, True),
        (0, False),
        (0, True),
    ]
    assert await homing("replay", "--all") == {"replayed": 1}


async def test_dropped_receipts_are_gone_and_those_that_still_wait_are_not(
    homing: Homing, carriers: tuple[int, int], post: PostRoom
) -> None:
    assert await homing("drop", "--all", "--before", "1h") == {"dropped": 0}
    assert await homing("drop", "2") == {"dropped": 1}
    assert await homing("drop", "--all") == {"dropped": 2}
    assert await homing("list") == []
    rows = await post.sql("SELECT carrier_ref FROM parked_receipt")
    assert [row["carrier_ref"] for row in rows] == ["waiting"]


@pytest.mark.parametrize("verb", ["replay", "drop"])
async def test_what_is_meant_must_be_said(homing: Homing, carriers: tuple[int, int], verb: str) -> None:
    assert "or --all" in await homing(verb, status=1)
    assert "or --all" in await homing(verb, "1", "--all", status=1)
    assert "no unmatched receipt has the ID 77" in await homing(verb, "77", status=1)
    assert "no unmatched receipt has the ID 4" in await homing(verb, "4", status=1), "it still waits"
    assert "carrier 'nobody' does not exist" in await homing(verb, "--all", "--carrier", "nobody", status=1)


async def test_the_background_work_tries_learns_and_forgets_by_itself(
    post: PostRoom, carriers: tuple[int, int]
) -> None:
    one, _two = carriers
    await post.sql("UPDATE parked_receipt SET given_up_at = now() - interval '31 d' WHERE carrier_ref = 'stray-2'")
    message_id = await post.submit(one)
    working = asyncio.create_task(post.inboxes[0].retry_parked())
    try:
        await post.report(one, "early-bird")
        await post.answer(message_id, one, ["early-bird"])

        async def later() -> MessageState:
            post.wait(0.2)
            return await post.state(message_id)

        await until(later, lambda state: state is MessageState.DELIVERED)
        await until(lambda: post.parked(one), lambda parked: "stray-2" not in [row["carrier_ref"] for row in parked])
        assert not working.done()
    finally:
        working.cancel()
