"""Receipts find their messages: by any form of the id, by the number, early, late, in parts, after failover."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from homing import errors, limits
from homing.dialects.registry import DIALECTS
from homing.messages.timeline import find_message, read_timeline
from homing.model import CarrierReceipt, Outcome, Traffic
from homing.receipts.id_formats import IdFormat
from homing.receipts.inbox import RECEIPT_PARK_RETRY_S, IncomingReceipt
from homing.receipts.learnt_formats import CONFIRMATIONS_MIN, learnt_id_format
from homing.receipts.lookup import RECEIPT_UNANSWERED_S_MAX, part_candidates_of
from homing.receipts.parts import PART_GRACE_S, PartReport, take_parts
from homing.states import MessageState
from homing.store import statements
from homing.store.statements.dispatch import MessageRef, QueueKey
from tests.support import server as serving
from tests.support.receipts import NUMBER, PRICE_MICRO, SENDER, PostRoom

OTHER = "447700900999"
HELD_UP_S = 0.3
EARLY_S = RECEIPT_PARK_RETRY_S * 2


@pytest.fixture(scope="module")
async def post(postgres: str, worker: str) -> AsyncIterator[PostRoom]:
    opened = await PostRoom.open(await serving.migrated_database(postgres, f"receipts_{worker}"))
    yield opened
    await opened.close()


@pytest.fixture
async def carrier(post: PostRoom) -> int:
    return await post.carrier()


async def teach(post: PostRoom, carrier_id: int, form: IdFormat, count: int = CONFIRMATIONS_MIN) -> None:
    await post.sql("INSERT INTO id_format (carrier_id, format, confirmed) VALUES ($1, $2, $3)", carrier_id, form, count)
    for inbox in post.inboxes:
        await inbox.exchange_formats()


# --- ids and numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("learnt", [None, *IdFormat])
@pytest.mark.parametrize(
    ("answered", "reported"),
    [
        ("abc-123", "abc-123"),
        ("0A1B2C", "a1b2c"),
        ("a1b2c", "000A1B2C"),
        ("1e240", "123456"),
        ("123456", "1E240"),
        ("0x001e240", "1e240"),
        ("0x1e240", "123456"),
        ("1e240", "0x1E240"),
        ("f1234567", "-249346713"),
        ("7", "0000000007"),
        ("0", "0"),
    ],
)
async def test_an_id_is_known_again_in_any_form(
    post: PostRoom, carrier: int, learnt: IdFormat | None, answered: str, reported: str
) -> None:
    if learnt:
        await teach(post, carrier, learnt)
    message_id = await post.sent(carrier, answered)
    await post.report(carrier, reported)
    assert await post.state(message_id) is MessageState.DELIVERED
    assert await post.parked(carrier) == []


async def test_an_id_of_another_carrier_is_another_id(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "same-id")
    other = await post.carrier()
    await post.report(other, "same-id")
    assert await post.state(message_id) is MessageState.SENT
    assert len(await post.parked(other)) == 1


async def test_a_receipt_goes_where_the_number_is_right_however_well_another_id_fits(
    post: PostRoom, carrier: int
) -> None:
    looks_right = await post.sent(carrier, "123456", number=OTHER)
    is_right = await post.sent(carrier, "1e240", number=NUMBER)
    await post.report(carrier, "123456", number=NUMBER)
    assert await post.state(looks_right) is MessageState.SENT
    assert await post.state(is_right) is MessageState.DELIVERED


async def test_that_holds_for_a_carrier_whose_learnt_form_misleads(post: PostRoom, carrier: int) -> None:
    await teach(post, carrier, IdFormat.SAME)
    looks_right = await post.sent(carrier, "123456", number=OTHER)
    is_right = await post.sent(carrier, "1e240", number=NUMBER)
    await post.report(carrier, "123456", number=NUMBER)
    assert await post.state(looks_right) is MessageState.SENT
    assert await post.state(is_right) is MessageState.DELIVERED


async def test_a_receipt_for_another_number_is_nobodys(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "77001", number=OTHER)
    await post.report(carrier, "77001", number=NUMBER)
    assert await post.state(message_id) is MessageState.SENT
    (parked,) = await post.parked(carrier)
    assert (parked["carrier_ref"], parked["number"]) == ("77001", NUMBER)


@pytest.mark.parametrize(
    "said",
    [
        *(NUMBER, f"+{NUMBER}", f"00{NUMBER}", "07700900123", "7700900123", f"1404{NUMBER}", "+44 7700-900 123"),
        *("HOMING", SENDER, "4477009***23", "12345", "", None),
    ],
)
async def test_a_number_agrees_in_any_spelling_and_a_word_says_nothing(
    post: PostRoom, carrier: int, said: str | None
) -> None:
    message_id = await post.sent(carrier, "spelt")
    await post.report(carrier, "spelt", number=said)
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_addresses_in_the_order_of_the_submit_name_the_sender_and_not_another_number(
    post: PostRoom, carrier: int
) -> None:
    message_id = await post.sent(carrier, "swapped", sender="+447700900555")
    await post.report(carrier, "swapped", number="447700900555")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_of_messages_with_one_id_and_one_number_the_latest_is_meant(post: PostRoom, carrier: int) -> None:
    first, second = await post.sent(carrier, "reused"), await post.sent(carrier, "reused")
    await post.report(carrier, "reused")
    assert (await post.state(first), await post.state(second)) == (MessageState.SENT, MessageState.DELIVERED)


async def test_without_a_number_the_id_as_it_is_written_comes_first(post: PostRoom, carrier: int) -> None:
    exact = await post.sent(carrier, "2010")
    as_hex = await post.sent(carrier, "7da", number=OTHER)
    await post.report(carrier, "2010", number=None)
    assert (await post.state(exact), await post.state(as_hex)) == (MessageState.DELIVERED, MessageState.SENT)


async def test_without_a_number_the_learnt_form_comes_before_the_id_as_it_is_written_but_for_zeros(
    post: PostRoom, carrier: int
) -> None:
    await teach(post, carrier, IdFormat.DECIMAL)
    padded = await post.sent(carrier, "002010", number=OTHER)
    as_hex = await post.sent(carrier, "7da")
    await post.report(carrier, "2010", number=None)
    assert (await post.state(padded), await post.state(as_hex)) == (MessageState.SENT, MessageState.DELIVERED)


async def test_without_a_number_a_form_that_is_not_the_carriers_waits_for_the_answers_that_are_to_come(
    post: PostRoom, carrier: int
) -> None:
    await teach(post, carrier, IdFormat.SAME)
    coincidence = await post.sent(carrier, "7db", number=OTHER)
    await post.report(carrier, "2011", number=None)
    assert await post.state(coincidence) is MessageState.SENT
    early = await post.sent(carrier, "2011")
    post.wait(EARLY_S)
    await post.retry()
    assert (await post.state(coincidence), await post.state(early)) == (MessageState.SENT, MessageState.DELIVERED)


async def test_a_carrier_that_gives_everything_one_id_costs_no_more_than_others(post: PostRoom, carrier: int) -> None:
    for _repeat in range(12):
        await post.sent(carrier, "0", number=OTHER)
    last = await post.sent(carrier, "0")
    await post.report(carrier, "0")
    assert await post.state(last) is MessageState.DELIVERED


# --- learning ----------------------------------------------------------------------------------------------


async def test_a_carriers_form_is_learnt_from_numbers_that_agree_and_known_to_every_process(
    post: PostRoom, carrier: int
) -> None:
    count = CONFIRMATIONS_MIN
    for n in range(count):
        assert await learnt_id_format(post.database, carrier) is None
        await post.sent(carrier, f"ab{n:02x}")
        await post.report(carrier, str(0xAB00 + n))
        await post.inboxes[0].exchange_formats()
    learnt = await learnt_id_format(post.database, carrier)
    assert learnt is not None
    assert (learnt.format, learnt.confirmed) == (IdFormat.DECIMAL, count)
    await post.inboxes[1].exchange_formats()
    assert [inbox._formats.learnt(carrier) for inbox in post.inboxes] == [IdFormat.DECIMAL] * 2


async def test_receipts_without_numbers_and_ids_that_are_one_in_all_forms_teach_nothing(
    post: PostRoom, carrier: int
) -> None:
    for ref, number in (("c0de", None), ("7", NUMBER)):
        message_id = await post.sent(carrier, ref)
        await post.report(carrier, ref, number=number)
        assert await post.state(message_id) is MessageState.DELIVERED
    await post.inboxes[0].exchange_formats()
    assert await post.sql("SELECT FROM id_format WHERE carrier_id = $1", carrier) == []


async def test_a_carrier_with_ids_in_two_forms_has_no_learnt_one(post: PostRoom, carrier: int) -> None:
    await teach(post, carrier, IdFormat.SAME, 1_000)
    message_id = await post.sent(carrier, "beef1")
    await post.report(carrier, str(0xBEEF1))
    await post.inboxes[0].exchange_formats()
    assert await post.state(message_id) is MessageState.DELIVERED
    assert await learnt_id_format(post.database, carrier) is None


async def test_counts_are_written_once_in_a_while_and_survive_a_database_that_is_away(
    post: PostRoom, carrier: int
) -> None:
    for n in range(3):
        await post.sent(carrier, f"word-{n}")
        await post.report(carrier, f"word-{n}")
    inbox = post.inboxes[0]
    assert await post.sql("SELECT FROM id_format WHERE carrier_id = $1", carrier) == []
    post.database.is_unavailable = True
    with pytest.raises(errors.DatabaseUnavailable):
        await inbox.exchange_formats()
    post.database.is_unavailable = False
    await inbox.exchange_formats()
    await inbox.exchange_formats()
    rows = await post.sql("SELECT format, confirmed FROM id_format WHERE carrier_id = $1", carrier)
    assert [tuple(row) for row in rows] == [("same", 3)]


async def test_a_carrier_that_never_names_the_recipient_is_believed_its_ids(post: PostRoom, carrier: int) -> None:
    imsi = "234150999999999"
    waiting = [await post.sent(carrier, f"imsi-{n}") for n in range(CONFIRMATIONS_MIN)]
    for n in range(len(waiting)):
        await post.report(carrier, f"imsi-{n}", number=imsi)
    assert {await post.state(message_id) for message_id in waiting} == {MessageState.SENT}
    await post.inboxes[0].exchange_formats()
    post.wait(EARLY_S)
    await post.retry()
    assert {await post.state(message_id) for message_id in waiting} == {MessageState.DELIVERED}


# --- early, late, repeated ---------------------------------------------------------------------------------


async def test_a_receipt_that_comes_before_the_answer_waits_for_it(post: PostRoom, carrier: int) -> None:
    message_id = await post.submit(carrier)
    await post.report(carrier, "early")
    assert len(await post.parked(carrier)) == 1
    await post.answer(message_id, carrier, ["early"])
    post.wait(EARLY_S)
    await post.retry(process=1)
    assert await post.state(message_id) is MessageState.DELIVERED
    assert await post.parked(carrier) == []
    assert (post.counted(carrier, "parked"), post.counted(carrier, "applied")) == (1, 1)


async def test_two_processes_that_try_a_parked_receipt_apply_it_once(post: PostRoom, carrier: int) -> None:
    message_id = await post.submit(carrier)
    await post.report(carrier, "contended")
    await post.answer(message_id, carrier, ["contended"])
    (row,) = await post.parked(carrier)
    receipt = CarrierReceipt("contended", int(MessageState.DELIVERED), post.now, None, "", NUMBER)
    one = IncomingReceipt(carrier, f"carrier-{carrier}", receipt, row["parked_id"], row["waiting_since"])
    await asyncio.gather(*(inbox.store([one]) for inbox in post.inboxes))
    assert await post.receipts(message_id) == [(MessageState.DELIVERED, True)]


async def test_many_hopeless_receipts_do_not_keep_an_early_one_from_its_turn(post: PostRoom, carrier: int) -> None:
    hopeless = [CarrierReceipt(f"hopeless-{n}", 3, post.now, None, "", NUMBER) for n in range(1_200)]
    await post.take(carrier, *hopeless)
    for _try in range(12):
        post.wait(1)
        await post.retry()
    message_id = await post.submit(carrier)
    await post.report(carrier, "hopeful")
    await post.answer(message_id, carrier, ["hopeful"])
    post.wait(EARLY_S)
    tried = await post.inboxes[0].retry_due()
    assert await post.state(message_id) is MessageState.DELIVERED
    assert tried < limits.RECEIPTS_BATCH_MAX
    post.wait(limits.RECEIPT_PARK_S_MAX)
    await post.retry()


async def tried_for(post: PostRoom, seconds: float) -> None:
    """Time passes, and what is due is tried all along."""
    end = post.now + timedelta(seconds=seconds)
    while post.now < end:
        post.wait(min(5.0, (end - post.now).total_seconds()))
        await post.retry()


async def test_time_in_which_nobody_looked_is_no_waiting(post: PostRoom, carrier: int) -> None:
    """The clock was stepped forwards, or no process ran: the answer that the receipt waits for is still to come."""
    message_id = await post.submit(carrier)
    await post.report(carrier, "early")
    await tried_for(post, 10)
    post.wait(3_600)
    await post.retry()
    await tried_for(post, 60)
    (row,) = await post.parked(carrier)
    assert row["given_up_at"] is None
    await post.answer(message_id, carrier, ["early"])
    await tried_for(post, limits.RECEIPT_PARK_RETRY_S_MAX)
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_a_receipt_that_finds_nothing_is_given_up_counted_and_kept(post: PostRoom, carrier: int) -> None:
    await post.report(carrier, "nobody's")
    await tried_for(post, limits.RECEIPT_PARK_S_MAX - 1)
    (row,) = await post.parked(carrier)
    assert row["given_up_at"] is None
    post.wait(limits.RECEIPT_PARK_RETRY_S_MAX)
    await post.retry()
    (row,) = await post.parked(carrier)
    assert row["given_up_at"] == post.now
    assert post.counted(carrier, "unmatched") == 1
    await post.retry()
    assert post.counted(carrier, "unmatched") == 1


async def test_a_replayed_receipt_has_its_five_minutes_anew(post: PostRoom, carrier: int) -> None:
    await post.report(carrier, "replayed")
    await tried_for(post, limits.RECEIPT_PARK_S_MAX + limits.RECEIPT_PARK_RETRY_S_MAX)
    received = (await post.parked(carrier))[0]["received_at"]
    post.now = datetime.now(UTC)
    await statements.receipts.unmatched_replay(
        post.database, parked_ids=None, carrier_id=carrier, since=None, rows_max=None
    )
    (row,) = await post.parked(carrier)
    assert (row["given_up_at"], row["received_at"], row["replays"]) == (None, received, 1)
    post.wait(10)
    await post.retry()
    assert (await post.parked(carrier))[0]["given_up_at"] is None, "its clock has not begun anew"
    message_id = await post.sent(carrier, "replayed")
    post.wait(30)
    await post.retry()
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_a_repeated_receipt_and_one_that_says_otherwise_are_kept_and_change_nothing(
    post: PostRoom, carrier: int
) -> None:
    message_id = await post.sent(carrier, "settled")
    for state in (
        MessageState.SENT,
        MessageState.DELIVERED,
        MessageState.DELIVERED,
        MessageState.UNDELIVERABLE,
        MessageState.SENT,
    ):
        await post.report(carrier, "settled", state)
    assert await post.receipts(message_id) == [
        (MessageState.SENT, False),
        (MessageState.DELIVERED, True),
        (MessageState.DELIVERED, False),
        (MessageState.UNDELIVERABLE, False),
        (MessageState.SENT, False),
    ]
    assert await post.state(message_id) is MessageState.DELIVERED
    assert (await post.message(message_id))["refund_micro"] == 0
    counts = {effect: post.counted(carrier, effect) for effect in ("applied", "repeated", "intermediate")}
    assert counts == {"applied": 1, "repeated": 2, "intermediate": 2}


async def test_several_receipts_of_a_message_in_one_batch_count_as_if_one_by_one(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "batched")
    states = (MessageState.SENT, MessageState.UNKNOWN, MessageState.EXPIRED, MessageState.DELIVERED)
    await post.take(carrier, *(CarrierReceipt("batched", int(s), post.now, None, "", NUMBER) for s in states))
    assert await post.state(message_id) is MessageState.EXPIRED
    assert [applied for _state, applied in await post.receipts(message_id)] == [False, False, True, False]
    assert (await post.message(message_id))["refund_micro"] == PRICE_MICRO


async def test_a_delivery_after_the_end_is_kept_and_the_refund_stands(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "too-late")
    post.wait(90_000)
    await post.sweep()
    assert await post.state(message_id) is MessageState.EXPIRED
    await post.report(carrier, "too-late")
    assert await post.state(message_id) is MessageState.EXPIRED
    assert await post.receipts(message_id) == [(MessageState.DELIVERED, False)]


@pytest.mark.parametrize(
    "off", [timedelta(days=-4_000), timedelta(hours=-9), timedelta(hours=9), timedelta(days=4_000)]
)
async def test_a_carriers_clock_that_is_far_off_moves_no_time_out_of_the_messages_life(
    post: PostRoom, carrier: int, off: timedelta
) -> None:
    message_id = await post.sent(carrier, "clock")
    sent_at = post.now
    post.wait(20)
    await post.report(carrier, "clock", at=post.now + off)
    row = await post.message(message_id)
    assert sent_at <= row["final_at"] <= post.now


@pytest.mark.parametrize(
    "receipt",
    [
        CarrierReceipt("hostile", 99, datetime(2026, 1, 1), "\0", "\0\ud800" * 5_000, "\0" * 90),  # noqa: DTZ001
        CarrierReceipt("host\0ile", 3, datetime.max.replace(tzinfo=UTC), "\ud83d" * 300, "", "\ud83d"),
        CarrierReceipt("hostile", 3, datetime.min.replace(tzinfo=UTC), "x" * 9_000, "\0", None),
        CarrierReceipt("\0" * 9_000, -1, datetime(1, 1, 1, tzinfo=UTC), None, "", "٣" * 30),
    ],
)
async def test_whatever_a_carrier_writes_can_be_stored_and_holds_up_nobody(
    post: PostRoom, carrier: int, receipt: CarrierReceipt
) -> None:
    await post.sent(carrier, "hostile")
    friendly = await post.sent(carrier, "friendly")
    await post.take(carrier, receipt, CarrierReceipt("friendly", 3, post.now, None, "", NUMBER))
    assert await post.state(friendly) is MessageState.DELIVERED


async def told(post: PostRoom, message_id: int) -> str:
    """The message's timeline."""
    async with post.database.connection() as connection:
        message = await find_message(connection, message_id)
        assert message is not None
        return "\n".join(moment.detail for moment in await read_timeline(connection, message, DIALECTS))


