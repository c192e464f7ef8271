"""Codes that are likely lost go out again once, when that is worth its price, and by another carrier."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from homing.accounts.profile import Profile
from homing.admin import carriers, routes
from homing.dialects.registry import DIALECTS
from homing.learning.outlook import AGES_S, CarrierOutlook, Outlook
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import CheckOutcome, ReceiptState
from homing.routing.rules import RouteScope
from homing.states import MessageState
from homing.store import statements
from homing.store.statements.learning import NewOutlook
from homing.verification.flows import FlowRunner
from tests.scenario.test_verifications import (  # noqa: F401 - fixtures
    PRICE_MICRO,
    Engines,
    bank,
    clock,
    engines,
    reread,
)
from tests.support.bank import Bank

ANSWERS = tuple(min(1.0, age_s / 60) for age_s in AGES_S)
CODE = "424242"
WORTH_MICRO = 10 * PRICE_MICRO


class Shop:
    """An account whose app sends likely lost codes again, and both processes' runners."""

    def __init__(self, engines: Engines, account: Profile, second: int) -> None:  # noqa: F811
        app = account.apps[account.name]
        self.engines = engines
        self.second = second
        self.app = msgspec.structs.replace(app, resend_messages=1, resend_worth_micro=WORTH_MICRO)
        self.account = msgspec.structs.replace(account, apps={app.app_id: self.app})
        self.runners = [
            FlowRunner(
                database=engines.bank.plain,
                catalogue_cache=engines.bank.boards[0],
                verifications=each,
                profile_of=self._profile_of,
                clock=engines.clock,
            )
            for each in engines.each
        ]

    async def _profile_of(self, account_id: int) -> Profile | None:
        return self.account if account_id == self.account.account_id else None

    async def learn(self, *, trust: float = 0.0) -> None:
        """What a learner would have stored: nine in ten people answer, all of them within a minute."""
        (first,) = await self.engines.bank.query("SELECT min(carrier_id) AS id FROM carrier")
        (row,) = await self.engines.bank.query("SELECT country, mcc || mnc AS network FROM message LIMIT 1")
        outlook = Outlook(
            0.9,
            [
                CarrierOutlook(carrier_id, 0.95, trust, 1.0, ANSWERS, ANSWERS)
                for carrier_id in (first["id"], self.second)
            ],
        )
        await statements.learning.learn_outlooks_write(
            self.engines.bank.plain,
            outlooks=[
                NewOutlook(
                    account_id=self.account.account_id,
                    app_id=self.app.app_id,
                    country=row["country"],
                    network=row["network"],
                    outlook=msgspec.json.encode(outlook).decode(),
                )
            ],
            made_at=self.engines.clock(),
        )

    async def send(self) -> Any:
        sent = await self.engines.send(self.account, code=CODE)
        await self.learn()
        await self.become(sent.message_id, MessageState.SENT)
        return sent

    async def become(self, message_id: int, state: MessageState) -> None:
        async with self.engines.bank.plain.transaction() as transaction:
            change = StateChange(self.account.account_id, message_id, state, self.engines.clock())
            await apply(transaction, [change], Outbox(DIALECTS))

    async def look(self, *ages_s: float) -> int:
        """Both processes look at these ages; how many messages there are then."""
        for age_s in ages_s:
            self.engines.clock.ahead = timedelta(seconds=age_s)
            await asyncio.gather(*(runner.run_due() for runner in self.runners))
        return await self.engines.messages()


@pytest.fixture
async def shop(engines: Engines, bank: Bank) -> AsyncIterator[Shop]:  # noqa: F811
    async with bank.plain.transaction() as transaction:
        second = await carriers.add_carrier(transaction, "second", "simulator")
        await routes.set_route(transaction, RouteScope(prefix="86"), carrier_id=second, priority=200)
    await reread(bank, 2)
    await bank.query("TRUNCATE learn_outlook")
    shop = Shop(engines, await bank.account(balance=10_000_000), second)
    await bank.query(
        "INSERT INTO app (app_id, account_id, name, resend_messages, resend_worth_micro) VALUES ($1, $2, $1, 1, $3)",
        shop.app.app_id,
        shop.account.account_id,
        WORTH_MICRO,
    )
    yield shop
    await bank.query("DELETE FROM route WHERE carrier_id = $1", second)
    await bank.query("DELETE FROM carrier WHERE carrier_id = $1", second)
    await reread(bank, 1)


