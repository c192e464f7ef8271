"""The console's accounts, for operators, and what an account's own people see of it."""

import asyncio
import csv
import io
import re
from collections.abc import Mapping

import pytest

from homing import limits
from homing.admin import account_settings, words
from homing.common import money
from homing.console.console_state import CONSOLE_PUSH_TRIALS_BURST
from homing.ledger.account_statement import STATEMENT_ROWS
from homing.ledger.postings import adjustment, post
from homing.model import GENERAL, UserRole
from homing.store import statements
from tests.support.server import Account, Server
from tests.support.sink import Sink
from tests.support.viewer import Seen, Viewer, signed_in

HOSTILE = "<script>alert(1)</script>"
STAFF_PARTS = ("", "/statement", "/credentials", "/apps", "/prices", "/texts", "/settings")
OWN_PATHS = ("/account", "/account/statement", "/account/statement.csv", "/credentials", "/apps")


def hidden(answer: Seen, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, f"no {name} on the page"
    return found[1]


async def operator(server: Server, console: str) -> Viewer:
    _name, viewer = await signed_in(console, server.database)
    return viewer


async def owner(server: Server, console: str, account: Account) -> Viewer:
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    return viewer


async def purse(server: Server, account: Account) -> tuple[int, int, int]:
    """Gift, balance and credit in micro-units."""
    row = (await statements.ledger.balances_of(server.database, account_ids=[account.account_id]))[0]
    return row.gift_micro, row.balance_micro, row.credit_micro


async def send(server: Server, account: Account) -> str:
    """The dialect's word for how it went."""
    body = {"appId": account.app, "numbers": "8613800130001", "content": "Your code"}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    return str(reply.json["status"])


async def send_form(viewer: Viewer, path: str, **values: str) -> Seen:
    """Fills in a form of a page, with the version that the page has."""
    page = await viewer.get(path)
    version = re.search(r'name="version" value="([^"]*)"', page.text)
    return await viewer.post(path, {**({"version": version[1]} if version else {}), **values})


# ---- The list


async def test_an_account_is_made_found_and_listed_with_what_it_has_and_sent(server: Server, console: str) -> None:
    viewer = await operator(server, console)
    assert (await viewer.get("/accounts")).status == 200
    made = await viewer.post("/accounts", {"name": "made-here", "email": "made@here.example", "credit": "12.5"})
    assert made.goes_to == "/accounts/made-here"
    assert "made-here" in (await viewer.follow(made)).words
    listed = await viewer.get("/accounts?q=MADE-H")
    assert "$12.50" in listed.words
    assert "made@here.example" in listed.words
    assert "No accounts found" in (await viewer.get("/accounts?q=nobody-of-that-name")).words


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"name": "demo", "email": "", "credit": ""}, "An account with the name 'demo'"),
        ({"name": HOSTILE, "email": "", "credit": ""}, "is not a valid account name"),
        ({"name": "fine-name", "email": "no mail", "credit": ""}, "is not a valid email address"),
        ({"name": "fine-name", "email": "", "credit": "1.2.3"}, "1.2.3 is not a valid USD amount"),
        ({"name": "fine-name", "email": "", "credit": "-1"}, "The credit limit must be 0 or more"),
    ],
)
async def test_an_account_that_cannot_be_is_not_made_and_what_was_entered_stays(
    values: Mapping[str, str], word: str, server: Server, console: str
) -> None:
    viewer = await operator(server, console)
    await viewer.get("/accounts")
    answer = await viewer.post("/accounts", values)
    assert answer.status == 422
    assert word in answer.words
    assert HOSTILE not in answer.text
    if values["email"]:
        assert 'value="no mail"' in answer.text
    assert await statements.admin.account_find(server.database, name="fine-name", account_id=None) is None