# --- parts -------------------------------------------------------------------------------------------------


async def test_a_long_message_is_delivered_when_all_of_its_parts_are(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "p-1", "p-2", "p-3")
    for part in (2, 3):
        await post.report(carrier, f"p-{part}")
        assert await post.state(message_id) is MessageState.SENT
    post.wait(7)
    await post.report(carrier, "p-1")
    row = await post.message(message_id)
    assert (row["state"], row["final_at"], row["error_text"]) == (MessageState.DELIVERED, post.now, None)
    assert await post.waits_until(message_id) is None
    assert [applied for _state, applied in await post.receipts(message_id)] == [True] * 3


async def test_all_parts_in_one_batch_make_a_whole(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "b-1", "b-2", "b-3")
    refs = ("b-3", "b-1", "b-2", "b-1")
    await post.take(carrier, *(CarrierReceipt(ref, 3, post.now, None, "", NUMBER) for ref in refs))
    assert await post.state(message_id) is MessageState.DELIVERED
    assert [applied for _state, applied in await post.receipts(message_id)] == [True, True, True, False]


@pytest.mark.parametrize(
    "state", [MessageState.UNDELIVERABLE, MessageState.EXPIRED, MessageState.REJECTED, MessageState.FAILED]
)
async def test_the_first_part_that_fails_ends_the_message_and_names_the_error(
    post: PostRoom, carrier: int, state: MessageState
) -> None:
    message_id = await post.sent(carrier, "f-1", "f-2", "f-3")
    await post.report(carrier, "f-1")
    post.wait(1)
    await post.report(carrier, "f-3", state, error="069")
    await post.report(carrier, "f-2", MessageState.UNDELIVERABLE, error="001")
    row = await post.message(message_id)
    assert (row["state"], row["error_code"]) == (state, "069")
    assert row["error_text"] == f"{state.name.capitalize()}: part 3 of 3"
    assert row["refund_micro"] == (0 if state is MessageState.UNDELIVERABLE else 3 * PRICE_MICRO)


