"""Pushes and unmatched receipts in the console: what failed is seen and moved, within bounds, by those who may."""

from datetime import UTC, datetime

import asyncpg

from homing.model import UserRole
from tests.support.server import Account, Server
from tests.support.viewer import signed_in
from tests.support.waiting import until

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"


async def give_up(server: Server, account: Account, count: int = 1, answer: str = "no") -> list[int]:
    """Pushes of an account that were given up, each of a message of its own, the first one's id first."""
    rows: list[asyncpg.Record] = await server.query(
        "INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, attempts, outcome)"
        " SELECT $1, 0, nextval('push_push_id_seq'), 2, 1, 'http://127.0.0.1:9/reports', '{}', now(), 11, 2"
        " FROM generate_series(1, $2::int) RETURNING push_id",
        account.account_id,
        count,
    )
    pushes = [row["push_id"] for row in rows]
    await server.query(
        "INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)"
        " SELECT $1, unnest($2::bigint[]), 11, now(), 5, 502, $3",
        account.account_id,
        pushes,
        answer,
    )
    return sorted(pushes)


async def outcomes(server: Server, account: Account) -> list[int]:
    rows = await server.query("SELECT outcome FROM push WHERE account_id = $1 ORDER BY push_id", account.account_id)
    return [row["outcome"] for row in rows]


async def lose(server: Server, carrier: str, count: int = 1, raw: str = "id:lost") -> list[int]:
    """Receipts of a carrier that have found no message, the latest first."""
    now = datetime.now(UTC)
    rows = await server.query(
        "INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, raw, given_up_at, number)"
        " SELECT carrier_id, 'lost' || n, $3::timestamptz - n * interval '1 min', 3, $4, now(), '8613800000000'"
        " FROM carrier, generate_series(1, $2::int) AS n WHERE name = $1 RETURNING parked_id",
        carrier,
        count,
        now,
        raw,
    )
    return [row["parked_id"] for row in rows]


async def carrier(server: Server, name: str) -> str:
    await server.query(
        "INSERT INTO carrier (name, kind, settings, enabled) VALUES ($1, 'simulator', '{}', false)", name
    )
    return name


# ---- Pushes


async def test_pushes_that_were_given_up_are_seen_with_the_answer_and_sent_again(server: Server, console: str) -> None:
    account = await server.account()
    (push,) = await give_up(server, account, answer=f"Bad gateway {HOSTILE}")
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/pushes?account={account.name}"
    seen = await viewer.get(path)
    assert f"HTTP 502: Bad gateway {HOSTILE}" in seen.words
    assert "<img" not in seen.text
    again = await viewer.post(path, {"push": str(push)})
    assert again.goes_to == path
    assert "The push will be sent again." in (await viewer.follow(again)).words
    assert await outcomes(server, account) == [0]
    await until(
        lambda: viewer.get(f"{path}&show=failing"), lambda seen: "Retrying" in seen.words.partition("Attempts")[2]
    )
    assert (await viewer.post(path, {"push": str(push)})).status == 422, "it has not ended"
    for wrong in ("", "x", "9" * 30):
        assert (await viewer.post(path, {"push": wrong})).status == 422


async def test_all_of_an_account_go_out_again_once_that_is_confirmed(server: Server, console: str) -> None:
    account, other = await server.account(), await server.account()
    await give_up(server, account, 3)
    await give_up(server, other)
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    page = await viewer.get(f"/pushes/replay?account={account.name}")
    assert "3 failed pushes will be sent again" in page.words
    latest = page.text.partition('name="latest" value="')[2].partition('"')[0]
    later = await give_up(server, account)
    done = await viewer.post("/pushes/replay", {"account": account.name, "latest": latest})
    assert "3 pushes will be sent again." in (await viewer.follow(done)).words
    assert await outcomes(server, account) == [0, 0, 0, 2], "what came after one looked stays"
    assert await outcomes(server, other) == [2]
    (row,) = await server.query("SELECT * FROM audit WHERE kind = 'push' AND account_id = $1", account.account_id)
    assert row["subject"].startswith("3: ")
    assert later[0] > int(latest)
    assert (await viewer.post("/pushes/replay", {"account": "nobody", "latest": "1"})).status == 404
    assert (await viewer.post("/pushes/replay", {"account": account.name, "latest": "x"})).status == 422


async def test_a_customer_sees_the_own_pushes_and_sends_none(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    (own,), (others,) = await give_up(server, mine), await give_up(server, other)
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, mine.account_id)
    for path in ("/pushes", f"/pushes?account={other.name}", "/pushes?show=recent", "/pushes?show=failing"):
        words = (await viewer.get(path)).words
        assert f"{others} ·" not in words, path
        assert (f"{own} ·" in words) is ("failing" not in path), path
    assert (await viewer.post("/pushes", {"push": str(own)})).status == 403
    assert (await viewer.get("/pushes/replay")).status == 404
    assert await outcomes(server, mine) == [2]


