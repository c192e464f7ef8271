"""Quotas: what an account and its apps may send, over all processes and dialects, to the last message."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import account_settings
from homing.admin.send_quotas import list_quotas, remove_quota, set_quota
from homing.intake.intake import utc_now
from homing.model import SendQuota
from tests.support.bank import Bank, group, opened
from tests.support.server import Server, migrated_database
from tests.support.waiting import until

PRICE_MICRO = 31_000


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    async with opened(await migrated_database(postgres, f"quotas_{worker}"), 2) as bank:
        yield bank


async def limited(bank: Bank, quota: SendQuota, app_quota: SendQuota | None = None) -> Profile:
    account = await bank.account(balance=100_000_000)
    async with bank.plain.transaction() as transaction:
        await set_quota(transaction, account.account_id, "", quota)
    quotas = {"": quota}
    if app_quota is not None:
        quotas[account.name] = app_quota
    return msgspec.structs.replace(account, quotas=quotas)


async def outcomes(bank: Bank, account: Profile, calls: int, numbers: int = 1) -> Counter[type]:
    results = await asyncio.gather(
        *(bank.send(n % 2, account, [group("86", numbers)]) for n in range(calls)), return_exceptions=True
    )
    return Counter(type(result) for result in results)


async def test_a_days_messages_are_counted_to_the_last(bank: Bank) -> None:
    account = await limited(bank, SendQuota(messages_per_day=50))
    assert await outcomes(bank, account, 40, numbers=2) == {list: 25, errors.QuotaReached: 15}
    (use,) = await list_quotas(bank.plain, utc_now(), account.account_id)
    assert (use.messages_used, use.used_share) == (50, 1.0)
    (later,) = await list_quotas(bank.plain, utc_now() + timedelta(days=1), account.account_id)
    assert later.messages_used == 0
    assert (await bank.purse(account)).balance == 100_000_000 - 50 * PRICE_MICRO
    assert (await bank.prove(account)).holds


async def test_a_days_money_is_counted_to_the_micro_unit(bank: Bank) -> None:
    account = await limited(bank, SendQuota(money_per_day_micro=10 * PRICE_MICRO))
    assert (await outcomes(bank, account, 30))[list] == 10
    less = await limited(bank, SendQuota(money_per_day_micro=10 * PRICE_MICRO - 1))
    assert (await outcomes(bank, less, 30))[list] == 9


async def test_a_call_that_does_not_fit_is_refused_whole_and_a_smaller_one_still_fits(bank: Bank) -> None:
    account = await limited(bank, SendQuota(messages_per_day=10))
    with pytest.raises(errors.QuotaReached) as refused:
        await bank.send(0, account, [group("86", 11)])
    assert 1 <= refused.value.retry_after_s <= 86_400
    assert len(await bank.send(0, account, [group("86", 10)])) == 10


async def test_an_apps_quota_is_beside_its_accounts(bank: Bank) -> None:
    account = await limited(bank, SendQuota(messages_per_day=8), SendQuota(messages_per_day=5))
    assert (await outcomes(bank, account, 20))[list] == 5
    elsewhere = msgspec.structs.replace(account, quotas={"": SendQuota(messages_per_day=8)})
    assert (await outcomes(bank, elsewhere, 20))[list] == 3, "what another app sent counts for the account"


async def test_a_second_is_a_second(bank: Bank) -> None:
    account = await limited(bank, SendQuota(messages_per_s=3))
    assert (await outcomes(bank, account, 10))[list] == 3
    await until(lambda: outcomes(bank, account, 1), lambda result: result[list] == 1, within_s=5)


async def test_without_money_a_quota_is_not_used_up(bank: Bank) -> None:
    account = await bank.account(balance=2 * PRICE_MICRO)
    limited_account = msgspec.structs.replace(account, quotas={"": SendQuota(messages_per_day=100)})
    assert await outcomes(bank, limited_account, 10) == {list: 2, errors.InsufficientBalance: 8}
    (row,) = await bank.query(
        "SELECT windows::json -> 0 ->> 2 AS used FROM limit_use WHERE account_id = $1", account.account_id
    )
    assert row["used"] == "2"


async def test_both_dialects_say_it_in_their_way_and_the_overview_warns(server: Server) -> None:
    account = await server.account()
    async with server.database.transaction() as transaction:
        await set_quota(transaction, account.account_id, "", SendQuota(messages_per_day=2))
    call = {"appId": account.app, "numbers": "8613800000001", "content": "hi"}

    async def sends() -> str:
        return str((await server.client.laaffic(account, "POST", "/v3/sendSms", body=call)).json["status"])

    await until(sends, lambda status: status == "-15")
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber="8613800000001",
        textmessage="hi",
    )
    assert (reply.json["status"], reply.json["remarks"]) == ("F", "Too many messages")
    (use,) = await list_quotas(server.database, utc_now(), account.account_id)
    assert use.used_share == 1.0
    async with server.database.transaction() as transaction:
        await remove_quota(transaction, account.account_id, "")
        with pytest.raises(errors.InvalidInput):
            await remove_quota(transaction, account.account_id, "")
    await until(sends, lambda status: status == "0")


async def test_what_cannot_be_a_quota_is_said(bank: Bank) -> None:
    account = await bank.account()
    async with bank.plain.transaction() as transaction:
        for app_id, quota in (
            ("", SendQuota()),
            ("", SendQuota(messages_per_day=0)),
            ("nope", SendQuota(messages_per_s=1)),
        ):
            with pytest.raises(errors.InvalidInput):
                await set_quota(transaction, account.account_id, app_id, quota)
        await account_settings.create_app(transaction, account.account_id, name="mine", app_id="quota-app")
        await set_quota(transaction, account.account_id, "quota-app", SendQuota(messages_per_s=1))