async def test_what_is_on_its_way_moves_no_part_back(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "w-1", "w-2")
    await post.report(carrier, "w-1")
    await post.report(carrier, "w-1", MessageState.SENT)
    await post.report(carrier, "w-2", MessageState.SENT)
    assert await post.state(message_id) is MessageState.SENT
    await post.report(carrier, "w-2")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_silence_about_the_other_parts_counts_as_delivered_after_five_minutes(
    post: PostRoom, carrier: int
) -> None:
    message_id = await post.sent(carrier, "s-1", "s-2", "s-3")
    await post.report(carrier, "s-2")
    post.wait(100)
    await post.report(carrier, "s-1")
    reported_at = post.now
    assert await post.waits_until(message_id) == reported_at + timedelta(seconds=PART_GRACE_S)
    post.wait(PART_GRACE_S - 1)
    await post.sweep()
    assert await post.state(message_id) is MessageState.SENT
    post.wait(2)
    await post.sweep()
    row = await post.message(message_id)
    assert (row["state"], row["final_at"], row["error_text"]) == (MessageState.DELIVERED, reported_at, None)
    assert await post.waits_until(message_id) is None
    assert "no receipt for part 3" in await told(post, message_id)
    await post.report(carrier, "s-3", MessageState.UNDELIVERABLE)
    assert await post.state(message_id) is MessageState.DELIVERED
    assert "attempt 1, carrier message ID s-3: undeliverable" in await told(post, message_id)
    assert (await post.receipts(message_id))[-1] == (MessageState.UNDELIVERABLE, True), "the part did move"


