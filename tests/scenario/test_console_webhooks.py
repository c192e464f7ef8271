"""Webhook endpoints in the console: made, tried, switched, replayed and removed by their owner, seen by staff."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from standardwebhooks import Webhook

from homing.model import UserRole
from tests.support.server import Server
from tests.support.sink import Sink
from tests.support.v1 import v1_client
from tests.support.viewer import Viewer, signed_in
from tests.support.waiting import until

HOSTILE = "<script>alert(1)</script>"


def form(viewer: Viewer, *types: str, **values: str) -> bytes:
    return urlencode([("form_token", viewer.form_token), *values.items(), *(("type", each) for each in types)]).encode()


async def test_a_customer_runs_an_endpoint_and_another_account_does_not_see_it(
    server: Server, console: str, sink: Sink
) -> None:
    box, client = sink.box(), await v1_client(server)
    account = client.account
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    await viewer.shows("/webhooks", "No webhook endpoints yet", "New endpoint")
    refused = await viewer.post("/webhooks", form(viewer, "message.delivered", url="ftp://x", description=HOSTILE))
    assert "is not a valid http or https URL" in refused.words
    assert HOSTILE not in refused.text
    made = await viewer.post("/webhooks", form(viewer, "message.delivered", url=box.url, description=HOSTILE))
    secret = next(word for word in made.words.split() if word.startswith("whsec_"))
    (row,) = await server.query("SELECT webhook_id FROM webhook WHERE account_id = $1", account.account_id)
    page = f"/webhooks/one?id={row['webhook_id']}"
    listed = await viewer.get("/webhooks")
    assert page in listed.text
    assert secret not in listed.text
    assert HOSTILE not in listed.text
    await viewer.get(page)
    tried = await viewer.post(page, {"do": "test"})
    assert "acknowledged" in tried.words
    assert "the sink has it" in tried.words
    Webhook(secret).verify(box.pushes[0].body, box.pushes[0].headers)

    assert (await client.post("/v1/messages", {"to": "8613800130001", "text": "x"})).status == 201
    event = (await box.first(2))[1].json
    await until(lambda: viewer.get(page), lambda seen: "HTTP 200" in seen.words)
    for values in ({"do": "replay", "span": "1h"}, {"do": "replay_event", "event": event["id"].removeprefix("evt_")}):
        before = len(box.pushes)
        answer = await viewer.post(page, values)
        assert "pushed again" in (await viewer.follow(answer)).words
        assert (await box.first(before + 1))[-1].json == event

        async def acknowledged() -> bool:
            query = "SELECT FROM push WHERE account_id = $1 AND due_at IS NULL"
            return bool(await server.query(query, account.account_id))

        await until(acknowledged)

    _name, stranger = await signed_in(console, server.database, UserRole.CUSTOMER, (await server.account()).account_id)
    assert (await stranger.get(page)).status == 404
    assert (await stranger.post(page, {"do": "remove"})).status == 404
    await viewer.get(page)
    await viewer.post(page, {"do": "disable"})
    await viewer.shows(page, "Disabled")
    await viewer.post(page, {"do": "enable"})
    rotated = await viewer.post(page, {"do": "rotate"})
    assert secret not in rotated.text
    assert "whsec_" in rotated.text
    await viewer.get(page)
    await viewer.post(page, {"do": "remove"})
    assert (await viewer.get(page)).status == 404


async def test_staff_sees_what_failed_and_the_reason_why_an_endpoint_is_disabled(
    server: Server, console: str, sink: Sink
) -> None:
    box, client = sink.box(500), await v1_client(server)
    webhook = (await client.post("/v1/webhooks", {"url": box.url, "types": ["message.delivered"]})).json
    assert (await client.post("/v1/messages", {"to": "8613800130001", "text": "x"})).status == 201
    await box.first()
    _name, operator = await signed_in(console, server.database)
    page = f"/accounts/{client.account.name}/webhooks/one?id={webhook['id']}"
    await operator.shows(page, "Failing", "HTTP 500", "Retrying")
    await server.query(
        "UPDATE webhook SET is_enabled = false, disabled_at = now(), disabled_for_failures = true"
        " WHERE webhook_id = $1",
        int(webhook["id"]),
    )
    await operator.shows(page, "Disabled after failures", "it had failed for days")
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, client.account.account_id)
    await customer.shows("/", f"Webhook endpoint {box.url} was disabled: it has failed for days.")
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    assert "Remove the endpoint" not in (await support.get(page)).words
    assert (await support.post(page, {"do": "remove"})).status == 403
    await operator.get(page)
    await operator.post(page, {"do": "enable"})
    await operator.shows(page, "Enabled")


async def test_operators_send_an_accounts_pushes_of_a_time_span_again(server: Server, console: str, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    reply = await server.client.laaffic(
        account,
        "POST",
        "/v3/sendSms",
        body={"appId": account.app, "numbers": "8613800000001", "content": "x", "senderId": account.sender},
    )
    assert reply.json["status"] == "0", reply
    query = "SELECT FROM push WHERE account_id = $1 AND outcome = 1"
    await until(lambda: server.query(query, account.account_id))
    _name, operator = await signed_in(console, server.database)
    await operator.get("/pushes")
    span = {"do": "span", "account": account.name, "from": f"{datetime.now(UTC):%Y-%m-%dT00:00}"}
    answer = await operator.post("/pushes", span)
    assert "One push will be sent again" in (await operator.follow(answer)).words
    first, again = await box.first(2)
    assert first.body == again.body
    wrong = await operator.post("/pushes", {**span, "from": "yesterday"})
    assert "is not a time" in wrong.words
