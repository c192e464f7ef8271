"""Signed pushes of a running Homing, received with the published library, through retries and rotations."""

import asyncio
import json
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from homing import errors, limits
from homing.admin.signing_secrets import make_signing_secret, rotate_signing_secret, signing_key
from homing.delivery.signing import SigningKey, signed_headers
from homing.model import PushKind, UserRole
from homing.store.alarms import CLOCK, PROCESS, STEPPED_BACK, UNREADABLE_SECRETS, raise_alarm, read_alarms
from tests.support.command import homing, homing_json
from tests.support.server import Account, Server
from tests.support.sink import Push, Sink
from tests.support.viewer import signed_in
from tests.support.waiting import until

PAGE = Path(__file__).parents[2] / "docs" / "integrate" / "webhooks.md"
BODY = '{"event":"report","text":"验证码 – ok","cost":"0.0550"}'
PROGRAMS = {
    "python": (sys.executable, "py", "import json, sys\nprint(is_from_homing({headers}, {body}.encode(), {secret}))"),
    "js": ("node", "mjs", "console.log(isFromHoming({headers}, Buffer.from({body}), {secret}))"),
    "php": (
        "php",
        "php",
        "echo json_encode(is_from_homing(json_decode({headers_text}, true), json_decode({body_text}), {secret}));",
    ),
}


async def command(server: Server, *words: str) -> str:
    return await homing(server.dsn, *words, data=server.data)


async def secrets_of(server: Server, *account: str) -> list[str]:
    """The valid secrets, the current one first."""
    shown = await homing_json(server.dsn, "webhook", "secret", "show", *account, "--data", str(server.data))
    return [row["secret"] for row in shown]


def accepts(secret: str, push: Push) -> bool:
    try:
        Webhook(secret).verify(push.body, push.headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


async def send_by_laaffic(server: Server, account: Account, number: str = "8613800000001") -> None:
    reply = await server.client.laaffic(
        account,
        "POST",
        "/v3/sendSms",
        body={"appId": account.app, "numbers": number, "content": "Your code is 1234", "senderId": account.sender},
    )
    assert reply.json["status"] == "0", reply


async def send_by_lia(server: Server, account: Account, url: str) -> None:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber="8613800000001",
        textmessage="Your code is 1234",
        callback_url=url,
    )
    assert reply.json["status"] == "S", reply


async def replayed(server: Server, push_id: str) -> None:
    await command(server, "push", "replay", push_id.removeprefix("push_"))


async def test_reports_of_both_dialects_are_signed_and_their_bodies_are_as_stored(server: Server, sink: Sink) -> None:
    laaffic, lia = sink.box(), sink.box()
    account = await server.account(report_url=laaffic.url)
    other = await server.account()
    await send_by_laaffic(server, account)
    await send_by_lia(server, account, lia.url)
    (secret,) = await secrets_of(server, account.name)
    (others,) = await secrets_of(server, other.name)
    for push in (*await laaffic.first(), *await lia.first()):
        assert accepts(secret, push)
        assert not accepts(others, push)
        (row,) = await server.query(
            "SELECT body FROM push WHERE push_id = $1", int(push.headers["webhook-id"].removeprefix("push_"))
        )
        assert push.body == row["body"].encode()


