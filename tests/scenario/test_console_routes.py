"""The routes' pages: making, changing and removing a route, what would become of a number, and what is learnt."""

import re

from homing.admin import carriers, prices, routes
from homing.model import Strategy, UserRole
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.routing.rules import RouteScope
from tests.support.server import Server
from tests.support.viewer import Viewer, signed_in
from tests.support.waiting import until

SIMULATOR = "simulator-a"


async def made_by(viewer: Viewer, **values: str) -> int:
    """Makes a route by the form; gives its id."""
    await viewer.get("/routes/new")
    answer = await viewer.post("/routes/new", {"carrier": SIMULATOR, "priority": "10", "weight": "1", **values})
    page = await viewer.follow(answer)
    assert f"to carrier {SIMULATOR} added." in page.words, page.words
    return int(page.words.split("Route ", 1)[1].split(" ", 1)[0])


async def version_of(viewer: Viewer, route_id: int) -> str:
    page = await viewer.get(f"/routes/{route_id}")
    return page.text.split('name="version" value="')[1][:16]


async def test_a_route_is_made_tried_changed_and_removed(server: Server, console: str) -> None:
    account = await server.account(prices={"4477": "0.05"})
    _name, viewer = await signed_in(console, server.database)
    route_id = await made_by(viewer, prefix="+4477", account=account.name, ceiling="0.04", strategy="3")
    listed = (await viewer.get(f"/routes?account={account.name}")).words
    assert f"+4477 {account.name} Least cost {SIMULATOR} priority 10, weight 1 $0.04" in listed
    tried = await viewer.get(f"/routes/explain?number=%2B447700900001&account={account.name}")
    assert "United Kingdom" in tried.words
    assert f"{SIMULATOR} 1 – 10 1 " in tried.words
    assert "only carrier at its priority level" in tried.words

    version = await version_of(viewer, route_id)
    changed = {"version": version, "do": "change", "priority": "3", "weight": "2", "strategy": "1", "ceiling": ""}
    assert (await viewer.post(f"/routes/{route_id}", changed)).status == 303
    row = await server.query_row("SELECT * FROM route WHERE route_id = $1", route_id)
    assert (row["priority"], row["weight"], row["strategy"], row["ceiling_micro"]) == (3, 2, Strategy.PRIORITY, None)
    stale = await viewer.post(f"/routes/{route_id}", {**changed, "priority": "9"})
    assert stale.status == 422
    assert "Someone else has changed this" in stale.words

    version = await version_of(viewer, route_id)
    assert (await viewer.post(f"/routes/{route_id}", {"version": version, "do": "remove"})).status == 303
    assert (await viewer.get(f"/routes/{route_id}")).status == 404
    assert (await viewer.post(f"/routes/{route_id}", {"version": version, "do": "remove"})).status == 404