async def test_a_part_that_fails_within_those_minutes_still_ends_the_message(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "g-1", "g-2")
    await post.report(carrier, "g-1")
    post.wait(PART_GRACE_S - 5)
    await post.report(carrier, "g-2", MessageState.UNDELIVERABLE, error="027")
    assert await post.state(message_id) is MessageState.UNDELIVERABLE


async def test_the_grace_of_parts_does_not_outlast_the_validity(post: PostRoom, carrier: int) -> None:
    message_id = await post.submit(carrier, segments=2, validity=timedelta(seconds=60))
    await post.answer(message_id, carrier, ["v-1", "v-2"])
    post.wait(50)
    await post.report(carrier, "v-1")
    due_at = await post.waits_until(message_id)
    assert due_at == post.now + timedelta(seconds=10 + limits.EXPIRY_GRACE_S)
    post.wait(10 + limits.EXPIRY_GRACE_S)
    await post.sweep()
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_a_long_message_of_which_nothing_is_heard_expires(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "n-1", "n-2")
    await post.report(carrier, "n-1", MessageState.SENT)
    post.wait(90_000)
    await post.sweep()
    row = await post.message(message_id)
    assert (row["state"], row["refund_micro"]) == (MessageState.EXPIRED, 2 * PRICE_MICRO)


