"""The funnel: its figures are those of the messages, of one's own account alone for a customer, with 95 % intervals."""

from datetime import UTC, datetime

import pytest

from homing.admin import account_settings
from homing.model import PeriodGrain, UserRole
from homing.statistics.app_reporting import read_reporting
from homing.statistics.funnel import read_funnel
from homing.statistics.report import rate
from tests.support.server import Account, Server
from tests.support.viewer import Viewer, signed_in
from tests.support.waiting import until


async def send(server: Server, account: Account, *numbers: str) -> list[str]:
    """Their ids."""
    reply = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": ",".join(numbers), "content": "Code"}
    )
    assert reply.json["status"] == "0", reply
    return [one["msgId"] for one in reply.json["array"]]


async def shows(viewer: Viewer, path: str, *words: str) -> str:
    return await viewer.shows(path, *words)


async def test_the_funnel_counts_by_country_network_carrier_and_app(server: Server, console: str) -> None:
    account = await server.account()
    ids = await send(server, account, "8613800130001", "8613800140001", "8613800150001", "919876500001")
    for message_id in ids[:2]:
        reported = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
        assert reported.json["ErrorCode"] == 1000, reported
    funnel = await until(
        lambda: read_funnel(server.database, PeriodGrain.DAY, 7, datetime.now(UTC), account.account_id),
        lambda funnel: (funnel.total.sent, funnel.total.delivered, funnel.total.converted) == (4, 4, 2),
    )
    assert [(one.key, one.sent, one.converted) for one in funnel.by["country"]] == [("CN", 3, 2), ("IN", 1, 0)]
    china, india = funnel.by["country"]
    assert (china.revenue_micro, china.charge_per_conversion_micro) == (93_000, 46_500)
    assert (india.revenue_micro, india.charge_per_conversion_micro) == (4_000, None), "nobody converted"
    assert sum(one.sent for one in funnel.by["network"]) == 4
    assert sum(one.sent for one in funnel.by["carrier"]) == 4
    assert [(one.key, one.sent) for one in funnel.by["app"]] == [(account.app, 4)]
    found = funnel.total.converted_rate
    assert found is not None
    assert [found.low, found.high] == [pytest.approx(0.1500, abs=1e-3), pytest.approx(0.8500, abs=1e-3)], "Wilson"

    _name, viewer = await signed_in(console, server.database)
    words = await shows(viewer, f"/conversions?account={account.name}", "China 3", "India 1")
    assert "Sent 4 Delivered 4 100% (51.0% – 100%) Converted 2 50.0% (15.0% – 85.0%)" in words
    assert f"{account.name} {account.name} not enough traffic 4" in words
    assert "By carrier" in words
    assert "Charge per conversion" in words
    assert "$0.0465" in words.partition("India")[0]


async def test_what_is_declared_of_an_app_stands_above_what_shows(server: Server) -> None:
    account = await server.account()
    now = datetime.now(UTC)
    known = (await read_reporting(server.database, [account.app], now, account.account_id))[account.app]
    assert (known.declared, known.shown) == (None, None)
    async with server.database.transaction() as transaction:
        await account_settings.change_app(transaction, account.app, {"expects_conversions": True})
    known = (await read_reporting(server.database, [account.app], now, account.account_id))[account.app]
    assert known.declared is True
    other = await server.account()
    assert await read_reporting(server.database, [account.app], now, other.account_id) == {}, "another's is not told"


async def test_a_customer_sees_the_own_account_and_no_carriers(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    await send(server, other, "8613800130001")
    await send(server, mine, "919876500001", "919876600001")
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, mine.account_id)
    words = await shows(viewer, f"/conversions?account={other.name}", "India 2")
    assert "China" not in words
    assert "simulator" not in words
    assert "By carrier" not in words
    assert other.name not in words


async def test_every_span_is_shown_and_an_account_that_is_none_is_said(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    for path in ("/conversions?span=24h", "/conversions?span=30d", "/conversions?span=%27", "/conversions?account=%00"):
        assert (await viewer.get(path)).status == 200
    page = await viewer.get("/conversions?account=%3Cscript%3E")
    assert "Account <script> does not exist." in page.words
    assert "<script>." not in page.text
    assert "No messages in this time range" in page.words


def test_an_interval_is_that_of_95_percent() -> None:
    found = rate(30, 100)
    assert found is not None
    assert [found.low, found.high] == [pytest.approx(0.2189, abs=1e-4), pytest.approx(0.3958, abs=1e-4)]
