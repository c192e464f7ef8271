"""Accounts whose repeated references are recognised: a reference to a number has one message a day, and one charge."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from homing import errors
from homing.accounts.profile import Profile
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.intake.intake import utc_now
from homing.intake.submission import (
    AcceptedMessage,
    MessageGroup,
    RefusedRecipient,
    RepeatedReferences,
    Submission,
    SubmitResult,
)
from homing.model import Recipient
from tests.support.bank import NOWHERE, Bank, opened
from tests.support.server import migrated_database

PRICE_MICRO = 31_000
NUMBER = "8613800000001"
OTHER = "8613800000002"


class MovedClock:
    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str, clock: MovedClock) -> AsyncIterator[Bank]:
    async with opened(await migrated_database(postgres, f"references_{worker}"), 2, clock) as bank:
        yield bank


async def send(
    bank: Bank,
    account: Profile,
    recipients: Sequence[tuple[str, str | None]],
    *,
    text: str = "hi",
    process: int = 0,
    repeated: RepeatedReferences = RepeatedReferences.ANSWERED,
) -> Sequence[SubmitResult]:
    """`recipients`: numbers with their references."""
    group = MessageGroup(text, "HOMING", [Recipient(number, number, reference) for number, reference in recipients])
    submission = Submission(account, LAAFFIC, account.name, "r", [group], repeated_references=repeated)
    return await bank.intakes[process].submit(submission)


def ids(results: Sequence[SubmitResult]) -> list[int | type[errors.Refusal]]:
    return [each.message_id if isinstance(each, AcceptedMessage) else type(each.reason) for each in results]


async def stored(bank: Bank, account: Profile) -> int:
    (row,) = await bank.query("SELECT count(*) AS n FROM message WHERE account_id = $1", account.account_id)
    return int(row["n"])


async def test_of_repeated_calls_at_once_in_two_processes_one_sends_and_all_get_its_id(bank: Bank) -> None:
    account = await bank.account(balance=2 * PRICE_MICRO)
    answers = await asyncio.gather(*(send(bank, account, [(NUMBER, "a")], process=n % 2) for n in range(40)))
    ((message_id,),) = {tuple(ids(answer)) for answer in answers}
    (row,) = await bank.query("SELECT message_id FROM message WHERE account_id = $1", account.account_id)
    assert row["message_id"] == message_id
    assert (await bank.purse(account)).balance == PRICE_MICRO
    assert (await bank.prove(account)).holds


async def test_overlapping_calls_to_many_send_to_each_once(bank: Bank) -> None:
    account = await bank.account(balance=1_000 * PRICE_MICRO)
    numbers = [f"86138{n:08d}" for n in range(60)]
    calls = [[(number, "batch") for number in numbers[at : at + 30]] for at in range(0, 31, 5)]
    answers = await asyncio.gather(*(send(bank, account, call, process=n % 2) for n, call in enumerate(calls)))
    messages: dict[str, object] = {}
    for call, answer in zip(calls, answers, strict=True):
        for (number, _reference), message_id in zip(call, ids(answer), strict=True):
            assert messages.setdefault(number, message_id) == message_id
    assert await stored(bank, account) == len(messages) == 60
    assert (await bank.purse(account)).balance == 940 * PRICE_MICRO


async def test_a_call_that_repeats_in_part_sends_the_rest(bank: Bank) -> None:
    account = await bank.account(balance=10 * PRICE_MICRO)
    (first,) = ids(await send(bank, account, [(NUMBER, "a")]))
    results = await send(
        bank, account, [(OTHER, "b"), (NUMBER, "a"), (NUMBER, "c"), (OTHER, "b"), (NUMBER, None), (NUMBER, None)]
    )
    again = ids(results)
    assert again[1] == first
    assert again[0] == again[3]
    assert [result.recipient.number for result in results] == [OTHER, NUMBER, NUMBER, OTHER, NUMBER, NUMBER]
    assert len({first, *again}) == 5
    assert await stored(bank, account) == 5


async def test_another_text_under_the_reference_is_refused_and_another_number_is_sent_to(bank: Bank) -> None:
    account = await bank.account(balance=10 * PRICE_MICRO)
    await send(bank, account, [(NUMBER, "a")])
    with pytest.raises(errors.ReferenceReused):
        await send(bank, account, [(NUMBER, "a")], text="ho")
    results = await send(bank, account, [(NUMBER, "a"), (OTHER, "a")], text="ho")
    assert isinstance(results[0], RefusedRecipient)
    assert isinstance(results[0].reason, errors.ReferenceReused)
    assert isinstance(results[1], AcceptedMessage)
    assert await stored(bank, account) == 2


async def test_a_repeated_call_is_answered_where_a_new_one_would_be_refused_by_now(bank: Bank) -> None:
    account = await bank.account(balance=PRICE_MICRO)
    first = ids(await send(bank, account, [(NUMBER, "a")]))
    assert ids(await send(bank, account, [(NUMBER, "a")])) == first
    assert ids(await send(bank, account, [(NUMBER, "a"), (OTHER, "a")])) == [*first, errors.InsufficientBalance]
    with pytest.raises(errors.InsufficientBalance):
        await send(bank, account, [(OTHER, "a")])


async def test_what_was_refused_may_be_repeated(bank: Bank) -> None:
    account = await bank.account(balance=PRICE_MICRO)
    with pytest.raises(errors.InsufficientBalance):
        await send(bank, account, [(NUMBER, "a"), (OTHER, "a")])
    with pytest.raises(errors.NoRoute):
        await send(bank, account, [(NOWHERE + "5551234", "a")])
    with pytest.raises(errors.DatabaseFailed):
        await send(bank, account, [(NUMBER, "a")], text="\0")
    assert Counter(map(type, await send(bank, account, [(NUMBER, "a")]))) == {AcceptedMessage: 1}


async def test_a_day_later_a_reference_is_free_again(bank: Bank, clock: MovedClock) -> None:
    account = await bank.account(balance=10 * PRICE_MICRO)
    try:
        first = ids(await send(bank, account, [(NUMBER, "a")]))
        clock.ahead = timedelta(hours=23, minutes=59)
        assert ids(await send(bank, account, [(NUMBER, "a")])) == first
        clock.ahead = timedelta(hours=24, minutes=1)
        second = ids(await send(bank, account, [(NUMBER, "a")], text="ho"))
        assert second != first
        assert ids(await send(bank, account, [(NUMBER, "a")], text="ho")) == second
    finally:
        clock.ahead = timedelta(0)


async def test_of_recipients_who_share_an_id_those_who_had_no_message_are_refused(bank: Bank) -> None:
    account = await bank.account(balance=10 * PRICE_MICRO)
    together = RepeatedReferences.ANSWERED_TOGETHER
    first = ids(await send(bank, account, [(NUMBER, "1"), (OTHER, "1")], repeated=together))
    assert ids(await send(bank, account, [(NUMBER, "1"), (OTHER, "1")], repeated=together)) == first
    mixed = await send(bank, account, [(NUMBER, "1"), ("8613800000003", "1")], repeated=together)
    assert ids(mixed) == [first[0], errors.ReferenceReused]
    assert await stored(bank, account) == 2


async def test_accounts_and_apps_do_not_share_references(bank: Bank) -> None:
    mine, others = await bank.account(balance=PRICE_MICRO), await bank.account(balance=PRICE_MICRO)
    assert ids(await send(bank, mine, [(NUMBER, "a")])) != ids(await send(bank, others, [(NUMBER, "a")]))
    assert (await stored(bank, mine), await stored(bank, others)) == (1, 1)