async def test_parts_of_unknown_fate_make_an_unknown_message_which_may_still_be_settled(
    post: PostRoom, carrier: int
) -> None:
    message_id = await post.sent(carrier, "u-1", "u-2")
    await post.report(carrier, "u-1", MessageState.UNKNOWN)
    assert await post.state(message_id) is MessageState.SENT
    await post.report(carrier, "u-2")
    assert await post.state(message_id) is MessageState.UNKNOWN
    await post.report(carrier, "u-1")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_parts_whose_ids_are_in_another_form_are_found(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "1e240", "1e241")
    await post.report(carrier, "123457")
    await post.report(carrier, "123456")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_one_id_for_all_parts_is_a_receipt_for_each(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "one", "one", "one")
    await post.report(carrier, "one")
    await post.take(carrier, *[CarrierReceipt("one", 3, post.now, None, "", NUMBER)] * 2)
    assert await post.state(message_id) is MessageState.DELIVERED
    rows = await post.sql("SELECT state FROM part WHERE message_id = $1", message_id)
    assert [row["state"] for row in rows] == [MessageState.DELIVERED] * 3


async def test_a_long_message_that_the_carrier_took_as_one_has_one_receipt(post: PostRoom, carrier: int) -> None:
    message_id = await post.submit(carrier, segments=3)
    await post.answer(message_id, carrier, ["payload"])
    await post.report(carrier, "payload")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_two_processes_that_hear_of_the_last_two_parts_do_not_both_miss_the_whole(
    post: PostRoom, carrier: int
) -> None:
    message_id = await post.sent(carrier, "last-1", "last-2")
    found = await part_candidates_of(post.database, [(0, carrier, "last-1")], (message_id, message_id + 1))
    first = PartReport(found[0][0], MessageState.DELIVERED, post.now, None)
    async with post.database.transaction() as one_process:
        _moved, ends = await take_parts(one_process, [first], post.now)
        assert ends == []
        other_process = asyncio.create_task(post.report(carrier, "last-2", process=1))
        await asyncio.sleep(HELD_UP_S)
        assert not other_process.done(), "it has looked before the other part was written down"
    await other_process
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_the_sweep_steps_aside_for_a_receipt_that_is_under_way(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "swept")
    post.wait(90_000)
    async with post.database.transaction() as receiving:
        await statements.receipts.parts_lock(receiving, keys=[MessageRef(account_id=1, message_id=message_id)])
        sweeping = asyncio.create_task(post.sweep())
        await asyncio.sleep(HELD_UP_S)
        await statements.messages.queue_remove(receiving, keys=[QueueKey(lane=0, message_id=message_id)])
    await sweeping
    assert await post.state(message_id) is MessageState.SENT


