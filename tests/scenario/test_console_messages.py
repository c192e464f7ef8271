"""Messages in the console: found by what people know of them, told as a whole, and another account's do not exist."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from homing import limits
from homing.common import ids
from homing.messages.search import MessageFilter, MessageKey, search
from homing.model import UserRole
from homing.states import MessageState
from tests.support.server import Account, Server
from tests.support.sink import Sink
from tests.support.viewer import Seen, Viewer, signed_in
from tests.support.waiting import until

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"


async def send(server: Server, account: Account, number: str, **more: str) -> int:
    body = {"appId": account.app, "numbers": number, "content": "Your code is 471", **more}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    assert reply.json["status"] == "0", reply
    return int(reply.json["array"][0]["msgId"])


async def until_seen(viewer: Viewer, path: str, is_so: Callable[[Seen], bool]) -> Seen:
    seen = await until(lambda: viewer.get(path), is_so)
    return seen


def listed(seen: Seen, *message_ids: int) -> list[bool]:
    return [f'href="/messages/{message_id}"' in seen.text for message_id in message_ids]


async def test_a_message_is_found_by_what_people_know_of_it(server: Server, console: str) -> None:
    account, other = await server.account(), await server.account()
    delivered = await send(server, account, "8613811230001", orderId="order-7781")
    refused = await send(server, account, "8613811230003")
    others = await send(server, other, "8613811230001")
    _name, viewer = await signed_in(console, server.database)
    await until_seen(viewer, f"/messages/{delivered}", lambda seen: "Delivered" in seen.words)
    three = (delivered, refused, others)
    assert (await viewer.get(f"/messages?find={delivered}")).goes_to == f"/messages/{delivered}"
    for asked, found in {
        "": [True, True, True],
        "?find=8613811230001": [True, False, True],
        "?find=%2B86+138+1123+0001": [True, False, True],
        "?find=order-7781": [True, False, False],
        f"?find=8613811230001&account={account.name}": [True, False, False],
        f"?account={account.account_id}": [True, True, False],
        f"?state=delivered&account={account.name}": [True, False, False],
        "?carrier=simulator-a&find=order-7781": None,
        "?find=no-such-thing": [False, False, False],
        "?find=999999999999999": [False, False, False],
        "?find=%27--%00%F0%9F": [False, False, False],
        f"?account={account.name}&from=2020-01-01T00:00&to=2020-02-01T00:00": [False, False, False],
        f"?account={account.name}&from=2020-01-01T00:00": [True, True, False],
        "?before=1": [False, False, False],
        f"?find={'x' * 5000}": [False, False, False],
    }.items():
        seen = await viewer.get("/messages" + asked)
        assert seen.status == 200, asked
        assert found is None or listed(seen, *three) == found, asked
    (attempt,) = await server.query("SELECT carrier_ref FROM attempt WHERE message_id = $1", delivered)
    seen = await viewer.get(f"/messages?find={attempt['carrier_ref'].upper()}")
    assert listed(seen, *three) == [True, False, False]
    assert "Matched by carrier message ID." in seen.words
    assert "Account nobody does not exist." in (await viewer.get("/messages?account=nobody")).words
    assert "is not a valid date and time" in (await viewer.get("/messages?from=yesterday")).words
    assert "does not exist" in (await viewer.get("/messages?carrier=nobody")).words.lower()


async def test_long_lists_go_on_below_the_last_row(server: Server, console: str) -> None:
    account = await server.account(balance="100")
    numbers = ",".join(f"86138{n:07d}1"[:13] for n in range(limits.CONSOLE_PAGE_ROWS + 7))
    body = {"appId": account.app, "numbers": numbers, "content": "Your code"}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    sent = {int(one["msgId"]) for one in reply.json["array"]}
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    found: set[int] = set()
    path, pages = "/messages", 0
    while path:
        seen = await viewer.get(path)
        rows = {int(one) for one in seen.text.split('href="/messages/')[1:] for one in [one.partition('"')[0]]}
        assert not rows & found
        found |= rows
        pages += 1
        _before, older, after = seen.text.partition('href="?before=')
        path = "/messages?before=" + after.partition('"')[0] if older else ""
    assert found == sent
    assert pages == 2


async def test_a_message_tells_its_whole_story(server: Server, console: str, sink: Sink) -> None:
    account = await server.account(report_url=sink.box().url)
    message_id = await send(server, account, "8613811230002")
    _name, viewer = await signed_in(console, server.database)
    seen = await until_seen(
        viewer,
        f"/messages/{message_id}",
        lambda seen: "Undeliverable" in seen.words and "answered with HTTP" in seen.words,
    )
    for words in ("Your code is 471", account.name, "per segment × 1", "by route", "attempt 1", "raw: id:", "charge"):
        assert words in seen.words, words
    chinese = await viewer.get(f"/messages/{message_id}", accept_language="zh-CN")
    for words in ("第 1 次提交", "每条单价", "送达失败", "扣费", "原始内容"):
        assert words in chinese.words, words
    for english in ("per segment", "by route", "raw:", "reports", "answered"):
        assert english not in chinese.words.replace("Homing", ""), english


async def test_a_push_is_sent_again_by_support_and_by_no_customer(server: Server, console: str, sink: Sink) -> None:
    account = await server.account(report_url=sink.box().url)
    message_id, second_id = await send(server, account, "8613811230001"), await send(server, account, "8613811230001")
    _name, viewer = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/messages/{message_id}"
    await until_seen(viewer, path, lambda seen: "Acknowledged" in seen.words and 'name="push"' in seen.text)
    (push,) = await server.query("SELECT push_id, attempts FROM push WHERE message_id = $1", message_id)
    again = await viewer.post(path, {"push": str(push["push_id"])})
    assert "The push will be sent again." in (await viewer.follow(again)).words
    tried = "SELECT FROM push WHERE message_id = $1 AND attempts >= 2"
    await until(lambda: server.query(tried, message_id))
    (row,) = await server.query("SELECT * FROM audit WHERE kind = 'push' AND subject = $1", str(push["push_id"]))
    assert (row["act"], row["account_id"]) == ("replay", account.account_id)
    for wrong in ("", "x", "9" * 30, "999999999"):
        assert (await viewer.post(path, {"push": wrong})).status == 422
    elsewhere = await viewer.post(f"/messages/{second_id}", {"push": str(push["push_id"])})
    assert (elsewhere.status, "does not exist" in elsewhere.words) == (422, True)
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    assert 'name="push"' not in (await customer.get(path)).text
    assert (await customer.post(path, {"push": str(push["push_id"])})).status == 403


async def test_a_customer_sees_the_own_messages_and_nothing_of_carriers(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    own = await send(server, mine, "8613811230001")
    others = await send(server, other, "8613811230001", orderId="secret-1")
    _name, staff = await signed_in(console, server.database)
    await until_seen(staff, f"/messages/{own}", lambda seen: "Delivered" in seen.words)
    (row,) = await server.query("SELECT name FROM carrier JOIN message USING (carrier_id) WHERE message_id = $1", own)
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, mine.account_id)
    seen = await viewer.get(f"/messages/{own}")
    assert (seen.status, "Your code is 471" in seen.words) == (200, True)
    assert "per segment × 1" in seen.words
    for word in (row["name"], "raw:", "attempt 1", "by route", "carrier cost"):
        assert word not in seen.words, word
    assert (await viewer.get(f"/messages/{others}")).status == 404
    for asked in (f"find={others}", "find=secret-1", f"account={other.name}", "find=8613811230001", ""):
        found = await viewer.get("/messages?" + asked)
        assert f"/messages/{others}" not in found.text, asked
    (attempt,) = await server.query("SELECT carrier_ref FROM attempt WHERE message_id = $1", others)
    assert str(others) not in (await viewer.get(f"/messages?find={attempt['carrier_ref']}")).text


async def test_a_page_of_no_message_is_not_found(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    for path in ("/messages/1", "/messages/x", f"/messages/{2**53}", "/messages/-1", "/messages/%00"):
        assert (await viewer.get(path)).status == 404, path


async def test_a_text_is_gone_when_the_account_keeps_it_no_longer(server: Server, console: str) -> None:
    account = await server.account()
    message_id = await send(server, account, "8613811230001")
    await server.query("UPDATE message SET text = '' WHERE message_id = $1", message_id)
    _name, viewer = await signed_in(console, server.database)
    assert "Deleted: the account" in (await viewer.get(f"/messages/{message_id}")).words


async def test_script_is_shown_as_text_wherever_it_comes_from(server: Server, console: str) -> None:
    account = await server.account()
    message_id = await send(server, account, "8613811230002", content=HOSTILE, orderId=HOSTILE[:30])
    await server.query(
        "UPDATE message SET error_text = $2, sender = $2, reference = $2 WHERE message_id = $1", message_id, HOSTILE
    )
    await server.query(
        "INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, outcome)"
        " VALUES ($1, 0, $2, 1, $3, '', now(), 2)",
        account.account_id,
        message_id,
        HOSTILE,
    )
    await server.query(
        "INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)"
        " SELECT account_id, push_id, 1, now(), 3, 500, $2 FROM push WHERE message_id = $1 AND url = $2",
        message_id,
        HOSTILE,
    )
    await server.query("UPDATE attempt SET error_text = $2 WHERE message_id = $1", message_id, HOSTILE)
    await server.query("UPDATE receipt SET raw = $2 WHERE message_id = $1", message_id, HOSTILE)
    _name, viewer = await signed_in(console, server.database)
    for path in (f"/messages/{message_id}", f"/messages?account={account.name}", f"/messages?find={HOSTILE}"):
        seen = await viewer.get(path)
        assert HOSTILE in seen.words or "%3Cimg" in path, path
        assert "<img" not in seen.text
        assert "<script>alert" not in seen.text


# ---- The search's work is bounded


async def test_a_search_that_would_look_at_too_many_stops_and_can_go_on(server: Server) -> None:
    account = await server.account()
    now = datetime.now(UTC)
    first = ids.first_id_at(int((now - timedelta(hours=3)).timestamp() * 1000))
    await server.query(
        "INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country, mcc,"
        " mnc, sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id, carrier_id,"
        " expires_at, state, reference)"
        " SELECT $1, $2::bigint + n * 4096, 1, 1, '', '', '8613800000000', '', '', '', '', 'x',"
        " 0, 1, 0, 0, 0, 0, 1, 1, now(), CASE n WHEN 5 THEN 7 ELSE 3 END, 'same' FROM generate_series(1, 9000) AS n",
        account.account_id,
        first,
    )
    wanted = MessageFilter(account_id=account.account_id, states=(MessageState.FAILED,))
    whole = await search(server.database, wanted, 51, now)
    assert [row.message_id for row in whole.rows] == [first + 5 * 4096]
    assert (whole.stopped_id, whole.looked) == (None, 9000)
    cut = await search(server.database, wanted, 51, now, looked_max=5_000)
    assert (list(cut.rows), cut.looked) == ([], 5_000)
    assert cut.stopped_id == first + 4001 * 4096
    on = await search(
        server.database, MessageFilter(account.account_id, None, (MessageState.FAILED,), 0, cut.stopped_id), 51, now
    )
    assert [row.message_id for row in on.rows] == [first + 5 * 4096]
    for key, value in ((MessageKey.NUMBER, "8613800000000"), (MessageKey.REFERENCE, "same")):
        keyed = MessageFilter(account.account_id, key=key, value=value)
        latest = await search(server.database, keyed, 51, now, looked_max=3_000)
        assert [row.message_id for row in latest.rows] == [first + n * 4096 for n in range(9000, 8949, -1)]