async def test_a_code_goes_again_once_when_most_answers_would_have_come(shop: Shop) -> None:
    sent = await shop.send()
    assert await shop.look(6, 12, 20, 30) == 1, "half of the answers are still to come"
    assert await shop.look(40, 45, 50, 55, 60, 65, 70) == 2
    assert await shop.look(100, 150, 250) == 2, "once is what the app allows"
    first, second = await shop.engines.bank.query(
        "SELECT message_id, carrier_id, notes FROM message ORDER BY message_id"
    )
    assert second["carrier_id"] == shop.second != first["carrier_id"]
    (reason,) = (each for each in msgspec.json.decode(second["notes"])["route"] if each["code"].startswith("resend"))
    assert reason["code"] == "resend.likely_lost"
    values = reason["values"]
    assert values["gain_ppm"] * WORTH_MICRO > 1_000_000 * PRICE_MICRO
    assert 500_000 < values["answered_ppm"] <= 1_000_000
    assert values["price_micro"] == PRICE_MICRO
    assert (await shop.engines.bank.purse(shop.account)).balance == 10_000_000 - 2 * PRICE_MICRO
    await shop.become(second["message_id"], MessageState.DELIVERED)
    counted = "SELECT resent, sum(sent) AS sent, sum(converted) AS converted FROM stat_delta GROUP BY 1 ORDER BY 1"
    resent, first_sums = await shop.engines.bank.query(counted)
    assert (resent["resent"], resent["sent"], first_sums["sent"]) == (True, 1, 1), "the learner leaves the second out"
    shop.engines.clock.ahead = timedelta(0)
    assert await shop.engines.check(shop.account, sent, CODE) is CheckOutcome.VERIFIED
    (resent, _first) = await shop.engines.bank.query(counted)
    assert resent["converted"] == 1, "it was the last delivered one"
    rows = await statements.learning.learn_resent(
        shop.engines.bank.plain, since=shop.engines.clock() - timedelta(hours=1), minutes_from=0
    )
    again, superseded = sorted(rows, key=lambda row: row.superseded)
    assert (again.sent, again.delivered, again.undelivered, again.converted) == (1, 1, 0, 1)
    assert again.conversion_bucket >= 0
    assert (superseded.superseded, superseded.superseded_receipt, superseded.converted) == (1, ReceiptState.NONE, 0)
    assert 40 <= superseded.superseded_age_s <= 70


async def test_a_negative_receipt_sends_the_code_by_another_carrier_soon(shop: Shop) -> None:
    sent = await shop.send()
    await shop.become(sent.message_id, MessageState.UNDELIVERABLE)
    assert await shop.look(6) == 2
    (row,) = await shop.engines.bank.query("SELECT notes FROM message WHERE message_id > $1", sent.message_id)
    assert "resend.after_receipt" in row["notes"]


async def test_a_failure_is_looked_at_when_it_comes_and_not_at_the_next_look(shop: Shop) -> None:
    sent = await shop.send()
    assert await shop.look(6, 12, 20) == 1, "the next look is due at 30 s"
    await shop.become(sent.message_id, MessageState.UNDELIVERABLE)
    assert await shop.look(20) == 2


async def test_a_failure_that_comes_during_a_look_is_looked_at_after_it(shop: Shop) -> None:
    sent = await shop.send()
    shop.engines.clock.ahead = timedelta(seconds=6)
    (claimed,) = await statements.verifications.verification_steps_claim(
        shop.engines.bank.plain, now=shop.engines.clock(), lease=timedelta(seconds=60), rows_max=10
    )
    await shop.become(sent.message_id, MessageState.UNDELIVERABLE)
    await statements.verifications.verification_step_skip(
        shop.engines.bank.plain,
        account_id=claimed.account_id,
        verification_id=claimed.verification_id,
        steps_before=0,
        due_before=claimed.step_due_at,
        steps_done=0,
        step_due_at=shop.engines.clock() + timedelta(seconds=10),
    )
    assert await shop.look(6) == 2


async def test_a_number_that_does_not_exist_gets_no_second_message(shop: Shop) -> None:
    sent = await shop.send()
    await shop.become(sent.message_id, MessageState.UNDELIVERABLE)
    await shop.engines.bank.query("UPDATE message SET error_text = 'Unknown Subscriber'")
    assert await shop.look(6, 12, 30, 62) == 1


async def test_a_code_that_was_entered_or_tried_does_not_go_again(shop: Shop) -> None:
    for code in (None, "not it"):
        await shop.engines.bank.query("TRUNCATE verification, message, queue CASCADE")
        shop.engines.clock.ahead = timedelta(0)
        sent = await shop.engines.send(shop.account)
        await shop.learn()
        entered = code or await shop.engines.code(sent)
        await shop.engines.check(shop.account, sent, entered)
        assert await shop.look(6, 30, 62, 100) == 1, code


async def test_nothing_goes_again_that_is_not_worth_its_price_or_of_which_nothing_is_known(shop: Shop) -> None:
    await shop.engines.send(shop.account)
    assert await shop.look(6, 30, 62, 100) == 1, "nothing is known of these carriers"
    await shop.engines.bank.query("UPDATE verification SET step_due_at = NULL")
    app = msgspec.structs.replace(shop.app, resend_worth_micro=PRICE_MICRO)
    shop.account = msgspec.structs.replace(shop.account, apps={app.app_id: app})
    shop.engines.clock.ahead = timedelta(0)
    await shop.send()
    assert await shop.look(6, 30, 62, 100) == 2, "a person is worth no more than a message costs"


async def test_a_look_whose_process_died_is_made_by_another(shop: Shop) -> None:
    sent = await shop.send()
    await shop.become(sent.message_id, MessageState.UNDELIVERABLE)
    shop.engines.clock.ahead = timedelta(seconds=6)
    claimed = await statements.verifications.verification_steps_claim(
        shop.engines.bank.plain, now=shop.engines.clock(), lease=timedelta(seconds=60), rows_max=10
    )
    assert len(claimed) == 1
    assert await shop.look(7, 60) == 1, "it is another process's for a minute"
    assert await shop.look(67) == 2