async def test_receipts_and_sweeps_at_once_end_every_message_once(post: PostRoom, carrier: int) -> None:
    waiting = [await post.sent(carrier, f"d-{n}") for n in range(200)]
    post.wait(90_000)
    reports = (post.report(carrier, f"d-{n}", process=n % 2) for n in reversed(range(len(waiting))))
    await asyncio.gather(*reports, post.sweep(), post.sweep())
    await post.sweep()
    ends = [await post.message(message_id) for message_id in waiting]
    refunded = {MessageState.DELIVERED: 0, MessageState.EXPIRED: PRICE_MICRO}
    assert [row for row in ends if row["refund_micro"] != refunded[row["state"]]] == []


# --- attempts ----------------------------------------------------------------------------------------------


async def test_a_delivery_by_any_attempt_delivers_the_message(post: PostRoom, carrier: int) -> None:
    backup = await post.carrier()
    message_id = await post.submit(carrier)
    await post.answer(message_id, carrier, ["first-try"], waits=False)
    await post.answer(message_id, backup, ["second-try"], attempt=2)
    await post.report(carrier, "first-try")
    assert await post.state(message_id) is MessageState.DELIVERED
    await post.report(backup, "second-try")
    assert await post.receipts(message_id) == [(MessageState.DELIVERED, True), (MessageState.DELIVERED, False)]


