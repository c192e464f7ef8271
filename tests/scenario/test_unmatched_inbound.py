"""Whose a reply is when carriers write addresses in their own way, and what becomes of one that is nobody's."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner

from homing.cli import main
from homing.common.ids import first_id_at
from homing.dialects.registry import DIALECTS
from homing.model import CarrierInbound
from homing.receipts.inbound_messages import INBOUND_UNMATCHED_DAYS, InboundMessages
from homing.store.database import INDEX_PLANS
from homing.store.queue_depths import queue_depths
from homing.text.numbers import Numbering
from tests.support import server as serving
from tests.support.receipts import PostRoom
from tests.support.statements import definition_of, in_order

PERSON = "4915112345678"
NUMBERING = Numbering.load()


@pytest.fixture(scope="module")
async def dsn(postgres: str, worker: str) -> str:
    return await serving.migrated_database(postgres, f"unmatched_inbound_{worker}")


@pytest.fixture
async def post(dsn: str) -> AsyncIterator[PostRoom]:
    opened = await PostRoom.open(dsn)
    yield opened
    await opened.sql(
        "TRUNCATE message, attempt, part, receipt, queue, inbound, unmatched_inbound, sender, balance, account, carrier"
        " RESTART IDENTITY CASCADE"
    )
    await opened.close()


@pytest.fixture
def mail(post: PostRoom) -> InboundMessages:
    numbers = itertools.count()
    return InboundMessages(
        database=post.database,
        numbering=NUMBERING,
        next_id=lambda: first_id_at(int(post.now.timestamp() * 1000)) + next(numbers),
        dialects=DIALECTS,
    )


async def inbound(post: PostRoom) -> list[tuple[str, str, str]]:
    rows = await post.sql("SELECT number, recipient, content FROM inbound ORDER BY inbound_id")
    return [(row["number"], row["recipient"], row["content"]) for row in rows]


async def unmatched(post: PostRoom) -> list[asyncpg.Record]:
    return await post.sql("SELECT * FROM unmatched_inbound ORDER BY unmatched_id")


def said(number: str, recipient: str, content: str = "STOP", ref: str = "") -> CarrierInbound:
    return CarrierInbound(number, recipient, content, datetime.now(UTC), ref)


@pytest.mark.parametrize(
    ("sender", "number", "recipient"),
    [
        ("+447700900777", PERSON, "447700900777"),
        ("447700900888", PERSON, "+447700900888"),
        ("447700900888", PERSON, "00447700900888"),
        ("447700900888", PERSON, "+44 7700 900-888"),
        ("447400123456", PERSON, "07400123456"),
        ("12345", PERSON, "+12345"),
        ("+12345", PERSON, "12345"),
        ("LIASMART", PERSON, "liasmart"),
        ("LiaSmart", PERSON, " LIASMART"),
        ("HOMING", f"+{PERSON}", "HOMING"),
        ("HOMING", f"00{PERSON}", "HOMING"),
        ("HOMING", f"0{PERSON[2:]}", "HOMING"),
        ("HOMING", PERSON[2:], "homing"),
    ],
)
async def test_a_reply_reaches_its_account_however_the_carrier_writes_the_addresses(
    post: PostRoom, mail: InboundMessages, sender: str, number: str, recipient: str
) -> None:
    carrier = await post.carrier()
    await post.sql("INSERT INTO sender (account_id, sender) VALUES (1, $1)", sender)
    await post.submit(carrier, PERSON, sender=sender)
    await mail.store(carrier, [said(number, recipient)])
    assert await inbound(post) == [(PERSON, sender, "STOP")]
    assert await unmatched(post) == []


async def test_a_national_number_that_may_be_of_two_countries_is_nobodys(post: PostRoom, mail: InboundMessages) -> None:
    carrier = await post.carrier()
    await post.sql("INSERT INTO sender (account_id, sender) VALUES (1, 'HOMING')")
    twins = list(NUMBERING.in_countries("612345678"))[:2]
    for number in twins:
        await post.submit(carrier, number, sender="HOMING")
    await mail.store(carrier, [said("0612345678", "HOMING")])
    assert await inbound(post) == []
    assert len(await unmatched(post)) == 1
    await mail.store(carrier, [said(twins[1], "HOMING")])
    assert await inbound(post) == [(twins[1], "HOMING", "STOP")]


async def test_a_person_who_was_never_written_to_and_a_sender_that_nobody_has_are_kept_once(
    post: PostRoom, mail: InboundMessages
) -> None:
    carrier = await post.carrier()
    await post.sql("INSERT INTO sender (account_id, sender) VALUES (1, 'HOMING')")
    await mail.store(carrier, [said(PERSON, "HOMING", "a", "ref-1"), said(PERSON, "NOBODY\0", "b\0", "")])
    await mail.store(carrier, [said(PERSON, "HOMING", "a", "ref-1"), said(PERSON, "HOMING", "other", "ref-1")])
    kept = [(row["number"], row["recipient"], row["content"]) for row in await unmatched(post)]
    assert kept == [(PERSON, "HOMING", "a"), (PERSON, "NOBODY", "b"), (PERSON, "HOMING", "other")]
    waiting = next(metric for metric in await queue_depths(post.database) if metric.name == "homing_waiting")
    assert {s.labels["kind"]: s.value for s in waiting.samples}["inbound_unmatched"] == 3


async def test_operators_list_replay_and_drop_what_is_nobodys(
    post: PostRoom, mail: InboundMessages, dsn: str, tmp_path: Path
) -> None:
    async def homing(*words: str) -> Any:
        run = await asyncio.to_thread(
            CliRunner().invoke,
            main,
            ["reply", *words, "--json"],
            env={"HOMING_DATA": str(tmp_path), "HOMING_DATABASE_URL": dsn},
        )
        assert run.exit_code == 0, run.output
        return json.loads(run.stdout)

    carrier = await post.carrier()
    await mail.store(carrier, [said(PERSON, "LATE", "yes"), said(PERSON, "NEVER", "no")])
    assert [row["content"] for row in await homing("list")] == ["no", "yes"]
    assert [row["messages"] for row in await homing("count")] == [2]
    await post.sql("INSERT INTO sender (account_id, sender) VALUES (1, 'LATE')")
    await post.submit(carrier, PERSON, sender="LATE")
    assert await mail.replay_due() == 0, "nobody has asked"
    assert await homing("replay", "--all") == {"replayed": 2}
    assert await mail.replay_due() == 2
    assert await mail.replay_due() == 0
    assert await inbound(post) == [(PERSON, "LATE", "yes")]
    (left,) = await unmatched(post)
    assert (left["recipient"], left["replays"], left["replay_at"]) == ("NEVER", 1, None)
    assert await homing("drop", str(left["unmatched_id"])) == {"dropped": 1}
    assert await unmatched(post) == []
    acts = [row["act"] for row in await post.sql("SELECT act FROM audit WHERE kind = 'reply' ORDER BY audit_id")]
    assert acts == ["replay", "delete"]


async def test_what_is_nobodys_is_forgotten_after_its_time_and_beyond_its_bound(
    post: PostRoom, mail: InboundMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = await post.carrier()
    await mail.store(carrier, [said(PERSON, "NOBODY", str(n)) for n in range(5)])
    await post.sql(
        "UPDATE unmatched_inbound SET kept_at = now() - make_interval(days => $1) WHERE content = '4'",
        INBOUND_UNMATCHED_DAYS + 1,
    )
    monkeypatch.setattr("homing.receipts.inbound_messages.INBOUND_UNMATCHED_MESSAGES_MAX", 3)
    await mail.delete_old()
    assert [row["content"] for row in await unmatched(post)] == ["2", "3"]


async def test_the_owner_of_a_reply_is_found_by_indexes_alone(dsn: str, post: PostRoom) -> None:
    connection = await asyncpg.connect(dsn, server_settings=dict(INDEX_PLANS))
    try:
        await connection.execute(f"PREPARE owner AS {definition_of('inbound_owner').text}")
        values = {"numbers": "'{1,2}'", "senders": "'{a,b}'", "bound_days": "1", "recipient": "'a'"}
        given = ", ".join(in_order("inbound_owner", values))
        rows = await connection.fetch(f"EXPLAIN EXECUTE owner ({given})")
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on message" not in plan, plan
    assert "Seq Scan on sender" not in plan, plan
    assert "sender_spelling" in plan, plan