async def test_a_filter_that_names_nobody_is_told_so(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    assert "Account nobody does not exist." in (await viewer.get("/pushes?account=nobody")).words
    for path in ("/pushes?show=x&before=x", "/pushes?before=1", "/pushes?before=" + "9" * 18):
        assert (await viewer.get(path)).status == 200


# ---- Receipts


async def test_an_unmatched_receipt_tells_why_and_is_looked_into_again(server: Server, console: str) -> None:
    name = await carrier(server, "lost-a")
    (parked,) = await lose(server, name, raw=f"id:lost1 text:{HOSTILE}")
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    for path in (f"/receipts?carrier={name}", f"/receipts/{parked}"):
        seen = await viewer.get(path)
        assert f"id:lost1 text:{HOSTILE}" in seen.words
        assert "<img" not in seen.text
    assert "No message has a matching ID" in seen.words
    again = await viewer.post(f"/receipts/{parked}")
    assert "try to match the receipt" in (await viewer.follow(again)).words
    (row,) = await server.query("SELECT given_up_at, replays FROM parked_receipt WHERE parked_id = $1", parked)
    assert (row["given_up_at"], row["replays"]) == (None, 1)
    assert "Matching in progress" in (await viewer.get(f"/receipts/{parked}")).words
    assert (await viewer.post("/receipts", {"receipt": str(parked)})).status == 422, "it is looked for already"
    for wrong in ("/receipts/x", "/receipts/" + "9" * 18, "/receipts/0"):
        assert (await viewer.get(wrong)).status == 404
    (act,) = await server.query("SELECT act FROM audit WHERE kind = 'receipt' AND subject = $1", str(parked))
    assert act["act"] == "replay"


async def test_receipts_are_listed_page_by_page_by_carrier(server: Server, console: str) -> None:
    name, other = await carrier(server, "lost-b"), await carrier(server, "lost-c")
    parked, _others = await lose(server, name, 57), await lose(server, other, 2)
    _name, viewer = await signed_in(console, server.database)
    found: list[int] = []
    path = f"/receipts?carrier={name}"
    while path:
        seen = await viewer.get(path)
        found += [int(one.partition('"')[0]) for one in seen.text.split('<a href="/receipts/')[1:] if one[0].isdigit()]
        _link, older, after = seen.text.partition(f'href="?carrier={name}&amp;before=')
        path = f"/receipts?carrier={name}&before={after.partition(chr(34))[0]}" if older else ""
    assert found == parked, "each once, the latest first"
    assert "Carrier nobody does not exist." in (await viewer.get("/receipts?carrier=nobody")).words
    for before in ("x", "1", "1.x", "9" * 40 + ".1", "1.1"):
        assert (await viewer.get(f"/receipts?before={before}")).status == 200


async def test_only_operators_forget_and_they_are_asked_first(server: Server, console: str) -> None:
    name, other = await carrier(server, "lost-d"), await carrier(server, "lost-e")
    await lose(server, name, 3)
    (kept,) = await lose(server, other)
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    assert (await support.get("/receipts/drop")).status == 404
    assert "/receipts/drop" not in (await support.get("/receipts")).text
    assert (await support.post("/receipts/drop", {"carrier": name})).status == 404
    _name, viewer = await signed_in(console, server.database)
    assert "3 receipts will be deleted" in (await viewer.get(f"/receipts/drop?carrier={name}")).words
    done = await viewer.post("/receipts/drop", {"carrier": name})
    assert "3 receipts deleted." in (await viewer.follow(done)).words
    assert (await viewer.get(f"/receipts/{kept}")).status == 200
    await viewer.follow(await viewer.post("/receipts/drop", {"receipt": str(kept)}))
    assert (await viewer.get(f"/receipts/{kept}")).status == 404
    assert (await viewer.post("/receipts/drop", {"receipt": "x"})).status == 422
    assert (await viewer.get("/receipts/drop?carrier=nobody")).status == 404


async def test_all_receipts_of_a_carrier_are_looked_into_again(server: Server, console: str) -> None:
    name = await carrier(server, "lost-f")
    await lose(server, name, 4)
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    assert "4 receipts" in (await viewer.get(f"/receipts/replay?carrier={name}")).words
    done = await viewer.post("/receipts/replay", {"carrier": name})
    assert "Retrying to match 4 receipts." in (await viewer.follow(done)).words
    assert (await viewer.post("/receipts/replay", {"carrier": "nobody"})).status == 404


async def test_customers_know_of_no_receipts(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    for path in ("/receipts", "/receipts/1", "/receipts/replay", "/receipts/drop"):
        assert (await viewer.get(path)).status == 404, path
    assert (await viewer.get("/")).text.count('href="/receipts"') == 0


async def test_unmatched_replies_are_listed_tried_again_and_forgotten(server: Server, console: str) -> None:
    carrier = await server.query_row("SELECT carrier_id FROM carrier LIMIT 1")
    reply = await server.query_row(
        "INSERT INTO unmatched_inbound (carrier_id, number, recipient, content, carrier_ref, received_at)"
        " VALUES ($1, '4915112340000', 'NOWHERE', $2, '', now()) RETURNING unmatched_id",
        carrier["carrier_id"],
        HOSTILE,
    )
    unmatched = str(reply["unmatched_id"])
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    page = await viewer.get("/replies")
    assert "4915112340000" in page.words
    assert "NOWHERE" in page.words
    assert "<img src=x" not in page.text
    assert "Unmatched inbound messages in the last 24 hours" in (await viewer.get("/")).words
    assert "within seconds" in (await viewer.follow(await viewer.post("/replies", {"replay": unmatched}))).words
    row = await server.query_row("SELECT replays FROM unmatched_inbound WHERE unmatched_id = $1", reply["unmatched_id"])
    assert row["replays"] == 1
    assert "deleted" in (await viewer.follow(await viewer.post("/replies", {"drop": unmatched}))).words
    assert await server.query("SELECT FROM unmatched_inbound WHERE unmatched_id = $1", reply["unmatched_id"]) == []
    for wrong in ({"drop": "x"}, {"replay": unmatched}, {}):
        assert (await viewer.post("/replies", wrong)).status == 422
