"""An app's settings for verification codes by Homing's own API."""

from urllib.parse import quote

from tests.support.server import QUEUED, Server
from tests.support.v1 import problem, v1_client

WORTH = {"amount": "0.5", "currency": "USD"}
WAITS = f"{QUEUED}20000009"


async def test_likely_lost_codes_are_sent_again_once_a_key_has_said_so(server: Server) -> None:
    client = await v1_client(server)
    path = f"/v1/apps/{client.account.app}"
    (app,) = (await client.get("/v1/apps")).json["apps"]
    assert (app["id"], app["resend_messages"], app["resend_worth"]["amount"]) == (client.account.app, 0, "0")
    problem(await client.call("PATCH", path, {"resend_messages": 1}), 422, "invalid_request")
    changed = await client.call("PATCH", path, {"resend_messages": 1, "resend_worth": {"amount": "0.50"}})
    assert (changed.status, changed.json["resend_messages"], changed.json["resend_worth"]) == (200, 1, WORTH)
    assert (await client.get(path)).json == changed.json
    row = await server.query_row("SELECT resend_messages, resend_worth_micro FROM app WHERE app_id = $1", app["id"])
    assert tuple(row) == (1, 500_000)
    key = client.token.split("_")[1]
    audited = "SELECT actor FROM audit WHERE account_id = $1 AND kind = 'app' ORDER BY audit_id DESC LIMIT 1"
    assert (await server.query_row(audited, client.account.account_id))["actor"] == f"api:{key}"


async def test_limits_hold_from_the_next_code_on_and_end_with_none(server: Server) -> None:
    client = await v1_client(server)
    path = f"/v1/apps/{client.account.app}"
    limit = {"messages": 1, "period": 2, "unit": "hour"}
    changed = await client.call("PATCH", path, {"code_expiry_s": 600, "total_limit": {"messages": 1, **limit}})
    assert (changed.json["total_limit"], changed.json["code_expiry_s"]) == (limit, 600)
    assert "number_limit" not in changed.json
    assert (await client.post("/v1/verifications", {"to": WAITS})).status == 201
    other = f"{QUEUED}20000008"
    problem(await client.post("/v1/verifications", {"to": other}), 429, "app_limit_reached")
    ended = await client.call("PATCH", path, {"total_limit": "none"})
    assert "total_limit" not in ended.json
    assert ended.json["code_expiry_s"] == 600
    assert (await client.post("/v1/verifications", {"to": other})).status == 201


async def test_apps_of_others_are_not_found_and_scopes_hold(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    for path in (f"/v1/apps/{other.account.app}", "/v1/apps/none", "/v1/apps/%00"):
        problem(await client.get(path), 404, "app_not_found")
        problem(await client.call("PATCH", path, {"code_expiry_s": 60}), 404, "app_not_found")
    reader = await v1_client(server, client.account, "apps:read")
    assert (await reader.get("/v1/apps")).status == 200
    refused = await reader.call("PATCH", f"/v1/apps/{client.account.app}", {"code_expiry_s": 60})
    problem(refused, 403, "scope_missing")


async def test_an_id_with_a_slash_is_found_percent_encoded(server: Server) -> None:
    client = await v1_client(server)
    app_id = f"shop/{client.account.account_id} a"
    await server.query(
        "INSERT INTO app (app_id, account_id, name) VALUES ($1, $2, $1)", app_id, client.account.account_id
    )
    path = f"/v1/apps/{quote(app_id, safe='')}"
    assert (await client.get(path)).json["id"] == app_id
    assert (await client.call("PATCH", path, {"code_expiry_s": 60})).json["code_expiry_s"] == 60
    assert (await client.get(path)).json["code_expiry_s"] == 60