async def test_pages_of_accounts_follow_each_other_without_a_gap(server: Server, console: str) -> None:
    viewer = await operator(server, console)
    async with server.database.transaction() as transaction:
        for n in range(limits.CONSOLE_PAGE_ROWS + 3):
            await account_settings.create_account(transaction, f"paged-account-{n:03d}")
    seen: list[str] = []
    path: str | None = "/accounts?q=paged-account"
    while path:
        answer = await viewer.get(path)
        seen += re.findall(r'<a href="/accounts/paged-account-(\d{3})"', answer.text)
        older = re.search(r'href="(\?[^"]*before=\d+)"', answer.text)
        path = "/accounts" + older[1].replace("&amp;", "&") if older else None
    assert seen == [f"{n:03d}" for n in range(limits.CONSOLE_PAGE_ROWS + 2, -1, -1)]


# ---- Money


async def test_money_is_moved_once_however_often_the_form_is_sent(server: Server, console: str) -> None:
    account, viewer = await server.account(balance="5"), await operator(server, console)
    path = f"/accounts/{account.name}"
    values = {"do": "move", "kind": "topup", "amount": "20.5", "reason": HOSTILE}
    values["version"] = hidden(await viewer.get(path), "version")
    assert (await viewer.post(path, values)).goes_to == path
    again = await viewer.post(path, values)
    assert again.status == 422
    assert "Someone else has changed this" in again.words
    assert (await purse(server, account))[1] == money.parse("25.5")
    page = await viewer.get(path)
    assert HOSTILE in page.words
    assert HOSTILE not in page.text
    (entry,) = await server.query(
        "SELECT * FROM posting WHERE account_id = $1 AND reason = $2", account.account_id, HOSTILE
    )
    assert entry["author"].startswith("operator-")


@pytest.mark.parametrize(
    ("kind", "given", "reason", "gift", "balance"),
    [
        ("topup", "3", "", "0", "8"),
        ("gift", "3", "", "3", "5"),
        ("adjust", "-1.5", "paid twice", "0", "3.5"),
        ("adjust_gift", "2", "sorry", "2", "5"),
    ],
)
async def test_each_kind_of_movement_moves_its_purse(
    kind: str, given: str, reason: str, gift: str, balance: str, server: Server, console: str
) -> None:
    account, viewer = await server.account(balance="5"), await operator(server, console)
    values = {"do": "move", "kind": kind, "amount": given, "reason": reason}
    assert (await send_form(viewer, f"/accounts/{account.name}", **values)).status == 303
    assert (await purse(server, account))[:2] == (money.parse(gift), money.parse(balance))


@pytest.mark.parametrize(
    ("kind", "given", "reason", "word"),
    [
        ("topup", "-3", "", "must be greater than 0"),
        ("topup", "0", "", "must be greater than 0"),
        ("topup", "1e9", "", "is not a valid"),
        ("adjust", "-1", "", "needs an author and a reason"),
        ("adjust_gift", "-1", "more than there is", "nsufficient bonus balance"),
        ("other", "1", "x", "Choose a transaction type"),
    ],
)
async def test_a_movement_that_cannot_be_is_not_booked(
    kind: str, given: str, reason: str, word: str, server: Server, console: str
) -> None:
    account, viewer = await server.account(balance="5"), await operator(server, console)
    values = {"do": "move", "kind": kind, "amount": given, "reason": reason}
    answer = await send_form(viewer, f"/accounts/{account.name}", **values)
    assert answer.status == 422
    assert word in answer.words
    assert await purse(server, account) == (0, 5_000_000, 0)