async def test_a_failure_of_an_attempt_that_was_given_up_moves_nothing(post: PostRoom, carrier: int) -> None:
    backup = await post.carrier()
    message_id = await post.submit(carrier)
    await post.answer(message_id, carrier, ["given-up"], waits=False)
    await post.answer(message_id, backup, ["current"], attempt=2)
    await post.report(carrier, "given-up", MessageState.REJECTED)
    assert await post.state(message_id) is MessageState.SENT
    assert await post.receipts(message_id) == [(MessageState.REJECTED, False)]
    await post.report(backup, "current", MessageState.UNDELIVERABLE)
    assert await post.state(message_id) is MessageState.UNDELIVERABLE


async def test_the_parts_of_an_attempt_that_was_given_up_can_deliver_and_not_fail(post: PostRoom, carrier: int) -> None:
    backup = await post.carrier()
    failing, delivering = [await post.submit(carrier, segments=2) for _each in range(2)]
    for nth, message_id in enumerate((failing, delivering)):
        await post.answer(message_id, carrier, [f"o{nth}-1", f"o{nth}-2"], waits=False)
        await post.answer(message_id, backup, [f"c{nth}-1", f"c{nth}-2"], attempt=2)
    await post.report(carrier, "o0-2", MessageState.REJECTED)
    assert await post.state(failing) is MessageState.SENT
    await post.report(carrier, "o1-1")
    await post.report(carrier, "o1-2")
    assert await post.state(delivering) is MessageState.DELIVERED


async def test_a_delivery_of_what_was_refused_changes_nothing(post: PostRoom, carrier: int) -> None:
    message_id = await post.sent(carrier, "refused-later")
    await post.report(carrier, "refused-later", MessageState.REJECTED, error="011")
    await post.report(carrier, "refused-later", MessageState.DELIVERED)
    row = await post.message(message_id)
    assert (row["state"], row["refund_micro"]) == (MessageState.REJECTED, PRICE_MICRO)