async def test_a_retry_has_the_same_id_and_a_time_and_signature_of_its_own(server: Server, sink: Sink) -> None:
    box = sink.box(500, 200)
    account = await server.account(report_url=box.url)
    await send_by_laaffic(server, account)
    first, second = await box.first(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 4
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.body == second.body
    (secret,) = await secrets_of(server, account.name)
    assert accepts(secret, first)
    assert accepts(secret, second)


async def test_during_a_rotation_either_secret_is_accepted_until_the_previous_one_is_revoked(
    server: Server, sink: Sink
) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    await send_by_laaffic(server, account)
    (push,) = await box.first()
    (previous,) = await secrets_of(server, account.name)
    rotated = json.loads(await command(server, "webhook", "secret", "rotate", account.name, "--json"))
    assert await secrets_of(server, account.name) == [rotated["secret"], previous]

    async def pushed_again() -> Push:
        count = len(box.pushes)
        await replayed(server, push.headers["webhook-id"])
        return (await box.until(lambda pushes: len(pushes) > count))[-1]

    both = await until(pushed_again, lambda push: accepts(rotated["secret"], push))
    assert accepts(previous, both)
    assert both.headers["webhook-id"] == push.headers["webhook-id"]
    await command(server, "webhook", "secret", "revoke", account.name)
    assert await secrets_of(server, account.name) == [rotated["secret"]]
    alone = await until(pushed_again, lambda push: not accepts(previous, push))
    assert accepts(rotated["secret"], alone)
    refused = await homing(server.dsn, "webhook", "secret", "revoke", account.name, data=server.data, status=1)
    assert "no previous signing secret is valid" in refused


async def test_another_rotation_ends_the_secret_before_the_previous_one(server: Server) -> None:
    account = await server.account()
    (first,) = await secrets_of(server, account.name)
    own = make_signing_secret()
    await command(server, "webhook", "secret", "rotate", account.name, "--secret", own)
    assert await secrets_of(server, account.name) == [own, first]
    await command(server, "webhook", "secret", "rotate", account.name)
    third, second = await secrets_of(server, account.name)
    assert second == own
    assert third not in (own, first)
    await command(server, "webhook", "secret", "rotate", account.name, "--keep-hours", "0")
    (fourth,) = await secrets_of(server, account.name)
    assert fourth not in (own, first, third)


async def test_of_simultaneous_rotations_each_that_succeeds_gives_a_secret_that_signed(server: Server) -> None:
    account = await server.account()
    (first,) = await secrets_of(server, account.name)

    async def rotate() -> str | None:
        try:
            async with server.database.transaction() as transaction:
                return await rotate_signing_secret(transaction, server.vault, account.account_id, now=datetime.now(UTC))
        except errors.InvalidInput:
            return None

    rotated = [secret for secret in await asyncio.gather(*(rotate() for _ in range(8))) if secret]
    current, previous = await secrets_of(server, account.name)
    assert current in rotated
    assert previous in (first, *rotated)
    rows = await server.query(
        "SELECT before FROM audit WHERE kind = 'signing_secret' AND act = 'insert' AND account_id = $1",
        account.account_id,
    )
    assert len(rows) == 1 + len(rotated)


async def test_secrets_are_sealed_for_their_account_and_hidden_in_the_audit_log(server: Server) -> None:
    account, other = await server.account(), await server.account()
    (secret,) = await secrets_of(server, account.name)
    await command(server, "webhook", "secret", "rotate", account.name)
    rows = await server.query("SELECT * FROM signing_secret WHERE account_id = $1", account.account_id)
    assert signing_key(secret) not in b"".join(row["secret"] for row in rows)
    audited = await server.query(
        "SELECT act, before, after FROM audit WHERE kind = 'signing_secret' AND account_id = $1", account.account_id
    )
    assert {row["act"] for row in audited} == {"insert", "update", "show_secret"}
    assert not re.search(r"whsec_|\\x[0-9a-f]{8}", str(audited))
    await server.query(
        "INSERT INTO signing_secret (account_id, secret) SELECT $2, secret FROM signing_secret"
        " WHERE account_id = $1 AND expires_at IS NULL",
        account.account_id,
        other.account_id,
    )
    assert await secrets_of(server, other.name) == ["(sealed with another key: rotate it)"]


async def test_a_push_that_cannot_be_signed_waits_and_operators_have_an_alarm(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    await server.query("INSERT INTO signing_secret (account_id, secret) VALUES ($1, $2)", account.account_id, bytes(64))
    await send_by_laaffic(server, account)
    listed = await until(lambda: command(server, "alarm", "list"), lambda text: "unreadable_secrets" in text)
    assert "sealed with another key" in listed
    assert box.pushes == []
    await command(server, "webhook", "secret", "rotate", account.name)
    await server.query("UPDATE push SET due_at = now() WHERE account_id = $1", account.account_id)
    (push,) = await box.first()
    assert accepts((await secrets_of(server, account.name))[0], push)


async def test_alerts_are_signed_with_the_secret_of_whoever_receives_them(server: Server, sink: Sink) -> None:
    own, operators = sink.box(), sink.box()
    account = await server.account()
    for account_id, box in ((account.account_id, own), (0, operators)):
        await server.query(
            "INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at)"
            ' VALUES ($1, $2, 0, $3, $4, \'{"event":"guard.verdict"}\', now(), now())',
            account_id,
            account_id % limits.PUSH_LANES,
            int(PushKind.ALERT),
            box.url,
        )
    (secret,), (operators_secret,) = await secrets_of(server, account.name), await secrets_of(server)
    (alert,), (operators_alert,) = await own.first(), await operators.first()
    assert accepts(secret, alert)
    assert accepts(operators_secret, operators_alert)
    assert not accepts(secret, operators_alert)


@pytest.mark.parametrize("role", [UserRole.CUSTOMER, UserRole.OPERATOR])
async def test_the_page_of_credentials_shows_and_replaces_the_secret(
    role: UserRole, server: Server, console: str
) -> None:
    account = await server.account()
    is_own = role is UserRole.CUSTOMER
    _name, viewer = await signed_in(console, server.database, role, account.account_id if is_own else None)
    path = "/credentials" if is_own else f"/accounts/{account.name}/credentials"
    assert "whsec_" not in (await viewer.get(path)).text
    shown = await viewer.post(path, {"do": "show_signing"})
    assert re.findall(r"whsec_[^<]+", shown.text) == await secrets_of(server, account.name)
    replaced = await viewer.post(path, {"do": "rotate_signing"})
    assert re.findall(r"whsec_[^<]+", replaced.text) == await secrets_of(server, account.name)
    assert len(await secrets_of(server, account.name)) == 2
    await viewer.get(path)
    assert (await viewer.post(path, {"do": "revoke_signing"})).goes_to == path
    assert len(await secrets_of(server, account.name)) == 1


async def test_support_sees_no_secret(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/accounts/{account.name}/credentials"
    assert "signing" not in (await viewer.get(path)).text
    assert "whsec_" not in (await viewer.post(path, {"do": "show_signing"})).text


async def test_a_test_push_of_the_console_is_signed(server: Server, console: str, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    path = f"/apps/one?id={account.app}"
    await viewer.get(path)
    await viewer.post(path, {"do": "try", "url": "report_url"})
    (push,) = await box.first()
    assert push.headers["webhook-id"].startswith("push_test_")
    assert accepts((await secrets_of(server, account.name))[0], push)


@pytest.mark.parametrize("language", sorted(PROGRAMS))
async def test_the_programs_in_the_documents_tell_ours_from_others(language: str, tmp_path: Path) -> None:
    command, suffix, call = PROGRAMS[language]
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed on this machine")
    (program,) = re.findall(rf"^```{language} verify\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    current, previous = make_signing_secret(), make_signing_secret()
    now = datetime.now(UTC)
    keys = [SigningKey(signing_key(current), None), SigningKey(signing_key(previous), now + timedelta(hours=1))]
    headers = signed_headers(keys, "push_17", now, BODY)
    old = signed_headers(keys, "push_17", now - timedelta(minutes=6), BODY)
    cases = [
        (headers, BODY, current, True),
        (headers, BODY, previous, True),
        (headers, BODY + " ", current, False),
        (headers, BODY, make_signing_secret(), False),
        ({**headers, "webhook-id": "push_18"}, BODY, current, False),
        (old, BODY, current, False),
        ({}, BODY, current, False),
    ]
    calls = [
        call.format(
            headers=json.dumps(case_headers),
            body=json.dumps(body),
            secret=json.dumps(secret),
            headers_text=f"'{json.dumps(case_headers)}'",
            body_text=f"'{json.dumps(body).replace(chr(92), chr(92) * 2)}'",
        )
        + ("\necho PHP_EOL;" if language == "php" else "")
        for case_headers, body, secret, _expected in cases
    ]
    file = tmp_path / f"verify.{suffix}"
    text = "\n".join([program, *calls])
    file.write_text(f"<?php\n{text}" if language == "php" else text, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        command, str(file), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert [line.lower() == "true" for line in out.decode().split()] == [expected for *_case, expected in cases]


async def test_the_alarm_of_a_process_that_never_returns_is_over_soon(server: Server) -> None:
    """It raises the alarm each quarter of a minute while the fault lasts."""
    await raise_alarm(server.database, PROCESS, UNREADABLE_SECRETS, "a machine that was switched off", {})
    await raise_alarm(server.database, CLOCK, STEPPED_BACK, "a machine that was switched off", {})

    async def shown() -> set[str]:
        alarms = await read_alarms(server.database)
        return {alarm.code for alarm in alarms if alarm.subject == "a machine that was switched off"}

    assert await shown() == {UNREADABLE_SECRETS, STEPPED_BACK}
    await server.query(
        "UPDATE alarm SET last_at = now() - interval '3 minutes' WHERE subject = 'a machine that was switched off'"
    )
    assert await shown() == set()
    await server.query("DELETE FROM alarm WHERE subject = 'a machine that was switched off'")
