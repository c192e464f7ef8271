"""Changes with an Idempotency-Key in several processes: one is made, with its answer or not at all."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from homing.accounts.profile import Profile
from homing.admin.webhooks import create_webhook
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.common.crypto import Vault
from homing.dialects.v1.calls import V1Call
from homing.dialects.v1.idempotency import AnsweredCalls
from homing.store.database import DatabaseConnection
from tests.support.bank import Bank
from tests.support.server import migrated_database

VAULT = Vault(bytes(32))
PROCESSES = 3


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"answered_{worker}"), PROCESSES)
    yield opened
    await opened.close()


def call_of(account: Profile, key: str | None) -> V1Call:
    called: Any = None
    headers: Any = {}
    request = HttpRequest("POST", "/v1/webhooks", "", headers, b"{}", "r", called)
    return V1Call(request=request, account=account, key=key)


async def create(call: V1Call, transaction: DatabaseConnection) -> HttpResponse:
    row, secret = await create_webhook(transaction, VAULT, call.account.account_id, url="https://example.com/")
    await asyncio.sleep(0.02)  # the others come now
    return HttpResponse(f"{row.webhook_id} {secret}".encode(), 201)


async def endpoints(bank: Bank, account: Profile) -> int:
    rows = await bank.query("SELECT FROM webhook WHERE account_id = $1", account.account_id)
    return len(rows)


async def test_processes_that_get_one_call_make_its_change_once_and_answer_alike(bank: Bank) -> None:
    account = await bank.account()
    processes = [AnsweredCalls(database, VAULT, lambda: datetime.now(UTC)) for database in bank.databases]
    answers = await asyncio.gather(
        *(process.change(call_of(account, "k"), create, is_secret=True) for process in processes for _ in range(5))
    )
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert await endpoints(bank, account) == 1
    (row,) = await bank.query("SELECT answer FROM answered_call WHERE account_id = $1", account.account_id)
    assert b"whsec_" not in row["answer"], "it is sealed"
    for _ in range(2):
        await processes[0].change(call_of(account, None), create)
    assert await endpoints(bank, account) == 3


async def test_a_change_whose_answer_cannot_be_stored_is_not_made(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await bank.account()
    process = AnsweredCalls(bank.databases[0], VAULT, lambda: datetime.now(UTC))

    async def killed(*_args: Any, **_more: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(process, "_store", killed)
        with pytest.raises(RuntimeError):
            await process.change(call_of(account, "k"), create)
    assert await endpoints(bank, account) == 0
    assert (await process.change(call_of(account, "k"), create)).status == 201
    assert await endpoints(bank, account) == 1
