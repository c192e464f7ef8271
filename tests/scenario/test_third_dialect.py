"""A dialect that is not in src/ serves, sends and reports: nothing there has to know it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homing import config
from homing.admin import account_settings
from homing.console.snippets import Snippets
from homing.store import statements
from tests.support.server import Server, migrated_database, running
from tests.support.sink import Sink
from tests.third_dialect.dialect import NUMBER
from tests.third_dialect.registry import WITH_THIRD

DELIVERED = "8613800000001"


@pytest.fixture(scope="module")
async def their_server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    data = room / f"third-{worker}"
    data.mkdir()
    dsn = await migrated_database(postgres, f"third_{worker}")
    async with running(dsn, data, module="tests.third_dialect", HOMING_THIRD_GREETING="welcome") as made:
        yield made


async def credential(server: Server, account_id: int) -> dict[str, str]:
    async with server.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction, server.vault, account_id, WITH_THIRD.named("third")
        )
    assert made.key.startswith("third-")
    return {"Key": made.key, "Secret": made.secret}


async def test_a_message_is_sent_and_its_report_pushed_in_the_dialects_own_form(
    their_server: Server, sink: Sink
) -> None:
    account = await their_server.account(balance="1")
    headers = await credential(their_server, account.account_id)
    box = sink.box((200, {}), (202, {}))  # which alone it takes for an acknowledgement
    body = json.dumps({"to": f"+{DELIVERED}", "text": "hello", "tell": box.url}).encode()
    reply = await their_server.client.call("POST", "/third/send", headers=headers, body=body)
    assert (reply.status, reply.json["said"]) == (201, "welcome")
    first, second = await box.first(2)
    said = json.dumps(f"{DELIVERED}: Delivered").encode()
    assert (first.body, second.body) == (said, said)
    row = await statements.timeline.timeline_message(their_server.database, message_id=reply.json["id"])
    assert row is not None
    assert row.dialect == NUMBER
    other = await their_server.client.laaffic(account, "GET", "/v3/getBalance")
    assert other.json["status"] == "0"


async def test_its_refusals_have_the_codes_of_its_table(their_server: Server) -> None:
    account = await their_server.account()
    headers = await credential(their_server, account.account_id)
    statuses = []
    for given, to in ((headers, "12"), (headers, "9800000000"), ({**headers, "Secret": "no"}, DELIVERED)):
        body = json.dumps({"to": to, "text": "hello", "tell": ""}).encode()
        statuses.append((await their_server.client.call("POST", "/third/send", headers=given, body=body)).status)
    assert statuses == [422, 400, 400]


async def test_what_a_person_sends_is_pushed_in_its_form_too(their_server: Server, sink: Sink) -> None:
    box = sink.box((202, {}))
    account = await their_server.account(balance="1", inbound_url=box.url)
    body = {"appId": account.app, "numbers": "9725550000", "content": "hello?"}
    sent = await their_server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    assert sent.json["status"] == "0"
    await box.until(lambda pushes: any(push.body.startswith(b'"9725550000 says ') for push in pushes))


async def test_the_console_has_its_quickstart(their_server: Server) -> None:
    values = {name: f"the-{name}" for name in ("url", "key", "secret", "sender", "app", "number", "text")}
    (snippet,) = Snippets(WITH_THIRD).fill(WITH_THIRD.named("third"), values)
    assert "the-url/third/send" in snippet.program
    assert '"to": "the-number"' in snippet.program


def test_its_settings_have_defaults_and_are_held_to_their_shape(tmp_path: Path) -> None:
    assert config.by_heading(config.load(tmp_path, WITH_THIRD, {}))["third"] == {"greeting": "taken"}
