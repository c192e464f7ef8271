"""What is blanked when an account's retention is over, and what is not."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from homing import limits
from homing.common.ids import first_id_at
from homing.dialects.registry import DIALECTS
from homing.model import CarrierInbound
from homing.receipts.inbound_messages import InboundMessages
from homing.store import statements
from homing.text.numbers import Numbering
from tests.support import server as serving
from tests.support.receipts import NUMBER, SENDER, PostRoom

RETENTION_DAYS = 20


@pytest.fixture
async def post(postgres: str, worker: str) -> AsyncIterator[PostRoom]:
    """At a time before an account's retention."""
    then = datetime.now(UTC) - timedelta(days=RETENTION_DAYS + 2)
    opened = await PostRoom.open(await serving.migrated_database(postgres, f"retention_{worker}"), then)
    yield opened
    await opened.close()


async def test_texts_are_blanked_after_the_retention_wherever_they_stand(post: PostRoom) -> None:
    carrier, numbers = await post.carrier(), itertools.count()
    await post.sql("INSERT INTO sender (account_id, sender) VALUES (1, $1)", SENDER)

    def reply_id() -> int:
        return first_id_at(int(post.now.timestamp() * 1000)) + next(numbers)

    mail = InboundMessages(database=post.database, numbering=Numbering.load(), next_id=reply_id, dialects=DIALECTS)
    for age in ("old", "new"):
        if age == "new":
            post.wait((RETENTION_DAYS + 2) * 86_400)
        message_id = await post.sent(carrier, f"ref-{age}")
        await post.sql("UPDATE message SET text = $1 WHERE message_id = $2", age, message_id)
        await post.report(carrier, f"ref-{age}")
        await post.report(carrier, f"nobody-{age}")
        await mail.store(carrier, [CarrierInbound(NUMBER, SENDER, age, post.now)])
    await post.sql("UPDATE parked_receipt SET given_up_at = now()")
    await statements.messages.retention_blank(post.database, receipt_days=limits.RECEIPT_MATCH_DAYS)
    assert "" not in [row["raw"] for row in await post.parked(carrier)], "no account wants anything forgotten yet"
    await post.sql("INSERT INTO account (name, queries_per_s, retention_days) VALUES ('other', 1, 300)")
    await post.sql("UPDATE account SET retention_days = $1 WHERE account_id = 1", RETENTION_DAYS)
    await statements.messages.retention_blank(post.database, receipt_days=limits.RECEIPT_MATCH_DAYS)
    texts = [row["text"] for row in await post.sql("SELECT text FROM message ORDER BY message_id")]
    quotes = [bool(row["raw"]) for row in await post.sql("SELECT raw FROM receipt ORDER BY message_id")]
    replies = [row["content"] for row in await post.sql("SELECT content FROM inbound ORDER BY received_at")]
    assert (texts, quotes, replies) == (["", "new"], [False, True], ["", "new"])
    assert [bool(row["raw"]) for row in await post.parked(carrier)] == [False, True]


async def test_a_receipt_that_comes_for_a_blanked_message_is_blanked_too(post: PostRoom) -> None:
    carrier = await post.carrier()
    await post.sql("UPDATE account SET retention_days = $1", RETENTION_DAYS)
    message_id = await post.sent(carrier, "ref")
    await statements.messages.retention_blank(post.database, receipt_days=limits.RECEIPT_MATCH_DAYS)
    await post.report(carrier, "ref")
    await statements.messages.retention_blank(post.database, receipt_days=limits.RECEIPT_MATCH_DAYS)
    assert [row["raw"] for row in await post.sql("SELECT raw FROM receipt WHERE message_id = $1", message_id)] == [""]
