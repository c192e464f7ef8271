"""The `smpp` carrier against a message centre that others wrote: smpp34's server."""

import asyncio
import json
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.carriers.base import CarrierReport
from homing.carriers.kinds import make
from homing.intake.intake import utc_now
from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outcome
from homing.states import MessageState
from homing.text.segments import count
from tests.support.carriers import unmarked
from tests.support.server import free_port
from tests.support.waiting import in_time

RECEIPT = "id:{id} sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:hello"


def message(number: str, text: str) -> Outbound:
    whole = count(text)
    expires_at = datetime.now(UTC) + timedelta(hours=2)
    return Outbound(1, int(number), 1, number, "HOMING", text, int(whole.encoding), whole.parts, expires_at)


async def test_smpp34_is_bound_to_takes_messages_and_reports_them() -> None:
    smpp34 = pytest.importorskip("smpp34", reason="smpp34 is not installed")
    port = free_port()
    centre = smpp34.Server("127.0.0.1", port, system_id="centre")
    await centre.start()
    settings = {"host": "127.0.0.1", "port": port, "system_id": "homing", "password": "secret"}
    carrier = make("smpp", json.dumps(settings), random.Random(7), utc_now)
    reports: list[CarrierReport] = []
    submits: list[Any] = []

    async def serve() -> None:
        """What a centre does: takes each message but those to 0003, and reports what it took; one person answers."""
        customer = None
        while True:
            event = await centre.next()
            if isinstance(event, smpp34.Esme):
                customer = event
                continue
            submits.append(event)
            if event.destination_addr.endswith("0003"):
                event.reject(smpp34.ESME_RINVDSTADR)
                continue
            message_id = f"{len(submits):08x}"
            event.accept(message_id)
            assert customer is not None
            text = RECEIPT.format(id=message_id).encode()
            await customer.deliver_sm(event.source_addr, text, source_addr=event.destination_addr, esm_class=4)
            await customer.deliver_sm(event.source_addr, b"thanks", source_addr=event.destination_addr)

    async def read() -> None:
        async for batch in carrier.reports():
            reports.extend(batch)

    await carrier.open()
    tasks = [asyncio.create_task(serve()), asyncio.create_task(read())]
    answers: dict[str, Answer] = {}
    try:
        async with in_time():
            await carrier.until_room()
            batch = [
                message("4915112340001", "hello"),
                message("4915112340003", "hello"),
                message("4915112340004", "é€"),
            ]
            await carrier.submit(batch, lambda one, answer: answers.update({one.number: answer}), unmarked)
            while len(reports) < 4:
                for task in tasks:
                    assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await carrier.close()
        with suppress(Exception):
            await centre.stop()
    assert {number: answer.outcome for number, answer in answers.items()} == {
        "4915112340001": Outcome.ACCEPTED,
        "4915112340003": Outcome.REFUSED,
        "4915112340004": Outcome.ACCEPTED,
    }
    assert answers["4915112340003"].error_code == "11"
    first = next(one for one in submits if one.destination_addr == "4915112340001")
    assert (first.source_addr, first.source_addr_ton, first.dest_addr_ton) == ("HOMING", 5, 1)
    assert (bytes(first.short_message), first.registered_delivery) == (b"hello", 1)
    receipts = [one for one in reports if isinstance(one, CarrierReceipt)]
    taken = {answer.carrier_ref for answer in answers.values() if answer.outcome is Outcome.ACCEPTED}
    assert {one.carrier_ref for one in receipts} == taken
    assert {(one.state, one.number) for one in receipts} == {
        (MessageState.DELIVERED, "4915112340001"),
        (MessageState.DELIVERED, "4915112340004"),
    }
    replies = [one for one in reports if isinstance(one, CarrierInbound)]
    assert {(one.number, one.recipient, one.content) for one in replies} == {
        ("4915112340001", "HOMING", "thanks"),
        ("4915112340004", "HOMING", "thanks"),
    }
