"""Events in the database: who has none pays nothing, a reader misses none, endpoints are independent of each other."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.accounts.profile import Profile
from homing.admin.send_quotas import set_quota
from homing.admin.webhooks import EVENT_TYPES, create_webhook
from homing.common.crypto import Vault
from homing.delivery import endpoints
from homing.delivery.account_warnings import AccountWarnings
from homing.delivery.endpoint_health import DISABLE_AFTER, EndpointAttempt, EndpointHealth
from homing.dialects.registry import DIALECTS
from homing.ledger.postings import post, top_up
from homing.messages.events import EVENTS_KEPT_DAYS, add_events, forget_events
from homing.messages.outbox import LEASE, Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import EventType, LimitScope, PushKind, PushOutcome, SendQuota
from homing.states import MessageState
from homing.store import statements
from homing.store.statements.events import NewEvent
from homing.store.statements.pushes import ClaimedPush, PushResult
from tests.support.bank import Bank, group
from tests.support.server import migrated_database

VAULT = Vault(bytes(32))
PROCESSES = 3


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"events_{worker}"), PROCESSES)
    yield opened
    await opened.close()


async def endpoint(bank: Bank, account: Profile, *types: str) -> int:
    async with bank.plain.transaction() as transaction:
        row, _secret = await create_webhook(
            transaction, VAULT, account.account_id, url="http://127.0.0.1:9/", types=types or EVENT_TYPES
        )
    return row.webhook_id


def change(account: Profile, message_id: int, state: MessageState) -> StateChange:
    return StateChange(account.account_id, message_id, state, datetime.now(UTC), error_text="no")


async def move(bank: Bank, account: Profile, message_ids: list[int], state: MessageState) -> int:
    """Applies a state; how many statements that took."""
    counted: list[str] = []

    def note(record: Any) -> None:
        counted.append(record.query)

    async with bank.databases[0].transaction() as transaction:
        transaction.raw.add_query_logger(note)
        try:
            changes = [change(account, message_id, state) for message_id in message_ids]
            assert len(await apply(transaction, changes, Outbox(DIALECTS))) == len(message_ids)
        finally:
            transaction.raw.remove_query_logger(note)
    return len(counted)


async def types_of(bank: Bank, account: Profile) -> list[str]:
    rows = await bank.query("SELECT type FROM event WHERE account_id = $1 ORDER BY event_id", account.account_id)
    return [row["type"] for row in rows]


async def test_an_account_without_a_feed_costs_no_statement_and_one_with_a_feed_one_for_all_its_messages(
    bank: Bank,
) -> None:
    first = await bank.account(balance=10**9)  # the driver asks the database about types once
    await endpoint(bank, first)
    (first_id,) = await bank.send(0, first, [group("86", 1)])
    plain, watched = await bank.account(balance=10**9), await bank.account(balance=10**9)
    await endpoint(bank, watched, EventType.MESSAGE_SENT, EventType.MESSAGE_DELIVERED)
    await endpoint(bank, watched, EventType.MESSAGE_DELIVERED)
    plain_ids = await bank.send(0, plain, [group("86", 20)])
    watched_ids = await bank.send(0, watched, [group("86", 20)])
    for state, more in ((MessageState.SENT, 1), (MessageState.UNKNOWN, 0), (MessageState.DELIVERED, 1)):
        await move(bank, first, [first_id], state)
        taken = await move(bank, plain, plain_ids, state)
        assert await move(bank, watched, watched_ids, state) == taken + more, state
    assert not await types_of(bank, plain)
    assert await types_of(bank, watched) == [EventType.MESSAGE_SENT] * 20 + [EventType.MESSAGE_DELIVERED] * 20
    rows = await bank.query(
        "SELECT count(*) FROM push WHERE account_id = $1 GROUP BY webhook_id ORDER BY webhook_id", watched.account_id
    )
    assert [row["count"] for row in rows] == [40, 20]


async def test_a_change_that_is_rolled_back_leaves_no_event(bank: Bank) -> None:
    account = await bank.account(balance=10**9)
    await endpoint(bank, account)
    (message_id,) = await bank.send(0, account, [group("86", 1)])

    async def fail() -> None:
        async with bank.databases[0].transaction() as transaction:
            await apply(transaction, [change(account, message_id, MessageState.FAILED)], Outbox(DIALECTS))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert not await types_of(bank, account)
    assert not await bank.query("SELECT FROM push WHERE account_id = $1", account.account_id)
    await move(bank, account, [message_id], MessageState.FAILED)
    assert await types_of(bank, account) == [EventType.MESSAGE_FAILED]


async def test_a_reader_who_follows_the_ids_misses_none_however_many_processes_write(bank: Bank) -> None:
    accounts = [await bank.account() for _ in range(2)]
    for account in accounts:
        await endpoint(bank, account)
    done, seen = asyncio.Event(), [[0], [0]]

    def events(first: int) -> list[NewEvent]:
        return [
            NewEvent(
                account_id=accounts[(first + n) % 2].account_id,
                type=EventType.WEBHOOK_DISABLED,
                message_id=None,
                verification_id=None,
                data=f'"{first}-{n}"',
            )
            for n in range(4)
        ]

    async def write(process: int) -> None:
        for batch in range(40):
            async with bank.databases[process].transaction() as transaction:
                await add_events(transaction, DIALECTS, events(batch + process))
                await asyncio.sleep(0.001 * ((batch + process) % 3))  # others come in between

    async def read(account: Profile, ids: list[int]) -> None:
        while True:
            was_done = done.is_set()
            rows = await statements.events.events_earliest(
                bank.plain,
                account_id=account.account_id,
                after_id=ids[-1],
                before_id=2**63 - 1,
                types=None,
                rows_max=7,
                looked_max=1_000,
            )
            ids += [row.event_id for row in rows]
            if was_done and not rows:
                return
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read(account, ids)) for account, ids in zip(accounts, seen, strict=True)]
    await asyncio.gather(*(write(process) for process in range(PROCESSES)))
    done.set()
    await asyncio.gather(*readers)
    for account, ids in zip(accounts, seen, strict=True):
        rows = await bank.query(
            "SELECT event_id, at FROM event WHERE account_id = $1 ORDER BY event_id", account.account_id
        )
        assert ids[1:] == [row["event_id"] for row in rows]
        assert len(rows) == PROCESSES * 40 * 2
        times = [row["at"] for row in rows]
        assert times == sorted(times)


async def claimed(bank: Bank) -> list[ClaimedPush]:
    now = datetime.now(UTC)
    rows = []
    for lane in range(4):
        rows += await statements.pushes.pushes_claim(
            bank.databases[0],
            lane=lane,
            now=now,
            rows_max=100,
            lease=LEASE,
            full_account_ids=[],
            full_webhook_ids=[],
            busy=[],
            recipient_max=100,
            held_push_ids=[],
        )
    return sorted(rows, key=lambda row: int(row.push_id))


async def failed(bank: Bank, push: ClaimedPush) -> None:
    now = datetime.now(UTC)
    result = PushResult(
        account_id=push.account_id,
        push_id=push.push_id,
        attempt=push.attempts,
        at=now,
        took_ms=3,
        status=500,
        answer="",
        outcome=PushOutcome.PENDING,
        due_at=now - timedelta(seconds=1),
        message_id=push.message_id,
        webhook_id=push.webhook_id,
        event_id=push.event_id,
    )
    await statements.pushes.pushes_record(bank.databases[0], results=[result])


async def test_endpoints_do_not_wait_for_each_other_and_a_later_state_drops_an_earlier_one_at_its_own_alone(
    bank: Bank,
) -> None:
    await bank.query("TRUNCATE push")
    account = await bank.account(balance=10**9)
    slow, other = await endpoint(bank, account), await endpoint(bank, account, EventType.MESSAGE_SENT)
    (message_id,) = await bank.send(0, account, [group("86", 1)])
    await move(bank, account, [message_id], MessageState.SENT)
    sent = {push.webhook_id: push for push in await claimed(bank)}
    assert sent.keys() == {slow, other}
    await move(bank, account, [message_id], MessageState.DELIVERED)
    assert not await claimed(bank), "delivered waits until sent is done"
    await failed(bank, sent[slow])
    await failed(bank, sent[other])
    again = await claimed(bank)
    assert [(push.webhook_id, push.kind) for push in again] == [
        (other, PushKind.REPORT),
        (slow, PushKind.REPORT),
    ], "sent goes out again where nothing followed, and delivered in its place where it did"
    assert '"type":"message.sent"' in again[0].body
    assert '"type":"message.delivered"' in again[1].body


async def test_events_of_a_verification_are_never_dropped_for_those_of_its_message(bank: Bank) -> None:
    await bank.query("TRUNCATE push")
    account = await bank.account(balance=10**9)
    await endpoint(bank, account)
    (message_id,) = await bank.send(0, account, [group("86", 1)])
    verified = NewEvent(
        account_id=account.account_id,
        type=EventType.VERIFICATION_VERIFIED,
        message_id=None,
        verification_id=message_id,
        data="{}",
    )
    await move(bank, account, [message_id], MessageState.SENT)
    async with bank.databases[0].transaction() as transaction:
        await add_events(transaction, DIALECTS, [verified])
    (sent,) = await claimed(bank)
    await failed(bank, sent)
    assert [push.kind for push in await claimed(bank)] == [PushKind.REPORT], "sent is not stale for a verification"
    await move(bank, account, [message_id], MessageState.DELIVERED)
    await failed(bank, sent)
    following = await claimed(bank)
    assert PushKind.EVENT in [push.kind for push in following]
    assert '"type":"message.sent"' not in "".join(push.body for push in following)


async def test_a_push_to_an_endpoint_that_is_gone_has_no_address(bank: Bank) -> None:
    await bank.query("TRUNCATE push")
    account = await bank.account(balance=10**9)
    webhook_id = await endpoint(bank, account)
    (message_id,) = await bank.send(0, account, [group("86", 1)])
    await move(bank, account, [message_id], MessageState.FAILED)
    await bank.query("DELETE FROM webhook WHERE webhook_id = $1", webhook_id)
    assert [push.url for push in await claimed(bank)] == [""]


class Health:
    """An endpoint's attempts at times of the test's choice."""

    def __init__(self, bank: Bank, account: Profile, webhook_id: int, clock: Callable[[], datetime]) -> None:
        self._bank, self._account, self._webhook_id, self._clock = bank, account, webhook_id, clock
        self._health = EndpointHealth(database=bank.databases[0], dialects=DIALECTS, clock=clock)

    async def note(self, *successes: bool) -> Any:
        attempts = [
            EndpointAttempt(
                account_id=self._account.account_id, webhook_id=self._webhook_id, is_success=each, at=self._clock()
            )
            for each in successes
        ]
        await self._health.note(attempts)
        (row,) = await self._bank.query("SELECT * FROM webhook WHERE webhook_id = $1", self._webhook_id)
        return row


async def test_an_endpoint_that_only_fails_for_days_is_disabled_with_an_alarm_and_an_event(bank: Bank) -> None:
    now = [datetime.now(UTC) - DISABLE_AFTER]
    account = await bank.account()
    webhook_id = await endpoint(bank, account)
    other_id = await endpoint(bank, account, EventType.WEBHOOK_DISABLED)
    health = Health(bank, account, webhook_id, lambda: now[0])
    assert (await health.note(False))["failing_since"] == now[0]
    first = now[0]
    now[0] += DISABLE_AFTER - timedelta(minutes=1)
    assert (await health.note(False))["failing_since"] == first
    assert (await health.note(False, True))["failing_since"] is None, "one success makes it whole"
    now[0] -= DISABLE_AFTER - timedelta(minutes=2)
    await health.note(False)
    now[0] += DISABLE_AFTER
    row = await health.note(False)
    assert (row["is_enabled"], row["disabled_for_failures"]) == (False, True)
    assert row["disabled_at"] is not None
    await health.note(False)  # one that was under way
    assert await types_of(bank, account) == [EventType.WEBHOOK_DISABLED], "once"
    pushes = await bank.query("SELECT webhook_id FROM push WHERE account_id = $1", account.account_id)
    assert [push["webhook_id"] for push in pushes] == [other_id]
    alarms = await bank.query("SELECT subject FROM alarm WHERE component = 'webhook' AND code = 'disabled'")
    assert [alarm["subject"] for alarm in alarms] == [str(webhook_id)]


async def test_old_events_are_forgotten_with_the_texts_and_pending_ones_stay(bank: Bank) -> None:
    long, short = await bank.account(), await bank.account()
    for account in (long, short):
        await endpoint(bank, account)
    await bank.query("UPDATE account SET retention_days = 2 WHERE account_id = $1", short.account_id)
    ages_days = (1, 3, EVENTS_KEPT_DAYS + 1)
    for account in (long, short):
        async with bank.databases[0].transaction() as transaction:
            events = [
                NewEvent(
                    account_id=account.account_id,
                    type=EventType.MESSAGE_INBOUND,
                    message_id=None,
                    verification_id=None,
                    data="{}",
                )
                for _ in ages_days
            ]
            await add_events(transaction, DIALECTS, events)
        rows = await bank.query(
            "SELECT event_id FROM event WHERE account_id = $1 ORDER BY event_id", account.account_id
        )
        for row, days in zip(rows, ages_days, strict=True):
            await bank.query(
                "UPDATE event SET at = now() - make_interval(days => $2) WHERE event_id = $1", row["event_id"], days
            )
    await forget_events(bank.plain)
    assert [len(await types_of(bank, account)) for account in (long, short)] == [3, 3], "they are still to be pushed"
    await bank.query("UPDATE push SET due_at = NULL")
    await forget_events(bank.plain)
    assert [len(await types_of(bank, account)) for account in (long, short)] == [2, 1]


async def test_a_feed_that_nobody_reads_any_more_has_what_endpoints_chose(bank: Bank) -> None:
    account = await bank.account()
    await endpoint(bank, account, EventType.MESSAGE_FAILED)
    account_id = account.account_id
    async with bank.plain.transaction() as transaction:
        await statements.events.event_feed_refresh(
            transaction, account_id=account_id, is_read=True, all_types=EVENT_TYPES
        )
    query = "SELECT types, read_at FROM event_feed WHERE account_id = $1"
    assert set((await bank.query(query, account_id))[0]["types"]) == set(EVENT_TYPES)
    await endpoint(bank, account, EventType.MESSAGE_SENT)
    assert set((await bank.query(query, account_id))[0]["types"]) == set(EVENT_TYPES), "a change leaves a reader all"
    await bank.query("UPDATE event_feed SET read_at = now() - interval '31 days' WHERE account_id = $1", account_id)
    await forget_events(bank.plain)
    (row,) = await bank.query(query, account_id)
    assert (set(row["types"]), row["read_at"]) == ({EventType.MESSAGE_FAILED, EventType.MESSAGE_SENT}, None)


async def warnings(bank: Bank, *accounts: Profile) -> list[list[str]]:
    """What each account has been told, after every process has looked."""
    for database in bank.databases:
        await AccountWarnings(database, lambda: datetime.now(UTC), DIALECTS).look()
    rows = [
        await bank.query("SELECT type, data FROM event WHERE account_id = $1 ORDER BY event_id", each.account_id)
        for each in accounts
    ]
    return [[f"{row['type']} {row['data']}" for row in each] for each in rows]


async def test_money_and_quotas_that_come_to_their_end_are_told_once_by_whatever_process(bank: Bank) -> None:
    account, rich, unasked = [await bank.account(balance=money) for money in (40_000, 10**9, 40_000)]
    for each in (account, rich):
        await endpoint(bank, each, EventType.BALANCE_LOW, EventType.QUOTA_WARNING)
    await endpoint(bank, unasked, EventType.MESSAGE_SENT)
    for each in (account, rich, unasked):
        async with bank.plain.transaction() as transaction:
            await set_quota(transaction, each.account_id, "", SendQuota(messages_per_day=5))
    assert await warnings(bank, account, rich, unasked) == [[], [], []]
    for each in (account, rich, unasked):
        await bank.query(
            "INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender,"
            " submitted, revenue_micro) VALUES ($1, $2, 1, '', 'CN', '46000', '861380000', 'HOMING', 1, 50000)",
            each.account_id,
            int(datetime.now(UTC).timestamp()) // 60,
        )
        window = [[86_400, int(datetime.now(UTC).timestamp() * 1000), 4]]
        await bank.query(
            "INSERT INTO limit_use (account_id, scope, key, windows, ends_at) VALUES ($1, $2, '', $3, now())",
            each.account_id,
            int(LimitScope.MESSAGES),
            json.dumps(window),
        )
    quota = 'quota.warning {"used_percent":80,"messages_per_day":5,"messages_used":4}'
    low = (
        'balance.low {"available":{"amount":"0.04","currency":"USD"},'
        '"spent_in_24_hours":{"amount":"0.05","currency":"USD"}}'
    )
    assert await warnings(bank, account, rich, unasked) == [[low, quota], [quota], []]
    assert await warnings(bank, account, rich, unasked) == [[low, quota], [quota], []]
    async with bank.plain.transaction() as transaction:
        await post(transaction, account.account_id, top_up(10**6), "test", "balance")
    assert (await warnings(bank, account))[0] == [low, quota]
    await bank.query("UPDATE balance SET balance_micro = 40000 WHERE account_id = $1", account.account_id)
    assert (await warnings(bank, account))[0] == [low, quota, low]


async def test_a_replayed_event_does_not_overtake_or_drop_those_that_came_after_it(bank: Bank) -> None:
    await bank.query("TRUNCATE push")
    account = await bank.account(balance=10**9)
    webhook_id = await endpoint(bank, account, EventType.MESSAGE_DELIVERED)
    await endpoint(bank, account, EventType.MESSAGE_SENT)  # so that there are such events
    (message_id,) = await bank.send(0, account, [group("86", 1)])
    await move(bank, account, [message_id], MessageState.SENT)
    await move(bank, account, [message_id], MessageState.DELIVERED)
    (delivered,) = [push for push in await claimed(bank) if push.webhook_id == webhook_id]
    await failed(bank, delivered)
    row = await statements.webhooks.webhook_find(bank.plain, account_id=account.account_id, webhook_id=webhook_id)
    assert row is not None
    now = datetime.now(UTC)
    async with bank.plain.transaction() as transaction:
        replayed = await endpoints.replay_events(
            transaction, row, dialect=3, since=now - timedelta(hours=1), until=now, types=[EventType.MESSAGE_SENT]
        )
    assert replayed.queued == 1
    (sent,) = [push for push in await claimed(bank) if push.webhook_id == webhook_id]
    assert '"type":"message.sent"' in sent.body, "delivered waits for the older event, whose push is younger"
    await failed(bank, sent)
    (again,) = [push for push in await claimed(bank) if push.webhook_id == webhook_id]
    assert again.push_id == delivered.push_id, "delivered is not dropped for sent"
    assert '"type":"message.delivered"' in again.body


async def test_who_moves_feeds_on_waits_for_nobody_and_nobody_for_them_in_turn(bank: Bank) -> None:
    """Events of several accounts lock their feeds in turn: whoever locks them otherwise must not wait."""
    accounts = sorted([await bank.account() for _ in range(2)], key=lambda account: account.account_id)
    for account in accounts:
        await endpoint(bank, account)
    await bank.query("UPDATE event_feed SET read_at = now() - interval '31 days', expired_from_id = 0")
    first, last = (account.account_id for account in accounts)
    await verification(bank, first, 3)
    expired: dict[str, Any] = {"expired_type": EventType.VERIFICATION_EXPIRED, "beyond_id": 7, "ids_min": 1}
    async with bank.databases[0].transaction() as transaction:
        await transaction.raw.execute("SELECT FROM event_feed WHERE account_id = $1 FOR NO KEY UPDATE", last)
        async with asyncio.timeout(2):
            await statements.verifications.event_feeds_expired(bank.databases[1], **expired)
            await statements.events.event_feeds_rest(bank.databases[1], days=30)
    query = "SELECT expired_from_id, read_at IS NULL AS is_at_rest FROM event_feed WHERE account_id = $1"
    assert tuple((await bank.query(query, first))[0]) == (7, True)
    assert tuple((await bank.query(query, last))[0]) == (0, False), "at the next look"
    await statements.verifications.event_feeds_expired(bank.databases[1], **expired)
    await statements.events.event_feeds_rest(bank.databases[1], days=30)
    assert tuple((await bank.query(query, last))[0]) == (7, True)


async def verification(bank: Bank, account_id: int, verification_id: int) -> None:
    """One that has been verified."""
    await bank.query(
        "INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text,"
        " code_hash, status, attempts_max, latest_id, created_at, expires_at)"
        " VALUES ($1, $2, 3, 'a', '86', '86', 'S', '', '', 1, 5, $2, now(), now()) ON CONFLICT DO NOTHING",
        account_id,
        verification_id,
    )


async def test_a_feed_is_written_only_if_that_spares_a_look_at_a_verification(bank: Bank) -> None:
    account = await bank.account()
    await endpoint(bank, account)
    await bank.query("UPDATE event_feed SET expired_from_id = 100 WHERE account_id = $1", account.account_id)

    async def moved_to(beyond_id: int) -> tuple[int, bool]:
        query = "SELECT xmin::text AS version, expired_from_id FROM event_feed WHERE account_id = $1"
        (before,) = await bank.query(query, account.account_id)
        await statements.verifications.event_feeds_expired(
            bank.databases[0], expired_type=EventType.VERIFICATION_EXPIRED, beyond_id=beyond_id, ids_min=20
        )
        (after,) = await bank.query(query, account.account_id)
        return after["expired_from_id"], before["version"] != after["version"]

    assert await moved_to(150) == (100, False), "there is none to look at"
    await verification(bank, account.account_id, 105)
    assert await moved_to(110) == (100, False), "it is not far enough"
    assert await moved_to(150) == (150, True)
    assert await moved_to(200) == (150, False)


async def test_a_replay_of_a_rare_type_looks_at_a_bounded_part_of_the_span(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await bank.account(balance=10**9)
    webhook_id = await endpoint(bank, account)
    message_ids = await bank.send(0, account, [group("86", 5)])
    await move(bank, account, message_ids, MessageState.SENT)
    await move(bank, account, message_ids[:1], MessageState.FAILED)
    await bank.query("TRUNCATE push")
    row = await statements.webhooks.webhook_find(bank.plain, account_id=account.account_id, webhook_id=webhook_id)
    assert row is not None
    monkeypatch.setattr(endpoints, "REPLAY_LOOKED_MAX", 4)
    now, after_id, queued = datetime.now(UTC), 0, []
    while True:
        async with bank.plain.transaction() as transaction:
            replayed = await endpoints.replay_events(
                transaction,
                row,
                dialect=3,
                since=now - timedelta(hours=1),
                until=now,
                types=[EventType.MESSAGE_FAILED],
                after_id=after_id,
            )
        queued.append(replayed.queued)
        if replayed.last_id is None:
            break
        after_id = replayed.last_id
    assert queued == [0, 1]