async def lost(post: PostRoom, carrier: int, number: str = NUMBER, traffic: Traffic = Traffic.PROMOTIONAL) -> int:
    """A message whose submit was not answered. A promotional one waits for what comes, a code goes out again."""
    message_id = await post.submit(carrier, number, traffic=traffic)
    await post.answer(message_id, carrier, [], outcome=Outcome.UNKNOWN, waits=traffic is Traffic.PROMOTIONAL)
    return message_id


async def unknown_ids_are_tried(post: PostRoom) -> None:
    for _try in range(12):
        post.wait(5)
        await post.retry()


async def test_a_receipt_of_a_submit_whose_answer_was_lost_is_known_by_its_number(post: PostRoom, carrier: int) -> None:
    message_id = await lost(post, carrier, "447700911001")
    await post.report(carrier, "never-told", number="07700911001")
    post.wait(5)
    await post.retry()
    assert await post.state(message_id) is MessageState.UNKNOWN, "it may be an early one, whose answer is still to come"
    await unknown_ids_are_tried(post)
    row = await post.message(message_id)
    assert (row["state"], row["carrier_id"], row["carrier_ref"]) == (MessageState.DELIVERED, carrier, "never-told")
    (attempt,) = await post.sql("SELECT carrier_ref FROM attempt WHERE message_id = $1", message_id)
    assert attempt["carrier_ref"] == "never-told"


async def test_such_a_receipt_may_fail_a_message_that_stands_on_nothing_else(post: PostRoom, carrier: int) -> None:
    message_id = await lost(post, carrier, "447700911002")
    await post.report(carrier, "on-its-way", MessageState.SENT, number="447700911002")
    await unknown_ids_are_tried(post)
    await post.report(carrier, "on-its-way", MessageState.UNDELIVERABLE, number="447700911002", error="27")
    assert await post.state(message_id) is MessageState.UNDELIVERABLE


async def test_such_a_receipt_cannot_fail_a_message_that_goes_out_again(post: PostRoom, carrier: int) -> None:
    message_id = await lost(post, carrier, "447700911003", Traffic.TRANSACTIONAL)
    await post.report(carrier, "lost-and-failed", MessageState.UNDELIVERABLE, number="447700911003")
    await unknown_ids_are_tried(post)
    assert await post.state(message_id) is MessageState.QUEUED
    assert await post.receipts(message_id) == [(MessageState.UNDELIVERABLE, False)]
    await post.report(carrier, "lost-and-failed", MessageState.DELIVERED, number="447700911003")
    assert await post.state(message_id) is MessageState.DELIVERED


async def test_of_two_submits_without_an_answer_to_one_number_neither_is_guessed(post: PostRoom, carrier: int) -> None:
    both = [await lost(post, carrier, "447700911004") for _each in range(2)]
    await post.report(carrier, "whose", number="447700911004")
    await unknown_ids_are_tried(post)
    assert {await post.state(message_id) for message_id in both} == {MessageState.UNKNOWN}
    assert len(await post.parked(carrier)) == 1


async def test_of_two_unknown_ids_for_one_submit_neither_is_guessed(post: PostRoom, carrier: int) -> None:
    message_id = await lost(post, carrier, "447700911005")
    for ref in ("one-of-two", "two-of-two"):
        await post.report(carrier, ref, number="447700911005")
    await unknown_ids_are_tried(post)
    assert await post.state(message_id) is MessageState.UNKNOWN


@pytest.mark.parametrize("number", [None, "447700911999", "911006"])
async def test_without_its_number_no_such_submit_is_guessed(post: PostRoom, carrier: int, number: str | None) -> None:
    message_id = await lost(post, carrier, "447700922006")
    await post.report(carrier, "unnamed", number=number)
    await unknown_ids_are_tried(post)
    assert await post.state(message_id) is MessageState.UNKNOWN


async def test_an_old_submit_without_an_answer_is_not_guessed(post: PostRoom, carrier: int) -> None:
    message_id = await lost(post, carrier, "447700911007")
    post.wait(RECEIPT_UNANSWERED_S_MAX + 60)
    await post.report(carrier, "much-later", number="447700911007")
    await unknown_ids_are_tried(post)
    assert await post.state(message_id) is MessageState.UNKNOWN