async def test_a_statement_is_complete_on_its_pages_and_as_a_file(server: Server, console: str) -> None:
    account, viewer = await server.account(balance="5"), await operator(server, console)
    async with server.database.transaction() as transaction:
        for n in range(STATEMENT_ROWS + 7):
            await post(transaction, account.account_id, adjustment(1_000), "ada", f"entry {n:04d}")
        await post(transaction, account.account_id, adjustment(-2_500), "ada", "=1+1")
    assert await send(server, account) == "0"
    seen: list[str] = []
    path: str | None = f"/accounts/{account.name}/statement"
    while path:
        answer = await viewer.get(path)
        seen += re.findall(r"entry (\d{4})", answer.words)
        older = re.search(r'href="(\?before=\d+)"', answer.text)
        path = f"/accounts/{account.name}/statement{older[1]}" if older else None
    assert seen == [f"{n:04d}" for n in range(STATEMENT_ROWS + 6, -1, -1)]
    customer = await owner(server, console, account)
    file = await customer.get("/account/statement.csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert account.name in file.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(file.text)))
    assert len(lines) == STATEMENT_ROWS + 10
    assert (lines[0]["kind"], lines[0]["amount"], lines[0]["ledger_account"]) == ("charge", "-0.031", "balance")
    assert (lines[1]["reason"], lines[1]["amount"]) == ("'=1+1", "-0.0025")
    assert sum(money.parse(line["amount"]) for line in lines) == sum((await purse(server, account))[:2])
    assert "ada" not in file.text
    assert "ada" not in (await customer.get("/account/statement")).words


# ---- Lock


async def test_a_locked_account_is_refused_by_the_dialects_until_it_is_unlocked(server: Server, console: str) -> None:
    account, viewer = await server.account(), await operator(server, console)
    path = f"/accounts/{account.name}"
    assert await send(server, account) == "0"
    assert (await send_form(viewer, path, do="lock", lock_reason=HOSTILE)).goes_to == path
    await server.settled()
    assert await send(server, account) == "-13"
    lia = await server.client.lia(account, "CheckBalance")
    assert "Account locked" in lia.text
    page = await viewer.get(path)
    assert HOSTILE in page.words
    assert HOSTILE not in page.text
    await viewer.post(path, {"do": "unlock"})
    await server.settled()
    assert await send(server, account) == "0"


# ---- Credentials


@pytest.mark.parametrize("own", [False, True], ids=["operator", "customer"])
async def test_a_credential_is_shown_once_and_works_until_it_is_revoked(
    own: bool, server: Server, console: str
) -> None:
    account = await server.account()
    viewer = await (owner(server, console, account) if own else operator(server, console))
    path = "/credentials" if own else f"/accounts/{account.name}/credentials"
    await viewer.get(path)
    made = await viewer.post(path, {"do": "create", "dialect": "laaffic", "label": HOSTILE})
    assert made.status == 200
    key, secret = (re.findall(rf'id="{name}">([^<]+)<', made.text)[0] for name in ("key", "secret"))
    server.secrets.add(secret)
    fresh = Account(account.account_id, account.name, "", "", "", key, secret, account.app, "HOMING")
    assert await send(server, fresh) == "0"
    page = await viewer.get(path)
    assert key in page.words
    assert secret not in page.text
    assert HOSTILE in page.words
    assert HOSTILE not in page.text
    (row,) = await server.query("SELECT credential_id FROM credential WHERE key = $1", key)
    revoked = await viewer.post(path, {"do": "revoke", "credential": str(row["credential_id"])})
    assert revoked.goes_to == path
    await server.settled()
    assert await send(server, fresh) != "0"


async def test_only_an_operator_chooses_a_key(server: Server, console: str) -> None:
    account, viewer = await server.account(), await operator(server, console)
    values = {"do": "create", "dialect": "smpp", "label": "", "key": "moved-here", "secret": "oldone12"}
    path = f"/accounts/{account.name}/credentials"
    await viewer.get(path)
    assert "moved-here" in (await viewer.post(path, values)).words
    taken = await viewer.post(path, values)
    assert "The key 'moved-here' is already in use" in taken.words
    assert "oldone12" not in taken.text
    customer = await owner(server, console, account)
    await customer.get("/credentials")
    made = await customer.post("/credentials", {**values, "key": "my-choice"})
    assert made.status == 200
    assert "my-choice" not in made.text


async def test_a_secret_that_can_be_guessed_is_refused_unless_it_is_said_to_be_in_use(
    server: Server, console: str
) -> None:
    account, viewer = await server.account(), await operator(server, console)
    path = f"/accounts/{account.name}/credentials"
    values = {"do": "create", "dialect": "lia", "label": "", "key": f"short-{account.name}", "secret": "password@123"}
    await viewer.get(path)
    refused = await viewer.post(path, values)
    assert "shorter than 16 characters can be guessed" in refused.words
    assert f"short-{account.name}" in (await viewer.post(path, {**values, "short": "yes"})).words


async def test_a_customer_cannot_revoke_what_is_anothers(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    viewer = await owner(server, console, mine)
    await viewer.get("/credentials")
    (row,) = await server.query("SELECT credential_id FROM credential WHERE key = $1", other.key)
    for named in (str(row["credential_id"]), other.key, "", "x"):
        assert (await viewer.post("/credentials", {"do": "revoke", "credential": named})).status == 404
    assert await send(server, other) == "0"


async def test_an_allow_list_is_kept_and_obeyed_and_not_saved_over_anothers_change(
    server: Server, console: str
) -> None:
    account = await server.account()
    viewer, customer = await operator(server, console), await owner(server, console, account)
    path = f"/accounts/{account.name}/credentials"
    old = hidden(await customer.get("/credentials"), "version")
    wrong = await send_form(viewer, path, do="allow", networks="203.0.113.0/24\nnowhere")
    assert "'nowhere' is not a valid IP address or network" in wrong.words
    assert "203.0.113.0/24\nnowhere" in wrong.text
    assert (await send_form(viewer, path, do="allow", networks="203.0.113.0/24, 2001:db8::/32")).status == 303
    await server.settled()
    assert await send(server, account) != "0"
    stale = await customer.post("/credentials", {"do": "allow", "networks": "", "version": old})
    assert "Someone else has changed this" in stale.words
    assert "2001:db8::/32" in stale.text
    assert (await send_form(customer, "/credentials", do="allow", networks="")).status == 303
    await server.settled()
    assert await send(server, account) == "0"


# ---- Apps


async def test_a_test_push_goes_out_as_pushes_do_and_its_answer_is_shown_as_text(
    server: Server, console: str, sink: Sink
) -> None:
    box = sink.box(200)
    account = await server.account(report_url=box.url)
    viewer = await owner(server, console, account)
    path = f"/apps/one?id={account.app}"
    await viewer.get(path)
    tried = await viewer.post(path, {"do": "try", "url": "report_url"})
    (push,) = await box.first()
    assert push.json["appId"] == account.app
    assert push.json["orderId"] == "homing-test"
    assert "acknowledged" in tried.words
    assert "HTTP 200" in tried.words
    rows = await server.query(
        "SELECT act, account_id FROM audit WHERE kind = 'app' AND subject LIKE '%' || $1 ORDER BY audit_id", account.app
    )
    assert [tuple(row) for row in rows][-1] == ("try_push", account.account_id)


async def test_a_test_push_is_refused_where_pushes_are_and_after_many(server: Server, console: str) -> None:
    account = await server.account(report_url="http://10.1.2.3/reports")
    viewer = await owner(server, console, account)
    path = f"/apps/one?id={account.app}"
    await viewer.get(path)
    tried = await viewer.post(path, {"do": "try", "url": "report_url"})
    assert "not acknowledged" in tried.words
    assert "address refused: 10.1.2.3 is not a public address" in tried.words
    assert "Save an address first." in (await viewer.post(path, {"do": "try", "url": "inbound_url"})).words
    answers = [await viewer.post(path, {"do": "try", "url": "report_url"}) for _n in range(CONSOLE_PUSH_TRIALS_BURST)]
    assert "Too many test pushes." in answers[-1].words


async def test_an_app_is_made_and_changed_by_its_own_people_alone(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    viewer = await owner(server, console, mine)
    await viewer.get("/apps")
    assert (await viewer.post("/apps", {"name": HOSTILE, "report_url": "https://a.example/r"})).goes_to == "/apps"
    page = await viewer.get("/apps")
    assert HOSTILE in page.words
    assert HOSTILE not in page.text
    path = f"/apps/one?id={mine.app}"
    wrong = await send_form(viewer, path, do="save", report_url="ftp://x", inbound_url="", expects="yes")
    assert "is not a valid http" in wrong.words
    saved = await send_form(viewer, path, do="save", report_url="", inbound_url="https://a.example/i", expects="yes")
    assert saved.goes_to == "/apps"
    (row,) = await server.query("SELECT * FROM app WHERE app_id = $1", mine.app)
    assert (row["report_url"], row["inbound_url"], row["expects_conversions"]) == (None, "https://a.example/i", True)
    foreign = f"/apps/one?id={other.app}"
    assert (await viewer.get(foreign)).status == 404
    assert (await viewer.post(foreign, {"do": "save", "report_url": "https://a.example/r"})).status == 404
    assert (await viewer.post(foreign, {"do": "try", "url": "report_url"})).status == 404


# ---- Prices, senders, texts


async def test_prices_are_set_imported_and_removed(server: Server, console: str) -> None:
    account, viewer = await server.account(), await operator(server, console)
    path = f"/accounts/{account.name}/prices"
    assert "No account prices" in (await viewer.get(path)).words
    assert (await viewer.post(path, {"do": "set", "prefix": "+86", "price": "0.0425"})).goes_to == path
    assert "$0.0425" in (await viewer.get(path)).words
    wrong = await viewer.post(path, {"do": "import", "sheet": f"prefix,price\r\n44,0.02\r\n{HOSTILE},0.1\r\n"})
    assert wrong.status == 422
    assert "CSV:3:" in wrong.words
    assert HOSTILE not in wrong.text
    assert await server.query("SELECT FROM price WHERE account_id = $1 AND prefix = '44'", account.account_id) == []
    sheet = "country,prefix,price\r\n" + "\r\n".join(f"x,{n},0.{n}" for n in range(100, 100 + limits.CONSOLE_PAGE_ROWS))
    assert (await viewer.post(path, {"do": "import", "sheet": sheet, "replace": "yes"})).goes_to == path
    first = await viewer.get(path)
    assert "86" not in re.findall(r'<th scope="row">(\d+)', first.text)
    assert "$0.125" in first.words
    assert "Next page" not in first.words
    version = hidden(first, "version")
    assert (await viewer.post(path, {"do": "remove", "prefix": "100", "version": version})).goes_to == path
    assert (await viewer.post(path, {"do": "remove", "prefix": "101", "version": version})).status == 422
    await viewer.post(path, {"do": "set", "prefix": "*", "price": "1"})
    await viewer.post(path, {"do": "set", "prefix": "999", "price": "1"})
    page = await viewer.get(path)
    assert "Next page" in page.words
    assert "all numbers" in page.words
    further = await viewer.get(path + "?from=999")
    assert re.findall(r'<th scope="row">(\d+)', further.text) == ["999"]
    assert "No more prefixes" in (await viewer.get(path + "?from=9999")).words


async def test_the_general_list_is_not_an_accounts(server: Server, console: str) -> None:
    viewer = await operator(server, console)
    await viewer.get("/prices")
    assert (await viewer.post("/prices", {"do": "set", "prefix": "8888", "price": "0.5"})).goes_to == "/prices"
    (row,) = await server.query("SELECT account_id FROM price WHERE prefix = '8888'")
    assert row["account_id"] == GENERAL
    assert (await viewer.get("/accounts/0/prices")).status == 404


async def test_senders_templates_and_words_are_kept_for_the_account(server: Server, console: str) -> None:
    account, viewer = await server.account(words=["casino"]), await operator(server, console)
    path = f"/accounts/{account.name}/texts"
    page = await viewer.get(path)
    assert "casino" in page.words
    assert (await viewer.post(path, {"do": "add_sender", "sender": "<b>ACME</b>"})).goes_to == path
    assert (await viewer.post(path, {"do": "default_sender", "sender": "<b>ACME</b>"})).goes_to == path
    await viewer.post(path, {"do": "remove_sender", "sender": "HOMING"})
    assert "no sender ID 'NONE'" in (await viewer.post(path, {"do": "remove_sender", "sender": "NONE"})).words
    body = {"do": "add_template", "template_name": "code", "template_body": f"Your code\r\nis {{V1}} {HOSTILE}"}
    assert (await viewer.post(path, body)).goes_to == path
    assert "already has a template named 'code'" in (await viewer.post(path, body)).words
    await viewer.post(path, {"do": "add_word", "word": HOSTILE})
    await viewer.post(path, {"do": "remove_word", "word": "casino"})
    page = await viewer.get(path)
    assert "<b>ACME</b> default" in page.words
    assert "casino" not in (await viewer.get(path)).words, "the note is shown once"
    assert HOSTILE in page.words
    assert HOSTILE not in page.text
    (row,) = await server.query("SELECT template_id, body FROM template WHERE account_id = $1", account.account_id)
    assert row["body"] == f"Your code\nis {{V1}} {HOSTILE}"
    assert (await viewer.post(path, {"do": "remove_template", "template": str(row["template_id"])})).goes_to == path
    await viewer.post("/words", {"do": "add_word", "word": "for-everybody-refused"})
    assert "for-everybody-refused" in (await viewer.get("/words")).words
    async with server.database.transaction() as transaction:
        await words.remove_word(transaction, GENERAL, "for-everybody-refused")


async def test_what_will_not_work_is_said_in_the_viewers_language_when_it_is_set(server: Server, console: str) -> None:
    account, viewer = await server.account(), await operator(server, console)
    path = f"/accounts/{account.name}/texts"
    await viewer.post(path, {"do": "add_sender", "sender": "TWELVE CHARS"})
    assert "Warning: An alphanumeric sender ID can have at most 11 GSM characters" in (await viewer.get(path)).words
    viewer.cookies["homing_language"] = "zh-Hans"
    await viewer.post(path, {"do": "add_sender", "sender": "07700900777"})
    assert "注意：07700900777 不是国际格式" in (await viewer.get(path)).words
    apps = f"/accounts/{account.name}/apps"
    await viewer.post(apps, {"name": "inside", "report_url": "http://10.0.0.1/x"})
    assert "10.0.0.1 不是公网地址" in (await viewer.get(apps)).words
    assert "已有名为 'inside' 的应用" in (await viewer.post(apps, {"name": "inside"})).words


async def test_taking_more_than_balance_and_credit_hold_needs_a_tick(server: Server, console: str) -> None:
    account, viewer = await server.account(balance="5"), await operator(server, console)
    path = f"/accounts/{account.name}"
    body = {"do": "move", "kind": "adjust", "amount": "-5.5", "reason": "typo"}
    assert "would exceed the account's credit limit" in (await send_form(viewer, path, **body)).words
    assert (await send_form(viewer, path, **body, below_credit="1")).goes_to == path
    (row,) = await server.query("SELECT balance_micro FROM balance WHERE account_id = $1", account.account_id)
    assert row["balance_micro"] == -500_000


# ---- Settings


async def test_settings_are_saved_whole_and_never_over_anothers(server: Server, console: str) -> None:
    account, viewer = await server.account(), await operator(server, console)
    path = f"/accounts/{account.name}/settings"
    values = {
        "credit": "7.5",
        "email": "",
        "queries_per_s": "77",
        "binds_max": "3",
        "bind_window": "9",
        "submits_per_s": "",
        "smpp_charset": "latin-1",
        "retention_days": "30",
        "default_sender": "HOMING",
        "refund_undeliverable": "yes",
    }
    values["version"] = hidden(await viewer.get(path), "version")
    assert (await viewer.post(path, values)).goes_to == path
    row = await server.query_row("SELECT * FROM account WHERE account_id = $1", account.account_id)
    assert (row["email"], row["queries_per_s"], row["binds_max"], row["bind_window"]) == (None, 77, 3, 9)
    assert row["smpp_charset"] == "latin-1"
    assert (row["refund_undeliverable"], row["templates_required"], row["retention_days"]) == (True, False, 30)
    assert (await purse(server, account))[2] == 7_500_000
    stale = await viewer.post(path, {**values, "credit": "1"})
    assert "Someone else has changed this" in stale.words
    assert (await purse(server, account))[2] == 7_500_000
    for wrong, word in (
        ({"binds_max": "99999999"}, "Binds max must be between 0 and"),
        ({"queries_per_s": "many"}, "Many is not a whole number"),
        ({"queries_per_s": ""}, "Enter a number"),
        ({"smpp_charset": "ebcdic"}, "The default alphabet must be one of gsm7, latin-1"),
        ({"retention_days": "0"}, "or permanently"),
        ({"default_sender": "NONE"}, "no sender ID 'NONE'"),
    ):
        answer = await send_form(
            viewer, path, **{**values, **wrong, "version": hidden(await viewer.get(path), "version")}
        )
        assert answer.status == 422
        assert word in answer.words


# ---- Who may


async def test_support_reads_accounts_and_changes_nothing(server: Server, console: str) -> None:
    account = await server.account()
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    for part in STAFF_PARTS:
        page = await support.get(f"/accounts/{account.name}{part}")
        assert page.status == 200
        assert not re.findall(r'<form method="post"(?! action="/)[^>]*>(?=[^§]{0,200}name="do")', page.text)
        if part != "/statement":
            assert (await support.post(f"/accounts/{account.name}{part}", {"do": "lock"})).status == 403
    assert (await support.post("/accounts", {"name": "by-support"})).status == 403
    assert (await support.post("/prices", {"do": "set", "prefix": "1", "price": "1"})).status == 403


async def test_a_customer_who_tries_anothers_pages_gets_404(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    viewer = await owner(server, console, mine)
    for path in OWN_PATHS:
        page = await viewer.get(path)
        assert page.status == 200
        assert other.name not in page.text
        assert other.key not in page.text
    for account in (other, mine):
        for part in STAFF_PARTS:
            assert (await viewer.get(f"/accounts/{account.name}{part}")).status == 404
            assert (await viewer.post(f"/accounts/{account.name}{part}", {"do": "unlock"})).status in (403, 404)
    for path in ("/accounts", "/prices", "/words"):
        assert (await viewer.get(path)).status == 404
    await viewer.get("/account")
    version = hidden(await viewer.get("/credentials"), "version")
    values = {"do": "move", "kind": "topup", "amount": "5", "reason": "", "version": version}
    assert (await viewer.post("/account", values)).status == 404, "money is moved by operators"
    assert (await viewer.post("/account", {"do": "unlock"})).status == 404
    assert await purse(server, mine) == (0, 10_000_000, 0)


async def test_two_who_top_up_at_once_do_not_both(server: Server, console: str) -> None:
    account = await server.account(balance="0")
    one, other = await operator(server, console), await operator(server, console)
    path = f"/accounts/{account.name}"
    pages = await asyncio.gather(one.get(path), other.get(path))
    values = [
        {"do": "move", "kind": "topup", "amount": "5", "reason": "invoice 7", "version": hidden(page, "version")}
        for page in pages
    ]
    answers = await asyncio.gather(one.post(path, values[0]), other.post(path, values[1]))
    assert sorted(answer.status for answer in answers) == [303, 422]
    assert (await purse(server, account))[1] == 5_000_000


async def test_every_change_is_in_the_audit_under_the_viewers_name(server: Server, console: str) -> None:
    account = await server.account()
    name, viewer = await signed_in(console, server.database)
    await send_form(viewer, f"/accounts/{account.name}", do="move", kind="topup", amount="1", reason="r")
    await send_form(viewer, f"/accounts/{account.name}", do="lock", lock_reason="why")
    await send_form(viewer, f"/accounts/{account.name}/texts", do="add_sender", sender="AUDITED")
    rows = await server.query(
        "SELECT kind, address FROM audit WHERE actor = $1 AND account_id = $2 ORDER BY audit_id",
        name,
        account.account_id,
    )
    assert [tuple(row) for row in rows] == [(kind, viewer.address) for kind in ("posting", "account", "sender")]


async def test_a_key_of_homings_own_api_has_the_scopes_that_were_chosen(server: Server, console: str) -> None:
    account = await server.account()
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    seen = await customer.get("/credentials")
    assert 'value="messages:write" checked' in seen.text
    assert (
        "Choose at least one scope." in (await customer.post("/credentials", {"do": "create", "dialect": "v1"})).words
    )
    unknown = {"do": "create", "dialect": "v1", "scope": "everything"}
    assert "has no scope" in (await customer.post("/credentials", unknown)).words
    for label, scope in (("sends", "messages:write"), ("reads", "messages:read")):
        made = await customer.post("/credentials", {"do": "create", "dialect": "v1", "label": label, "scope": scope})
        assert made.status == 200
    words = (await customer.get("/credentials")).words
    assert "sends messages:write" in words
    assert "reads messages:read" in words
    rows = await server.query(
        "SELECT scopes FROM credential WHERE account_id = $1 AND dialect = 3 ORDER BY credential_id", account.account_id
    )
    assert [row["scopes"] for row in rows] == [["messages:write"], ["messages:read"]]
