"""The carriers' pages: what they tell, who may switch a carrier, and what a drained one still does."""

import json

from homing.admin import carriers, routes
from homing.model import Outcome, UserRole
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.routing.catalogue_cache import read_catalogue
from homing.routing.rules import RouteRequest, RouteScope
from homing.store import statements
from tests.support.server import Server
from tests.support.viewer import Viewer, signed_in

HOSTILE = "<script>alert(1)</script>"


async def carrier(server: Server, name: str, kind: str = "simulator", **settings: object) -> int:
    return await carriers.add_carrier(server.database, name, kind, json.dumps(settings), server.vault)


async def shows(viewer: Viewer, path: str, *words: str) -> str:
    return await viewer.shows(path, *words)


async def test_each_carrier_is_listed_with_its_state_and_shown_without_its_secrets(
    server: Server, console: str
) -> None:
    await carrier(server, "far", "smpp", host="127.0.0.1", port=1, system_id="me", password="s3cretpw")
    server.secrets.add("s3cretpw")
    _name, viewer = await signed_in(console, server.database)
    listed = await shows(viewer, "/carriers", "far smpp Down 0 of 1")
    assert "simulator" in listed
    shown = await shows(viewer, "/carriers/far", "127.0.0.1", "(hidden)", "waiting")
    assert "s3cretpw" not in shown
    assert "SMPP 3.4 allows at most" not in shown
    assert "Flash messages supported" in shown
    await carrier(server, "wide", "smpp", host="127.0.0.1", port=1, system_id="x" * 20, password="p" * 8)
    await shows(viewer, "/carriers/wide", "System_id has 20 characters; SMPP 3.4 allows at most 15")
    assert (await viewer.get("/carriers/nothing")).status == 404
    assert (await viewer.get("/carriers/%00'--")).status == 404


async def test_what_a_carrier_did_not_take_is_counted_by_code_and_shown_as_text(server: Server, console: str) -> None:
    carrier_id = await carrier(server, "picky")
    await server.query(
        "INSERT INTO attempt (account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome,"
        " error_code, error_text, reason)"
        " SELECT 1, (extract(epoch FROM now())::bigint * 1000 - 1735689600000 << 12) | n, 1, $1, now(), now(),"
        " CASE WHEN n = 4 THEN 1 ELSE $2::int END, CASE WHEN n < 5 THEN '88' END, CASE WHEN n < 5 THEN $3 END,"
        " CASE WHEN n = 5 THEN $4::text::jsonb END FROM generate_series(1, 5) AS n",
        carrier_id,
        int(Outcome.DEFERRED),
        HOSTILE,
        encode_reason(Reason.of(ReasonCode.ATTEMPT_NO_CONNECTION)),
    )
    _name, viewer = await signed_in(console, server.database)
    await shows(
        viewer, "/carriers/picky", f"Deferred, will be retried 88 {HOSTILE} 3 ", "no free connection to the vendor 1 "
    )
    assert HOSTILE not in (await viewer.get("/carriers/picky")).text
    await server.query("DELETE FROM attempt WHERE carrier_id = $1", carrier_id)


async def test_a_drained_carrier_is_offered_to_no_message_and_runs_on(server: Server, console: str) -> None:
    carrier_id = await carrier(server, "full")
    account = await server.account()
    await routes.set_route(server.database, RouteScope(account.account_id, prefix="4455"), carrier_id=carrier_id)
    wanted = RouteRequest(account.account_id, "", "", 0, "445500001", "GB", "")
    _name, viewer = await signed_in(console, server.database)
    await shows(viewer, "/carriers", "full simulator Up")

    async def is_offered() -> bool:
        offered = (await read_catalogue(server.database)).rank(wanted, 1)
        return offered is not None and any(
            row.carrier_id == carrier_id for group in offered.tiers for row in group.candidates
        )

    assert await is_offered()
    await viewer.get("/carriers/full")
    version = (await viewer.get("/carriers/full")).text.split('name="version" value="')[1][:16]
    answer = await viewer.post("/carriers/full", {"course": "draining", "version": version})
    assert "Carrier full is draining" in (await viewer.follow(answer)).words
    assert not await is_offered()
    await shows(viewer, "/carriers", "full simulator Draining")
    row = await statements.admin.carrier_find(server.database, name="full", carrier_id=None)
    assert row
    assert carriers.carrier_mode_of(enabled=row.enabled, is_draining=row.is_draining) is carriers.CarrierMode.DRAINING
    stale = await viewer.post("/carriers/full", {"course": "disabled", "version": version})
    assert stale.status == 422
    assert "Someone else has changed this" in stale.words
    row = await statements.admin.carrier_find(server.database, name="full", carrier_id=None)
    assert row
    assert row.enabled, "a stale form changes nothing"
    version = stale.text.split('name="version" value="')[1][:16]
    assert (await viewer.post("/carriers/full", {"course": "enabled", "version": version})).status == 303
    assert await is_offered()
    assert (await viewer.post("/carriers/full", {"course": "away", "version": version})).status == 422


async def test_support_sees_carriers_and_switches_none_and_customers_see_nothing(server: Server, console: str) -> None:
    await carrier(server, "calm")
    account = await server.account()
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    page = await support.get("/carriers/calm")
    assert page.status == 200
    assert 'name="course"' not in page.text
    assert (await support.post("/carriers/calm", {"course": "disabled"})).status == 403
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    assert (await customer.get("/carriers")).status == 404
    assert (await customer.get("/carriers/calm")).status == 404
    assert (await customer.post("/carriers/calm", {"course": "disabled"})).status == 404