async def test_what_cannot_be_a_route_is_said_and_what_was_entered_stays(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    before = await server.query_row("SELECT count(*) AS routes FROM route")
    refused = {
        "is not a valid prefix": {"prefix": "44x7"},
        "only one of them": {"prefix": "44", "country": "gb"},
        "is not a two-letter country code": {"country": "GBR"[:1]},
        "is not a network code": {"network": "460"},
        "is not a valid": {"ceiling": "cheap"},
        "The weight must be between 1 and": {"weight": "0"},
        "is not a whole number": {"priority": "-1"},
        "Account nobody does not exist": {"account": "nobody"},
        "App 'nope' does not exist": {"app": "nope"},
        "Carrier 'void' does not exist": {"carrier": "void"},
    }
    for words, values in refused.items():
        await viewer.get("/routes/new")
        page = await viewer.post("/routes/new", {"carrier": SIMULATOR, "priority": "10", "weight": "1", **values})
        assert page.status == 422, values
        assert words in page.words, (words, page.words)
        if "prefix" in values:
            assert f'value="{values["prefix"]}"' in page.text
    assert await server.query_row("SELECT count(*) AS routes FROM route") == before
    for path in ("/routes/nothing", "/routes/99999999999999", "/routes/%00"):
        assert (await viewer.get(path)).status == 404


async def test_trying_a_number_tells_why_it_is_refused(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    assert "no price for this number" in (await viewer.get("/routes/explain?number=995550000001")).words
    assert "no route for this number" in (await viewer.get("/routes/explain?number=98555000001")).words
    assert "international format" in (await viewer.get("/routes/explain?number=%3Cscript%3E")).words
    assert "does not exist" in (await viewer.get("/routes/explain?number=98555000001&account=x%27y")).words
    dear = await carriers.add_carrier(server.database, "dear", "simulator")
    account = await server.account(prices={"4466": "0.01"})
    async with server.database.transaction() as transaction:
        await prices.set_costs(transaction, dear, [("44", 50_000)])
    await routes.set_route(server.database, RouteScope(account.account_id, prefix="4466"), carrier_id=dear)
    page = await viewer.get(f"/routes/explain?number=446600000001&account={account.name}")
    assert "exceed the cost limit" in page.words
    assert "costs 0.05 USD a segment, above the ceiling of 0.01 USD" in page.words


async def test_trying_a_number_tells_the_cheapest_and_how_much_dearer_the_others_are(
    server: Server, console: str
) -> None:
    _name, viewer = await signed_in(console, server.database)
    account = await server.account(prices={"4467": "0.09"})
    for name, cost_micro in (("at-three", 30_000), ("at-five", 50_000)):
        carrier = await carriers.add_carrier(server.database, name, "simulator")
        async with server.database.transaction() as transaction:
            await prices.set_costs(transaction, carrier, [("4467", cost_micro)])
        await routes.set_route(
            server.database,
            RouteScope(account.account_id, prefix="4467"),
            carrier_id=carrier,
            strategy=Strategy.LEAST_COST,
        )
    words = re.compile(r"at-three 1 .*? cheapest at-five 2 .*? \$0\.02 more than the cheapest")
    path = f"/routes/explain?number=446700000001&account={account.name}"
    await until(lambda: viewer.get(path), lambda page: words.search(page.words))  # once a link has both up


async def test_what_is_learnt_is_shown_by_cell_and_script_in_it_as_text(server: Server, console: str) -> None:
    account = await server.account()
    hostile = "<script>alert(1)</script>"
    await server.query(
        "WITH made AS (INSERT INTO learn_choice (account_id, made_at, app_id, country, network, rule, reason, rests_on)"
        " VALUES ($1, now(), $2, 'GB', '23410', '[0]', $3::text::jsonb, $4::text::jsonb) RETURNING *)"
        " INSERT INTO learn_shares (account_id, app_id, country, network, rule, version, carriers, weights, reason,"
        " made_at) SELECT account_id, app_id, country, network, rule, version, '{1}', '{10000}', reason, made_at"
        " FROM made",
        account.account_id,
        account.app,
        encode_reason(Reason.of(ReasonCode.LEGACY_TEXT, text=hostile)),
        '{"candidates": [{"carrier_id": 1, "share": 10000, "messages": 40, "conversions": 20, "mean": 0.5, "low": 0.4,'
        ' "high": 0.6, "delivered": 0.9, "cost_micro": 20000, "source": "conversions"}]}',
    )
    _name, viewer = await signed_in(console, server.database)
    page = await viewer.get(f"/routes/learnt?app={account.app}")
    assert f"{account.name} · {account.app} · United Kingdom · 234-10" in page.words
    assert f"{SIMULATOR} 100% 50.0% 40.0% – 60.0% 40 90.0% $0.02 Conversions" in page.words
    assert hostile in page.words
    assert hostile not in page.text
    assert "No data yet" in (await viewer.get("/routes/learnt?app=nobody")).words
    await server.query("DELETE FROM learn_shares WHERE account_id = $1", account.account_id)
    await server.query("DELETE FROM learn_choice WHERE account_id = $1", account.account_id)


async def test_support_reads_routes_and_customers_do_not(server: Server, console: str) -> None:
    account = await server.account()
    carrier = await carriers.find_carrier(server.database, SIMULATOR)
    made = await routes.set_route(
        server.database, RouteScope(account.account_id, prefix="4488"), carrier_id=carrier.carrier_id
    )
    path = f"/routes/{made.route_id}"
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    page = await support.get(path)
    assert page.status == 200
    assert 'name="version"' not in page.text
    assert (await support.post(path, {"do": "remove"})).status == 403
    assert (await support.post("/routes/new", {"carrier": SIMULATOR, "prefix": "1"})).status == 403
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    for hidden in ("/routes", path, "/routes/new", "/routes/explain?number=8613800138000", "/routes/learnt"):
        assert (await customer.get(hidden)).status == 404
