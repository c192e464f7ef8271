"""At level debug each stage of a message is logged with its ID; at level info none is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import server as serving
from tests.support.server import Account, Server
from tests.support.sink import Sink
from tests.support.waiting import until

NUMBER = "8613800000001"
STAGES = {
    "messages_accepted",
    "messages_claimed",
    "answers_recorded",
    "receipts_matched",
    "pushes_posted",
    "conversions_recorded",
}


async def message_with_conversion(server: Server, account: Account, sink: Sink) -> int:
    """The ID of a message that was delivered, reported to the customer and converted."""
    box = sink.box()
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber=NUMBER,
        textmessage="Your code is 123456",
        callback_url=box.url,
    )
    message_id: int = reply.json["message_id"]
    await box.until(lambda pushes: bool(pushes) and pushes[-1].json["DLRStatus"] == "Delivered")
    assert (await server.client.lia(account, "CTrack", message_id=message_id, status="true")).json["ErrorCode"] == 1000
    return message_id


def events_with(server: Server, message_id: int) -> set[str]:
    """The names of the events that have the message's ID, at any depth."""

    def has_id(value: Any) -> bool:
        if isinstance(value, list):
            return any(map(has_id, value))
        if isinstance(value, dict):
            return any(map(has_id, value.values()))
        return bool(value == message_id)

    return {line["event"] for line in server.log_lines() if has_id(line)}


@pytest.fixture(scope="module")
async def debugged(postgres: str, tmp_path_factory: pytest.TempPathFactory, worker: str) -> AsyncIterator[Server]:
    dsn = await serving.migrated_database(postgres, f"debug_log_{worker}")
    data: Path = tmp_path_factory.mktemp("debug_log")
    async with serving.running(dsn, data, HOMING_LOG_LEVEL="debug") as running:
        yield running


async def test_debug_shows_every_stage_of_a_message(debugged: Server, sink: Sink) -> None:
    account = await debugged.account()
    message_id = await message_with_conversion(debugged, account, sink)
    await until(lambda: events_with(debugged, message_id) >= STAGES)
    logs = debugged.logs
    assert NUMBER not in logs, "a number was logged"
    assert "123456" not in logs, "a text was logged"


async def test_info_shows_none(server: Server, sink: Sink) -> None:
    message_id = await message_with_conversion(server, await server.account(), sink)
    assert events_with(server, message_id) == set()
    assert not any(line["level"] == "debug" for line in server.log_lines())
