"""Verifications in the console: their story, whose they are, what accounts set for codes, and never a code."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from homing import limits
from homing.model import UserRole
from tests.support.codes import CodeEngine, code_engine
from tests.support.server import Account, Server
from tests.support.viewer import Seen, Viewer, signed_in
from tests.support.waiting import until

CODE = "471-906"
NUMBER, OTHER_NUMBER = "8613811250001", "8613811250003"


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[CodeEngine]:
    async with code_engine(server) as engine:
        yield engine


@pytest.fixture
async def operator(server: Server, console: str) -> Viewer:
    _name, viewer = await signed_in(console, server.database)
    return viewer


async def customer_of(server: Server, console: str, account: Account) -> Viewer:
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    return viewer


def listed(seen: Seen) -> list[int]:
    return [int(part.partition('"')[0]) for part in seen.text.split('href="/verifications/')[1:]]


async def test_a_verification_tells_its_story(server: Server, engine: CodeEngine, operator: Viewer) -> None:
    account = await server.account()
    sent = await engine.send(account, NUMBER)
    again = await engine.resend(account, sent)
    await engine.check(account, sent, "000-000")
    path = f"/verifications/{sent.verification_id}"
    pending = await operator.shows(path, "Pending", "has not been entered yet", "1 of 5", "Expires at", "Delivered")
    assert "Converted" not in pending
    await engine.check(account, again)
    told = await operator.shows(path, "Verified", "The correct code was entered", "Converted", "Ended at")
    assert "##code## is your Acme code" in told
    assert account.name in told
    for message in (sent, again):
        seen = await operator.get(f"/verifications/{message.message_id}")
        assert f"Verification {sent.verification_id}" in seen.words, "by the id of any of its messages"
        for each in (sent, again):
            assert f'href="/messages/{each.message_id}"' in seen.text
        page = await operator.get(f"/messages/{message.message_id}")
        assert f'href="/verifications/{sent.verification_id}"' in page.text
    row = await server.query_row(
        "SELECT sum(charge_micro)::bigint AS total FROM message WHERE message_id = ANY ($1)",
        [sent.message_id, again.message_id],
    )
    assert f"Charged in total ${row['total'] / 1_000_000:.2f}"[:-1] in told


async def test_how_a_verification_ended_is_said_in_words(server: Server, engine: CodeEngine, operator: Viewer) -> None:
    account = await server.account()
    failed = await engine.send(account, NUMBER)
    for _ in range(5):
        await engine.check(account, failed, "000-000")
    cancelled = await engine.send(account, NUMBER)
    await engine.verifications.cancel(account.account_id, cancelled.verification_id)
    expired = await engine.send(account, NUMBER)
    await server.query("UPDATE verification SET expires_at = now() WHERE verification_id = $1", expired.verification_id)
    tested = await engine.send(account, NUMBER, test_numbers={NUMBER: CODE})
    for sent, words in (
        (failed, ("Failed", "Too many wrong codes", "5 of 5")),
        (cancelled, ("Cancelled", "Cancelled through the API")),
        (expired, ("Expired", "Nobody entered the correct code in time.")),
        (tested, ("Pending", "A test number: nothing was sent or charged", "$0.00")),
    ):
        await operator.shows(f"/verifications/{sent.verification_id}", *words)
    chinese = await operator.get(f"/verifications/{failed.verification_id}", accept_language="zh-TW")
    assert "輸入錯誤次數過多" in chinese.words


async def test_a_customer_sees_the_own_verifications_alone(
    server: Server, console: str, engine: CodeEngine, operator: Viewer
) -> None:
    mine, other = await server.account(), await server.account()
    own, others = await engine.send(mine, NUMBER), await engine.send(other, NUMBER)
    assert {own.verification_id, others.verification_id} <= set(listed(await operator.get("/verifications")))
    await operator.get(f"/verifications/{others.verification_id}")  # whatever is cached for staff stays theirs
    viewer = await customer_of(server, console, mine)
    for query in ("", f"?account={other.name}", f"?find={NUMBER}", "?status=pending", f"?account={other.account_id}"):
        assert listed(await viewer.get("/verifications" + query)) == [own.verification_id], query
    assert (await viewer.get(f"/verifications/{others.verification_id}")).status == 404
    assert listed(await viewer.get(f"/verifications?find={others.verification_id}")) == []
    seen = await viewer.get(f"/verifications/{own.verification_id}")
    assert seen.status == 200
    rows = await server.query("SELECT name FROM carrier")
    assert not [row["name"] for row in rows if row["name"] in seen.words], "carriers are the operator's business"
    for wrong in ("0", "x", "9" * 30, "17", "1%00"):
        assert (await viewer.get(f"/verifications/{wrong}")).status == 404, wrong


async def test_the_list_is_filtered_and_goes_on_below_its_last_row(
    server: Server, console: str, engine: CodeEngine, operator: Viewer
) -> None:
    account = await server.account(balance="100")
    first = await engine.send(account, OTHER_NUMBER, reference="order-881")
    await engine.check(account, first)
    others = [await engine.send(account, NUMBER) for _ in range(limits.CONSOLE_PAGE_ROWS + 3)]
    everything = [sent.verification_id for sent in reversed([first, *others])]
    viewer = await customer_of(server, console, account)
    newest = await viewer.get("/verifications")
    assert listed(newest) == everything[: limits.CONSOLE_PAGE_ROWS]
    older = newest.text.partition('href="?before=')[2].partition('"')[0]
    oldest = await viewer.get(f"/verifications?before={older}")
    assert listed(oldest) == everything[limits.CONSOLE_PAGE_ROWS :]
    assert 'href="?before=' not in oldest.text
    for query, expected in {
        "status=verified": [first.verification_id],
        f"find=%2B{OTHER_NUMBER}": [first.verification_id],
        "find=order-881": [first.verification_id],
        f"find={NUMBER}&status=verified": [],
        "find=order-880": [],
        "find=%27--%00%F0%9F": [],
        "status=failed": [],
        "before=1": [],
    }.items():
        assert listed(await viewer.get(f"/verifications?{query}")) == expected, query
    assert "No verifications found" in (await viewer.get("/verifications?status=failed")).words
    named = await viewer.get(f"/verifications?find={first.message_id}")
    assert named.goes_to == f"/verifications/{first.verification_id}"
    assert (await viewer.get(f"/verifications?find=2200{first.message_id:016d}")).goes_to == named.goes_to, "laaffic's"
    assert "does not exist" in (await operator.get("/verifications?account=nobody")).words


async def test_a_search_by_status_that_stopped_says_so_and_goes_on(server: Server, operator: Viewer) -> None:
    account = await server.account()
    await server.query(
        "INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text,"
        " code_hash, attempts_max, latest_id, created_at, expires_at, status)"
        " SELECT $1, n, 2, $2, '8613811250009', '', '', '', '', 5, n, now(), now() + interval '1 h', (n = 1)::int"
        " FROM generate_series(1, $3::bigint + 2) AS n",
        account.account_id,
        account.app,
        limits.SEARCH_LOOKED_MAX,
    )
    path = f"/verifications?account={account.name}&status=verified"
    seen = await operator.get(path)
    assert listed(seen) == []
    assert "The search stopped at" in seen.words
    before = seen.text.partition("before=")[2].partition('"')[0]
    assert listed(await operator.get(f"{path}&before={before}")) == [1]
    await server.query("DELETE FROM verification WHERE account_id = $1", account.account_id)


async def test_no_page_and_no_message_shows_a_code(
    server: Server, console: str, engine: CodeEngine, operator: Viewer
) -> None:
    account = await server.account()
    sent = await engine.send(account, "9611811250001")  # stays queued: its text still has the code
    (row,) = await server.query("SELECT text FROM message WHERE message_id = $1", sent.message_id)
    assert CODE in row["text"]
    for viewer in (operator, await customer_of(server, console, account)):
        for path in (
            "/verifications",
            f"/verifications/{sent.message_id}",
            f"/messages/{sent.message_id}",
            "/messages",
        ):
            seen = await viewer.get(path)
            assert seen.status == 200
            assert CODE not in seen.text, path
        assert "******* is your Acme code" in (await viewer.get(f"/messages/{sent.message_id}")).words


async def test_code_templates_are_added_changed_and_removed_by_the_customer(server: Server, console: str) -> None:
    account, other = await server.account(), await server.account()
    viewer = await customer_of(server, console, account)
    await viewer.get("/codes")
    values = {
        "do": "add",
        "name": "sign-in",
        "app": account.app,
        "language": "zh-Hans",
        "text": "##code## 是您的验证码\r\n\r\n@acme.example ###code##",
        "alphabet": "hex",
        "length": "8",
        "sender": account.sender,
    }
    added = await viewer.follow(await viewer.post("/codes", values))
    for words in ("Code template sign-in added.", "zh-Hans", "8 characters", "Hexadecimal digits"):
        assert words in added.words
    row = await server.query_row("SELECT * FROM code_template WHERE account_id = $1", account.account_id)
    assert (row["text"], row["sender"]) == ("##code## 是您的验证码\n\n@acme.example ###code##", account.sender)
    for change, complaint in (
        ({}, "already has a code template named"),
        ({"name": "x", "text": "no mark"}, "contains ##code##"),
        ({"name": "x", "length": "3"}, "4 to 10 characters"),
        ({"name": "x", "length": "many"}, "is not a whole number"),
        ({"name": "x", "language": "so called"}, "is not a language tag"),
        ({"name": "x", "app": other.app}, "Choose an app."),
        ({"name": ""}, "Enter a name."),
    ):
        refused = await viewer.post("/codes", {**values, **change})
        assert (refused.status, complaint in refused.words) == (422, True), (change, refused.words)
        assert change.get("language", "zh-Hans") in refused.text, "what was entered is kept"
    path = f"/codes/one?id={row['template_id']}"
    form = await viewer.get(path)
    version = form.text.partition('name="version" value="')[2].partition('"')[0]
    change = {"version": version, "name": "login", "text": "##code##!", "alphabet": "alpha", "length": "4"}
    saved = await viewer.follow(await viewer.post(path, change))
    assert "Code template login saved." in saved.words
    row = await server.query_row("SELECT * FROM code_template WHERE account_id = $1", account.account_id)
    assert (row["name"], row["text"], row["code_length"], row["sender"]) == ("login", "##code##!", 4, "")
    assert (row["app_id"], row["locale"]) == (account.app, "zh-Hans")
    stale = await viewer.post(path, {**change, "text": "##code##?"})
    assert "Someone else has changed this" in stale.words
    stranger = await customer_of(server, console, other)
    assert (await stranger.get(path)).status == 404
    assert (await stranger.post("/codes", {"do": "remove", "template": str(row["template_id"])})).status == 422
    assert (await viewer.post("/codes", {**values, "form_token": "0" * 64})).status == 403
    removed = await viewer.follow(await viewer.post("/codes", {"do": "remove", "template": str(row["template_id"])}))
    assert "No code templates yet." in removed.words


async def test_support_sees_what_is_set_for_codes_and_changes_nothing(server: Server, console: str) -> None:
    account = await server.account()
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/accounts/{account.name}/codes"
    seen = await support.get(path)
    assert (seen.status, 'name="text"' in seen.text) == (200, False)
    values = {"do": "add_number", "number": NUMBER, "code": "428193"}
    assert (await support.post(path, values)).status == 403
    app = f"/accounts/{account.name}/apps/one?id={account.app}"
    assert 'name="expiry_s"' not in (await support.get(app)).text


async def test_a_test_numbers_code_is_entered_and_never_shown(server: Server, console: str, operator: Viewer) -> None:
    account = await server.account()
    path = f"/accounts/{account.name}/codes"
    await operator.get(path)
    values = {"do": "add_number", "number": "+86 138 1125 0007", "code": "428193"}
    added = await operator.follow(await operator.post(path, values))
    assert "8613811250007 is now a test number." in added.words
    assert "428193" not in added.text
    refused = await operator.post(path, {**values, "number": "nobody"})
    assert (refused.status, "428193" in refused.text) == (422, False)
    await operator.follow(await operator.post(path, {**values, "code": "552716"}))
    row = await server.query_row("SELECT number, code FROM test_number WHERE account_id = $1", account.account_id)
    assert (row["number"], row["code"]) == ("8613811250007", "552716")
    audit = await operator.shows(f"/audit?account={account.name}", "Test number")
    assert "428193" not in audit
    assert "552716" not in audit
    removed = await operator.post(path, {"do": "remove_number", "number": "8613811250007"})
    assert "No test numbers yet." in (await operator.follow(removed)).words


async def test_an_apps_expiry_and_limits_are_changed_in_its_form(server: Server, console: str) -> None:
    account, other = await server.account(), await server.account()
    viewer = await customer_of(server, console, account)
    path = f"/apps/one?id={account.app}"

    async def version() -> str:
        """Of the form for codes, which is the second one."""
        seen = await viewer.get(path)
        return seen.text.split('name="version" value="')[2].partition('"')[0]

    values = {
        "do": "codes",
        "version": await version(),
        "expiry_s": "600",
        "total_most": "",
        "number_most": "5",
        "number_period": "2",
        "number_unit": "hour",
    }
    assert "saved." in (await viewer.follow(await viewer.post(path, values))).words
    sql = "SELECT code_expiry_s, total_limit::text, number_limit::jsonb ->> 'unit' AS unit FROM app WHERE app_id = $1"
    row = await server.query_row(sql, account.app)
    assert tuple(row) == (600, None, "hour")
    assert "Someone else has changed this" in (await viewer.post(path, values)).words
    for change, complaint in (
        ({"expiry_s": "59"}, "Codes expire after 60 to 3600 seconds."),
        ({"expiry_s": ""}, "Codes expire after 60 to 3600 seconds."),
        ({"number_period": "91"}, "A limit's period is 1 to 90."),
        ({"total_most": "0"}, "A limit is 1 to"),
        ({"total_most": "-1"}, "is not a whole number"),
    ):
        refused = await viewer.post(path, {**values, "version": await version(), **change})
        assert (refused.status, complaint in refused.words) == (422, True), (change, refused.words)
    await viewer.post(path, {**values, "version": await version(), "number_most": ""})
    assert tuple(await server.query_row(sql, account.app)) == (600, None, None)
    elsewhere = await viewer.post(f"/apps/one?id={other.app}", values)
    assert elsewhere.status == 404


async def test_a_verification_that_is_over_for_long_is_not_live(
    server: Server, engine: CodeEngine, operator: Viewer
) -> None:
    account = await server.account()
    sent = await engine.send(account, NUMBER)
    path = f"/verifications/{sent.verification_id}"
    assert "data-live" in (await operator.get(path)).text
    await engine.check(account, sent)
    await until(lambda: operator.get(path), lambda seen: "Delivered" in seen.words)
    await server.query(
        "UPDATE verification SET ended_at = now() - $2::interval WHERE verification_id = $1",
        sent.verification_id,
        timedelta(minutes=11),
    )
    await until(lambda: operator.get(path), lambda seen: "data-live" not in seen.text)
