"""Cost per verified person: exact from the ledger, by whatever it is grouped, whoever looks."""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from homing.common.money import trimmed
from homing.common.workbook import WORKBOOK_TYPE
from homing.model import UserRole
from homing.statistics.verified import GROUPINGS, VerifiedLine, read_verified, recount_verified
from tests.support.codes import CodeEngine, code_engine
from tests.support.command import homing, homing_json
from tests.support.server import Account, Server
from tests.support.viewer import signed_in
from tests.support.waiting import until

NUMBER, OTHER_NUMBER = "8613811250001", "8613811250003"
COST_MICRO = 11_000


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[CodeEngine]:
    async with code_engine(server) as engine:
        yield engine


async def spent(server: Server, account: Account) -> int:
    (row,) = await server.query(
        "SELECT coalesce(sum(charge_micro - refund_micro), 0)::bigint AS micro FROM message WHERE account_id = $1",
        account.account_id,
    )
    micro: int = row["micro"]
    return micro


async def test_the_cost_is_that_of_all_messages_by_those_verified(
    server: Server, console: str, engine: CodeEngine
) -> None:
    account, since = await server.account(), datetime.now(UTC) - timedelta(hours=1)
    for by in GROUPINGS:
        assert await read_verified(server.database, by, since, account.account_id) == []
    sent = await engine.send(account, NUMBER)
    again = await engine.resend(account, sent)
    await engine.send(account, OTHER_NUMBER)
    await recount_verified(server.database, datetime.now(UTC), 2)
    (nobody,) = await read_verified(server.database, "", since, account.account_id)
    assert (nobody.messages, nobody.verified, nobody.charge_per_verified_micro) == (3, 0, None)
    await engine.check(account, again)
    body = {"appId": account.app, "numbers": NUMBER, "content": "not a code"}
    open_messages = "SELECT 1 FROM message WHERE account_id = $1 AND final_at IS NULL"
    await until(lambda: server.query(open_messages, account.account_id), lambda rows: not rows)
    before = await spent(server, account)
    costs = "UPDATE message SET carrier_cost_micro = $2 WHERE account_id = $1 RETURNING 1"
    await server.query(costs, account.account_id, COST_MICRO)
    await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    for _again in range(2):
        await recount_verified(server.database, datetime.now(UTC), 2)
    (total,) = await read_verified(server.database, "", since, account.account_id)
    assert total == VerifiedLine("", 3, before, 3 * COST_MICRO, 1)
    assert total.margin_micro == before - 3 * COST_MICRO
    assert total.charge_per_verified_micro == before > 0
    for by in GROUPINGS:
        lines = await read_verified(server.database, by, since, account.account_id)
        assert sum(line.messages for line in lines) == 3
        assert sum(line.charge_micro for line in lines) == before
        assert sum(line.verified for line in lines) == 1
    rows = await homing_json(server.dsn, "stats", "verified", "--by", "app", "--account", account.name)
    assert [(row["messages"], row["verified"], row["carrier_cost"]) for row in rows] == [
        (3, 1, trimmed(3 * COST_MICRO))
    ]
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    seen = (await customer.get("/verified?span=24h")).words
    assert "Messages with codes 3" in seen
    assert "By carrier" not in seen
    assert "Margin" not in seen
    other = await server.account()
    _name, stranger = await signed_in(console, server.database, UserRole.CUSTOMER, other.account_id)
    assert "No verifications in this time range" in (await stranger.get(f"/verified?account={account.name}")).words


async def test_the_figures_are_downloaded_with_margins_by_the_operator_alone(
    server: Server, console: str, engine: CodeEngine, tmp_path: Path
) -> None:
    account = await server.account()
    sent = await engine.send(account, NUMBER)
    await engine.check(account, sent)
    await recount_verified(server.database, datetime.now(UTC), 2)
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    _name, operator = await signed_in(console, server.database)
    mine = await customer.get("/verified.csv?by=country&span=24h")
    assert mine.headers["content-disposition"].startswith('attachment; filename="homing-verified-country-24h-')
    heading, line = mine.text.splitlines()
    assert heading == "country,messages,verified,charge,charge_per_verified,currency"
    assert line.startswith("CN,1,1,0.031,0.031,USD")
    query = f"span=24h&account={account.name}"
    theirs = (await operator.get(f"/verified.csv?by=carrier&{query}")).text.splitlines()
    assert theirs[0] == "carrier,messages,verified,charge,charge_per_verified,carrier_cost,margin,currency"
    assert "Carriers cost" in (await operator.get(f"/verified?{query}")).words
    assert (await customer.get("/verified.csv?by=carrier")).status == 404
    for viewer, tabs in ((customer, 4), (operator, 5)):
        book = await viewer.get(f"/verified.xlsx?{query}")
        assert book.headers["content-type"] == WORKBOOK_TYPE
        sheets = read_workbook(book.body)
        assert len(sheets) == tabs
        assert sheets["country"][1][:4] == ("CN", 1, 1, 0.031)
        assert ("margin" in sheets["country"][0]) == (viewer is operator)
    words = ("stats", "verified", "--account", account.name)
    printed = await homing(server.dsn, *words, "--csv")
    assert printed.splitlines()[0] == "key,messages,verified,charge,charge_per_verified,carrier_cost,margin"
    assert "has 1 rows" in await homing(server.dsn, *words, "--xlsx", str(tmp_path / "v.xlsx"))
    assert read_workbook((tmp_path / "v.xlsx").read_bytes())["country"][1][:4] == ("CN", 1, 1, 0.031)
    assert "submitted" in await homing(server.dsn, "stats", "show", "--account", account.name, "--csv")


def read_workbook(content: bytes) -> Mapping[str, Sequence[Sequence[object]]]:
    """The cells of each tab."""
    book = load_workbook(io.BytesIO(content))
    return {page.title: list(page.iter_rows(values_only=True)) for page in book.worksheets}


async def test_rates_that_a_customer_reports_stand_as_written(server: Server, console: str) -> None:
    account = await server.account()
    body = {"appId": account.app, "mcc": "460", "backfillNumber": "71 <b>", "backfillCardinalNumber": "97"}
    reply = await server.client.laaffic(account, "POST", "/v3/otp/backfillRate", body={**body, "backfillNow": "0.73"})
    assert reply.json["status"] == "0", reply
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    seen = await customer.get("/verified")
    assert "Reported by the customer" in seen.words
    assert "460 71 <b> 97 0.73" in seen.words
    other = await server.account()
    _name, stranger = await signed_in(console, server.database, UserRole.CUSTOMER, other.account_id)
    assert "Reported by the customer" not in (await stranger.get("/verified")).words
