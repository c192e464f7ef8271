"""The overview: its figures are those of the messages, of one's own account alone for a customer."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from homing.admin import carriers
from homing.console.alerts import AttentionItem, read_attention
from homing.model import PeriodGrain, UserRole
from homing.statistics.overview import read_overview
from homing.store.alarms import ACCOUNT_SKIPPED, CARRIER, FAILED, GUARD, LEARNER, clear_alarms, raise_alarm
from tests.support.command import homing, homing_json
from tests.support.server import Account, Server
from tests.support.viewer import Viewer, signed_in
from tests.support.waiting import until


async def send(server: Server, account: Account, *numbers: str) -> None:
    reply = await server.client.laaffic(
        account,
        "POST",
        "/v3/sendSms",
        body={"appId": account.app, "numbers": ",".join(numbers), "content": "Your code"},
    )
    assert reply.json["status"] == "0", reply


async def seen(viewer: Viewer, path: str, *words: str) -> str:
    """The page once it shows these words."""
    return await viewer.shows(path, *words)


async def test_figures_are_those_of_the_messages_over_time_by_country_and_by_carrier(server: Server) -> None:
    account = await server.account()
    await send(server, account, *(f"86138001{n}0001" for n in range(3)), "919876500002")

    await until(
        lambda: read_overview(server.database, PeriodGrain.MINUTE, 60, datetime.now(UTC), account.account_id),
        lambda overview: overview.total.delivered + overview.total.undelivered == 4,
    )
    now = datetime.now(UTC)
    overview = await read_overview(server.database, PeriodGrain.MINUTE, 60, now, account.account_id)
    total = overview.total
    assert (total.submitted, total.sent, total.delivered, total.undelivered) == (4, 4, 3, 1)
    assert total.under_way == 0
    assert total.revenue_micro == 3 * 31_000 + 4_000
    assert len(overview.periods) == 60
    assert overview.first_minute == int(now.timestamp()) // 60 - 59
    assert sum(one.submitted for one in overview.periods[-3:]) == 4
    assert {code: one.submitted for code, one in overview.countries.items()} == {"CN": 3, "IN": 1}
    assert list(overview.countries) == ["CN", "IN"], "the largest first"
    assert sum(one.submitted for one in overview.carriers.values()) == 4
    daily = await read_overview(server.database, PeriodGrain.DAY, 30, now, account.account_id)
    assert (daily.total.submitted, len(daily.periods)) == (4, 30)


async def test_a_customer_sees_the_own_account_and_no_costs(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, mine.account_id)
    assert "No messages in this time range" in (await viewer.get("/")).words
    await send(server, other, "8613800130001")
    await send(server, mine, "919876500001", "919876600001")
    words = await seen(viewer, "/?span=1h", "India")
    assert "Messages 2" in words
    assert "China" not in words
    assert "carrier cost" not in words
    assert "simulator" not in words


async def test_every_span_and_language_is_shown_whatever_is_asked(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    for path in ("/?span=1h", "/?span=24h", "/?span=7d", "/?span=30d", "/?span=%27--", "/?span=" + "x" * 5000):
        assert (await viewer.get(path)).status == 200
    chinese = await viewer.get("/", accept_language="zh-CN,zh;q=0.9")
    assert '<html lang="zh-Hans"' in chinese.text
    assert "概览" in chinese.words
    await viewer.get("/")
    switched = await viewer.post("/preferences", {"language": "zh-Hant", "theme": "dark", "back": "/?span=7d"})
    page = await viewer.follow(switched)
    assert switched.goes_to == "/?span=7d"
    assert '<html lang="zh-Hant" data-theme="dark">' in page.text
    assert "總覽" in page.words


async def test_times_are_shown_in_the_zone_of_the_cookie(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    assert "Time zone: UTC" in (await viewer.get("/")).words
    viewer.cookies["homing_zone"] = "Asia/Shanghai"
    assert "Time zone: Asia/Shanghai" in (await viewer.get("/")).words
    viewer.cookies["homing_zone"] = "../../etc/passwd"
    assert "Time zone: UTC" in (await viewer.get("/")).words


async def test_what_wants_attention_is_told(server: Server) -> None:
    account = await server.account(balance="0.05")
    await send(server, account, "8613800130001")
    async with server.database.transaction() as transaction:
        await carriers.add_carrier(
            transaction, "sleeping", "smpp", json.dumps({"host": "127.0.0.1", "port": 1, "system_id": "x"})
        )
    await server.query(
        "INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, outcome)"
        " SELECT $1, 0, 1, 1, 'https://dead.example/', '', now(), 2 FROM generate_series(1, 50)",
        account.account_id,
    )

    def texts(matters: Sequence[AttentionItem]) -> list[str]:
        return [matter.text.format(**matter.values) for matter in matters]

    # The worst few accounts are listed of all: other tests' may be worse off, so that this one's balance is looked for
    # among its own matters.
    own = await until(
        lambda: read_attention(server.database, datetime.now(UTC), account.account_id),
        lambda matters: any(f"Account {account.name} has" in text for text in texts(matters)),
    )
    assert all("arrier" not in matter.text for matter in own), "carriers are not a customer's business"
    matters = await until(
        lambda: read_attention(server.database, datetime.now(UTC)),
        lambda matters: any("carrier sleeping" in text.lower() for text in texts(matters)),
    )
    for seen_by in (own, matters):
        assert f"Failed pushes to account {account.name} in the last 24 hours: 50." in texts(seen_by)
    assert any(" available" in text for text in texts(matters))
    assert [matter.weight for matter in matters] == sorted(matter.weight for matter in matters), "the worst first"
    nobodys = await server.account()
    assert await read_attention(server.database, datetime.now(UTC), nobodys.account_id) == []


async def test_what_is_wrong_in_the_platform_is_seen_everywhere_and_goes_when_it_is_over(server: Server) -> None:
    account = await server.account()
    subject = str(account.account_id)
    await raise_alarm(server.database, LEARNER, ACCOUNT_SKIPPED, subject)
    await raise_alarm(server.database, LEARNER, ACCOUNT_SKIPPED, subject)
    await raise_alarm(server.database, GUARD, FAILED, detail={"error": "KeyError", "at": ["beliefs.py:1 think"]})
    try:
        told = [one.text.format(**one.values) for one in await read_attention(server.database, datetime.now(UTC))]
        assert f"Adaptive routing skips account {account.name}: its traffic data causes an error." in told
        assert "The guard has stopped updating: detection keeps failing." in told
        health = await server.client.call("GET", "/healthz")
        assert health.status == 200
        assert of_conclusions(health.json["alarms"]) == ["guard.failed", "learner.account_skipped"]
        gauge = 'homing_alarms{code="account_skipped",component="learner"} 1.0'
        await until(lambda: server.client.call("GET", "/metrics"), lambda metrics: gauge in metrics.text)
        listed = await homing_json(server.dsn, "alarm", "list")
        assert [
            (alarm["component"], alarm["code"], alarm["subject"], alarm["times"])
            for alarm in listed
            if alarm["component"] != CARRIER
        ] == [
            ("learner", "account_skipped", account.name, 2),
            ("guard", "failed", "", 1),
        ]
        assert "account_skipped" in await homing(server.dsn, "learn", "show")
    finally:
        await clear_alarms(server.database, LEARNER, ACCOUNT_SKIPPED, subject)
        await clear_alarms(server.database, GUARD)
    assert of_conclusions((await server.client.call("GET", "/healthz")).json.get("alarms", [])) == []


def of_conclusions(alarms: Sequence[str]) -> list[str]:
    """Without those of carriers: every server of the tests has one that cannot be used."""
    return [alarm for alarm in alarms if not alarm.startswith(f"{CARRIER}.")]
