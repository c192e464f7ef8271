"""A carrier's answer that comes after its submit was said to have none: what it still changes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from homing import limits
from homing.dialects.registry import DIALECTS
from homing.model import LateAnswer, Outcome
from homing.receipts.late_answers import LateAnswers
from homing.states import MessageState
from tests.support import server as serving
from tests.support.receipts import PostRoom

RETRY = timedelta(seconds=30)


@pytest.fixture(scope="module")
async def post(postgres: str, worker: str) -> AsyncIterator[PostRoom]:
    opened = await PostRoom.open(await serving.migrated_database(postgres, f"late_{worker}"))
    yield opened
    await opened.close()


@pytest.fixture
async def carrier(post: PostRoom) -> int:
    return await post.carrier()


async def unanswered(post: PostRoom, carrier: int, *, waits: bool, segments: int = 1) -> int:
    """A message whose submit had no answer. `waits`: for its end; else to go again, as a code does."""
    message_id = await post.submit(carrier, segments=segments)
    await post.sql("UPDATE queue SET attempts = 1, due_at = $1 WHERE message_id = $2", post.now + RETRY, message_id)
    await post.answer(message_id, carrier, [], outcome=Outcome.UNKNOWN, waits=waits)
    return message_id


async def hear(post: PostRoom, carrier: int, message_id: int, *refs: str, attempt: int = 1) -> None:
    late = LateAnswers(post.database, post.clock, DIALECTS)
    await late.store(carrier, [LateAnswer(1, message_id, attempt, refs[0], refs if len(refs) > 1 else ())])


async def refs(post: PostRoom, message_id: int) -> tuple[str | None, str | None]:
    (row,) = await post.sql("SELECT carrier_ref FROM attempt WHERE message_id = $1 AND attempt = 1", message_id)
    return row["carrier_ref"], (await post.message(message_id))["carrier_ref"]


async def test_a_code_that_waits_to_go_again_does_not_go(post: PostRoom, carrier: int) -> None:
    message_id = await unanswered(post, carrier, waits=False)
    await hear(post, carrier, message_id, f"{carrier}-A")
    message = await post.message(message_id)
    assert message["state"] == MessageState.SENT
    assert await refs(post, message_id) == (f"{carrier}-A", f"{carrier}-A")
    assert await post.waits_until(message_id) == message["expires_at"] + timedelta(seconds=limits.EXPIRY_GRACE_S)
    await post.report(carrier, f"{carrier}-A", number=None)
    assert await post.state(message_id) == MessageState.DELIVERED


async def test_a_code_that_was_to_go_by_another_carrier_stays_with_the_one_that_has_it(
    post: PostRoom, carrier: int
) -> None:
    message_id, other = await unanswered(post, carrier, waits=False), await post.carrier()
    await post.sql("UPDATE message SET carrier_id = $1 WHERE message_id = $2", other, message_id)
    await post.sql("UPDATE queue SET lane = $1 WHERE message_id = $2", other * limits.LANES_PER_CARRIER, message_id)
    await hear(post, carrier, message_id, f"{carrier}-A")
    message = await post.message(message_id)
    assert (message["state"], message["carrier_id"]) == (MessageState.SENT, carrier)
    assert await post.waits_until(message_id) is not None


async def test_what_is_under_way_again_stays_so_and_its_first_attempt_has_its_id(post: PostRoom, carrier: int) -> None:
    message_id = await unanswered(post, carrier, waits=False)
    await post.sql("UPDATE queue SET attempts = 2, claimed_by = 'a process' WHERE message_id = $1", message_id)
    await hear(post, carrier, message_id, f"{carrier}-A")
    assert await post.state(message_id) == MessageState.QUEUED
    assert await refs(post, message_id) == (f"{carrier}-A", None)
    assert await post.waits_until(message_id) is None
    await post.report(carrier, f"{carrier}-A", number=None)
    assert await post.state(message_id) == MessageState.DELIVERED


async def test_a_message_that_is_unknown_has_the_id_by_which_its_receipt_finds_it(post: PostRoom, carrier: int) -> None:
    message_id = await unanswered(post, carrier, waits=True)
    await hear(post, carrier, message_id, f"{carrier}-A")
    assert await post.state(message_id) == MessageState.UNKNOWN  # never backwards
    assert await refs(post, message_id) == (f"{carrier}-A", f"{carrier}-A")
    await post.report(carrier, f"{carrier}-A", MessageState.UNDELIVERABLE, number=None)
    assert await post.state(message_id) == MessageState.UNDELIVERABLE


async def test_a_long_messages_late_answers_name_all_of_its_parts(post: PostRoom, carrier: int) -> None:
    message_id = await unanswered(post, carrier, waits=False, segments=2)
    await hear(post, carrier, message_id, f"{carrier}-A", f"{carrier}-B")
    await post.report(carrier, f"{carrier}-A", number=None)
    assert await post.state(message_id) == MessageState.SENT
    await post.report(carrier, f"{carrier}-B", number=None)
    assert await post.state(message_id) == MessageState.DELIVERED


async def test_an_answer_for_what_has_one_or_has_ended_changes_nothing(post: PostRoom, carrier: int) -> None:
    taken = await post.sent(carrier, f"{carrier}-A")
    ended = await unanswered(post, carrier, waits=True)
    await post.sql("UPDATE message SET state = 4 WHERE message_id = $1", ended)
    await post.sql("DELETE FROM queue WHERE message_id = $1", ended)
    for message_id in (taken, ended, 12345):
        await hear(post, carrier, message_id, f"{carrier}-B")
        await hear(post, carrier, message_id, f"{carrier}-C", attempt=2)
    assert (await post.state(taken), await refs(post, taken)) == (MessageState.SENT, (f"{carrier}-A", f"{carrier}-A"))
    assert (await post.state(ended), await refs(post, ended)) == (MessageState(4), (f"{carrier}-B", None))
