"""The guard's pages: modes, lists, budgets, verdicts and decisions, and who may do what."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

from homing.admin import guard_settings
from homing.console.live import CONSOLE_SLOW_S
from homing.guard.rules import RuleMode
from homing.guard.service import read_strictness
from homing.guard.snapshot import AddressStanding, GuardSnapshot, Verdict, encode_snapshot
from homing.guard.strictness import Strictness
from homing.model import UserRole
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.store import statements
from tests.support.past_traffic import PAST_TRAFFIC
from tests.support.server import Server
from tests.support.viewer import Seen, signed_in
from tests.support.waiting import until

HOSTILE = "<img src=x onerror=alert(1)>"


def version_of(page: Seen) -> str:
    found = re.search(r'name="version" value="(\w+)"', page.text)
    assert found
    return found[1]


async def modes(server: Server, account_id: int) -> dict[str, RuleMode]:
    found = await server.query("SELECT rule, mode FROM guard_mode WHERE account_id = $1", account_id)
    return {row["rule"]: RuleMode(row["mode"]) for row in found}


async def test_decisions_are_counted_by_reason(server: Server, console: str) -> None:
    account = await server.account()
    await server.query(
        "INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule,"
        " reason, reason_code, scope, charge_micro)"
        " SELECT $1, now(), n, '', '861', 'CN', '', 1 + n % 2, 'network', json_build_object('code',"
        " 'guard.network_unconverted', 'values', json_build_object('conversions', 0, 'expected', 9, 'odds', 50)),"
        " 'guard.network_unconverted', '', 10000 FROM generate_series(1, 41) AS n",
        account.account_id,
    )
    _name, viewer = await signed_in(console, server.database)
    page = await until(  # counts are kept for a while
        lambda: viewer.get("/guard/decisions"),
        lambda page: "Network without conversions 21 $0.21 20 $0.20" in page.words,
        within_s=CONSOLE_SLOW_S + 10,
    )
    listed = await viewer.get("/guard/decisions?reason=guard.network_unconverted")
    assert 'href="/guard/decisions?reason=guard.network_unconverted"' in page.text
    assert listed.words.count("odds of SMS pumping (AIT) 50 to 1") == 41
    await server.query("DELETE FROM guard_decision WHERE account_id = $1", account.account_id)


async def test_modes_are_set_for_one_account_and_a_stale_form_changes_nothing(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    version = version_of(await viewer.get("/guard"))
    form = {"version": version, "account": account.name, "mode_range": "1", "mode_burst": "0", "mode_deny": "2"}
    assert "Rules saved." in (await viewer.follow(await viewer.post("/guard", form))).words
    assert await modes(server, account.account_id) == {"range": RuleMode.MONITOR, "burst": RuleMode.OFF}, (
        "what differs alone"
    )
    page = await viewer.get("/guard")
    assert f"Range only for account {account.name} Monitor" in page.words
    stale = await viewer.post("/guard", {**form, "mode_range": "0"})
    assert stale.status == 422
    assert "Someone else has changed this" in stale.words
    assert (await modes(server, account.account_id))["range"] is RuleMode.MONITOR
    await server.query("DELETE FROM guard_mode WHERE account_id = $1", account.account_id)


async def test_of_two_operators_who_save_at_once_one_is_told_so(server: Server, console: str) -> None:
    account = await server.account()
    viewers = [(await signed_in(console, server.database))[1] for _ in range(2)]
    version = version_of(await viewers[0].get("/guard"))
    await viewers[1].get("/guard")
    forms = [{"version": version, "account": account.name, "mode_range": mode} for mode in ("1", "0")]
    answers = await asyncio.gather(*(viewer.post("/guard", form) for viewer, form in zip(viewers, forms, strict=True)))
    assert sorted(answer.status for answer in answers) == [303, 422]
    (saved,) = [form for form, answer in zip(forms, answers, strict=True) if answer.status == 303]
    assert await modes(server, account.account_id) == {"range": RuleMode(int(saved["mode_range"]))}
    await server.query("DELETE FROM guard_mode WHERE account_id = $1", account.account_id)


async def test_a_prefix_is_denied_and_the_dialects_refuse_it(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    await viewer.get("/guard/lists")
    values = {"do": "list", "destination": "8613811", "list": "deny", "account": account.name, "note": HOSTILE}
    page = await viewer.follow(await viewer.post("/guard/lists", values))
    assert "8613811 added to the deny list." in page.words
    assert f"+8613811 Deny {account.name} {HOSTILE}" in page.words
    assert HOSTILE not in page.text
    await server.settled()
    reply = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613811000001", "content": "x"}
    )
    assert reply.json["status"] != "0"
    decided = await until(
        lambda: viewer.get(f"/guard/decisions?account={account.name}&rule=deny"),
        lambda seen: "+8613811000001" in seen.words,
    )
    assert "8613811 is on the deny list" in decided.words
    gone = {"do": "unlist", "kind": "prefix", "value": "8613811", "list": "deny", "account": account.name}
    assert "removed from the list" in (await viewer.follow(await viewer.post("/guard/lists", gone))).words
    again = await viewer.post("/guard/lists", gone)
    assert again.status == 422
    assert "8613811 is not on the list" in again.words


async def test_budgets_and_alerts_are_set_and_taken_away(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    await viewer.get("/guard/lists")
    budget = {"do": "budget", "country": "id", "account": account.name, "hour_messages": "40", "day_money": "2.5"}
    page = await viewer.follow(await viewer.post("/guard/lists", budget))
    assert f"Indonesia {account.name} 40 – – $2.50" in page.words
    for wrong, words in (
        ({"country": "IDN"}, "is not a two-letter country code"),
        ({"hour_messages": "", "day_money": ""}, "A budget needs a limit"),
        ({"day_money": "much"}, "is not a valid"),
        ({"account": "nobody"}, "Account nobody does not exist"),
    ):
        refused = await viewer.post("/guard/lists", {**budget, **wrong})
        assert refused.status == 422
        assert words in refused.words
    alert = {"do": "alert", "account": account.name, "url": "https://ops.example.com/a"}
    assert "https://ops.example.com/a" in (await viewer.follow(await viewer.post("/guard/lists", alert))).words
    secret = {**alert, "url": "https://homing:s3cret@ops.example.com/a"}
    shown = (await viewer.follow(await viewer.post("/guard/lists", secret))).text
    assert "https://homing:***@ops.example.com/a" in shown
    assert "s3cret" not in shown
    refused = await viewer.post("/guard/lists", {**alert, "url": "javascript:alert(1)"})
    assert refused.status == 422
    await viewer.get("/guard/lists")
    for do in ("unalert", "unbudget"):
        values = {"do": do, "account": account.name, "country": "ID"}
        assert (await viewer.post("/guard/lists", values)).status == 303
    left = await server.query("SELECT FROM guard_budget WHERE account_id = $1", account.account_id)
    assert left == []


async def test_a_budget_is_suggested_and_set(server: Server, console: str) -> None:
    account = await server.account()
    hour = int(time.time()) // 3600
    await server.query(
        "WITH cell AS (INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)"
        " VALUES ($1, '', 'ID', '51010', '628123', 1, '') RETURNING cell_id)"
        " INSERT INTO stat (grain, period, account_id, cell_id, submitted, sent, delivered, undelivered, converted,"
        " refused, cost_micro, revenue_micro)"
        " SELECT 60, $2::int - n, $1, cell_id, CASE n WHEN 3 THEN 400 ELSE 20 END, 0, 0, 0, 10, 0, 0, 20000"
        " FROM cell CROSS JOIN generate_series(1, 10) AS n",
        account.account_id,
        hour,
    )
    _name, viewer = await signed_in(console, server.database)
    assert "Suggest budgets" in (await viewer.get("/guard/lists")).words
    page = await viewer.get("/guard/lists?suggest=1")
    assert f"Indonesia {account.name} 24 10 376 $0.02" in page.words, "20 people and a fifth"
    values = {"do": "budget", "country": "ID", "account": account.name, "hour_messages": "24"}
    assert (await viewer.post("/guard/lists", values)).status == 303
    for table in ("guard_budget", "stat", "stat_cell"):
        await server.query(f"DELETE FROM {table} WHERE account_id = $1", account.account_id)


async def test_a_verdict_is_shown_as_text_and_released(server: Server, console: str) -> None:
    account = await server.account()
    await server.query(
        "INSERT INTO guard_verdict (account_id, app_id, country, network, digits, reason, may_block, since, until)"
        " VALUES ($1, $2, 'ID', '51010', '62812345', $3::text::jsonb, true, now(), now() + interval '1 hour')",
        account.account_id,
        account.app,
        encode_reason(Reason.of(ReasonCode.GUARD_DENY_LISTED, entry=HOSTILE)),
    )
    _name, viewer = await signed_in(console, server.database)
    page = await viewer.get("/guard")
    assert f"+62812345… Indonesia {account.name} {account.name} {HOSTILE} is on the deny list" in page.words
    assert HOSTILE not in page.text
    lift = {"do": "lift", "digits": "62812345", "account": str(account.account_id)}
    assert "will be released within seconds" in (await viewer.follow(await viewer.post("/guard", lift))).words
    refused = await viewer.post("/guard", lift)
    assert refused.status == 422
    assert "62812345 is not currently suspected" in refused.words


async def test_decisions_go_page_by_page_and_none_is_left_out(server: Server, console: str) -> None:
    account = await server.account()
    await server.query(
        "INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule,"
        " reason, reason_code, scope, charge_micro)"
        " SELECT $1, now() - interval '1 day' * (n / 40), n, '', '86' || 1000 + n, 'CN', '', 1,"
        " CASE WHEN n % 2 = 0 THEN 'range' ELSE 'flood' END,"
        " json_build_object('code', code, 'values', json_build_object('messages', 1, 'limit', 1)), code, '', 1000"
        " FROM generate_series(1, 120) AS n"
        " CROSS JOIN LATERAL (SELECT CASE WHEN n % 3 = 0 THEN 'guard.flood' ELSE 'guard.burst' END AS code) AS c",
        account.account_id,
    )
    _name, viewer = await signed_in(console, server.database)
    for query, least in (
        ("", 120),
        (f"?account={account.name}", 120),
        ("?rule=range", 60),
        ("?reason=guard.flood", 40),
        (f"?reason=guard.burst&account={account.name}", 80),
    ):
        seen: list[str] = []
        path: str | None = f"/guard/decisions{query}"
        while path:
            page = await viewer.get(path)
            assert page.status == 200
            seen += re.findall(r"\+(861[01]\d\d)\b", page.text)
            older = re.search(r'href="(\?[^"]*before=[^"]+)"', page.text)
            path = "/guard/decisions" + older[1].replace("&amp;", "&") if older else None
        assert len(set(seen)) == least, query
    viewer.cookies["homing_language"] = "zh-Hant"
    chinese = (await viewer.get(f"/guard/decisions?account={account.name}")).words
    assert "近期未轉換簡訊 1 則，上限 1 則" in chinese
    assert "數分鐘內 1 則簡訊，號段判定前最多放行 1 則" in chinese
    del viewer.cookies["homing_language"]
    for hostile in ("x", "9-", "99999999999999999-1", "-", "1-1'"):
        assert (await viewer.get(f"/guard/decisions?before={hostile}")).status == 200
    await server.query("DELETE FROM guard_decision WHERE account_id = $1", account.account_id)


async def test_support_reads_and_customers_see_nothing(server: Server, console: str) -> None:
    account = await server.account()
    await guard_settings.set_listed(server.database, account.account_id, ("country", "ID"), False, "")
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    for path in ("/guard", "/guard/lists", "/guard/decisions"):
        page = await support.get(path)
        assert page.status == 200
        assert page.text.count('method="post"') == 3, "language, appearance and sign-out"
    assert (await support.post("/guard", {"mode_range": "0"})).status == 403
    assert (await support.post("/guard/lists", {"do": "unlist"})).status == 403
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    for path in ("/guard", "/guard/lists", "/guard/decisions"):
        assert (await customer.get(path)).status == 404
    await server.query("DELETE FROM guard_list WHERE account_id = $1", account.account_id)


async def test_suspected_addresses_are_shown_by_their_hashes_with_the_reason(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    reason = Reason.of(
        ReasonCode.GUARD_ADDRESS_UNCONVERTED, part="/24", messages=41, conversions=1, expected=30.2, odds=900.0
    )

    async def page() -> Seen:
        """The aggregator replaces the snapshot within seconds."""
        now = datetime.now(UTC)
        verdict = Verdict(reason, now.timestamp() - 60, now.timestamp() + 1800)
        key = account.account_id, account.app, 0x1_2345_6789_ABCD
        snapshot = GuardSnapshot(now.timestamp(), addresses={key: AddressStanding(verdict, 0.0, 0.0)})
        await statements.guard.guard_snapshot_write(
            server.database, made_at=now, snapshot=encode_snapshot(snapshot, 10)
        )
        return await viewer.get("/guard")

    shown = await until(page, lambda page: "ip-456789abcd" in page.words)
    assert account.name in shown.words
    assert (
        "41 numbers from one end user's network (/24); conversions: 1 observed, 30.2 expected; odds of SMS pumping"
        in shown.words
    )
    lift = {"do": "lift", "digits": "ip-456789abcd", "account": str(account.account_id)}

    async def released() -> Seen:
        await page()
        return await viewer.follow(await viewer.post("/guard", lift))

    await until(released, lambda seen: "ip-456789abcd will be released within seconds" in seen.words)
    await until(page, lambda page: "ip-456789abcd" not in page.words)


async def test_strictness_is_set_and_what_each_would_have_done_is_calculated_beside_the_pages(
    server: Server, console: str
) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    await viewer.get("/guard/strictness")
    form = {"do": "set", "account": account.name, "strictness": "3"}
    page = await viewer.follow(await viewer.post("/guard/strictness", form))
    assert "Strictness saved." in page.words
    assert f"{account.name} Strict (3 to 1)" in page.words
    assert (await read_strictness(server.database)).of(account.account_id) is Strictness.STRICT
    assert (await viewer.post("/guard/strictness", {**form, "strictness": "4"})).status == 422
    assert (await viewer.post("/guard/strictness", {"do": "backtest", "account": ""})).status == 422

    began = datetime.now(UTC) - timedelta(hours=3)
    await server.query(PAST_TRAFFIC, account.account_id, began, account.app)
    started = await viewer.follow(await viewer.post("/guard/strictness", {"do": "backtest", "account": account.name}))
    assert f"The messages of {account.name} are being calculated." in started.words
    second = await viewer.follow(await viewer.post("/guard/strictness", {"do": "backtest", "account": account.name}))
    assert "Another calculation is running." in second.words
    asked_s = time.monotonic()
    assert (await viewer.get("/guard")).status == 200
    assert time.monotonic() - asked_s < 3, "other pages come meanwhile"
    done = await until(
        lambda: viewer.get(f"/guard/strictness?account={account.name}"),
        lambda page: "are being calculated" not in page.words and "2,800" in page.words,
        within_s=60,
    )
    assert "Strict (3 to 1) Set" in done.words
    _name, reader = await signed_in(console, server.database, role=UserRole.SUPPORT)
    assert "2,800" in (await reader.get("/guard/strictness")).words
    refused = await reader.post("/guard/strictness", {"do": "backtest", "account": account.name})
    assert refused.status == 403
    removal = {"do": "remove", "account": account.name}
    assert "Strictness removed." in (await viewer.follow(await viewer.post("/guard/strictness", removal))).words
    assert (await viewer.post("/guard/strictness", removal)).status == 422
