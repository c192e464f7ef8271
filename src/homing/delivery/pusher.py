"""Pushes: handed over, or claimed when due; posted, and written down attempt by attempt, over days if need be."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog

from homing import errors, limits
from homing.common.backoff import scheduled_s
from homing.common.batching import Batcher
from homing.delivery.safe_http import PostResult, SafeHttpClient
from homing.dialects.base import Dialects
from homing.messages.outbox import LEASE
from homing.model import PushKind, PushOutcome
from homing.observe.work import WorkMetrics
from homing.store import statements
from homing.store.database import Database
from homing.store.due_poller import DuePoller
from homing.store.statements.pushes import ClaimedPush, PushResult

PUSH_LINGER_S: Final = 0.02
PUSH_BREAKER_FAILURES: Final = 10  # in a row, then the host rests
PUSH_BREAKER_REST_S: Final = 30.0
log = structlog.get_logger()


class PushAttempt(msgspec.Struct, frozen=True):
    """A push attempt that has ended, and when the next is due (None: no more)."""

    push: ClaimedPush
    at: datetime
    posted: PostResult
    outcome: PushOutcome
    due_at: datetime | None


class HostBreaker:
    """A circuit breaker for each host, whatever the path: after so many failures in a row nothing is posted there for
    a fixed time, so that one dead customer does not hold up the living.
    """

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._rests_until_s: dict[str, float] = {}

    def open_for_s(self, url: str, now_s: float) -> float:
        """How long the host still rests; 0 when it may be tried."""
        return max(0.0, self._rests_until_s.get(host_of(url), 0.0) - now_s)

    def note(self, url: str, acknowledged: bool, now_s: float) -> None:
        host = host_of(url)
        if acknowledged:
            self._failures.pop(host, None)
            self._rests_until_s.pop(host, None)
            return
        count = self._failures[host] = self._failures.get(host, 0) + 1
        if count >= PUSH_BREAKER_FAILURES:
            self._rests_until_s[host] = now_s + PUSH_BREAKER_REST_S
        if len(self._failures) > limits.PROFILES_MAX:
            self._failures.clear()
            self._rests_until_s.clear()


def host_of(url: str) -> str:
    """Host and port, which a breaker counts by."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


class Pusher:
    """Serves the outbox's lanes. Pushes of one message go out in their order; at least once each."""

    def __init__(
        self,
        *,
        database: Database,
        http_client: SafeHttpClient,
        due_poller: DuePoller,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        rng: random.Random,
        dialects: Dialects,
    ) -> None:
        self._dialects = dialects
        self._database = database
        self._http_client = http_client
        self._due_poller = due_poller
        self._clock = clock
        self._work_metrics = work_metrics
        self._rng = rng
        self._breaker = HostBreaker()
        self._is_running = False
        self._in_flight = 0
        self._of_account: Counter[int] = Counter()
        self._in_hand: set[int] = set()
        self._freed = asyncio.Event()
        self._posts: set[asyncio.Task[None]] = set()
        self._records: Batcher[PushAttempt, None] = Batcher(
            self._record,
            weight_max=limits.PUSH_BATCH_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            linger_s=PUSH_LINGER_S,
        )

    async def run(self) -> None:
        """Claims for ever; cancel it to stop taking new work, then await `drained`."""
        lanes = tuple(range(limits.PUSH_LANES))
        self._is_running = True
        try:
            while True:
                for lane in await self._due_poller.wait("push", lanes):
                    try:
                        while await self._claim(lane):
                            pass
                    except errors.PlatformFailure as failure:
                        log.warning("database_unavailable", component="push_delivery", failure=str(failure))
                        await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)
        finally:
            self._is_running = False

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        """Whether a fresh push of an account may be handed over (messages/outbox.py's `LocalDelivery`); no while it
        does not run.
        """
        if not self._is_running:
            return False
        return self._of_account[account_id] + taken[account_id] < self._share(taken.total())

    def leased_until(self) -> datetime:
        return self._clock() + LEASE

    def serve(self, claimed: Sequence[ClaimedPush]) -> None:
        """Posts them, those of one message in their order."""
        loop = asyncio.get_running_loop()
        for chain in _chains(claimed):
            self._in_flight += len(chain)
            self._in_hand.update(push.push_id for push in chain)
            self._of_account[chain[0].account_id] += len(chain)
            task = loop.create_task(self._serve(chain))
            self._posts.add(task)
            task.add_done_callback(self._posts.discard)

    async def drained(self) -> None:
        while self._posts:
            await asyncio.gather(*self._posts, return_exceptions=True)
        await self._records.drained()

    def _share(self, taken: int = 0) -> int:
        """How many places an account may have: no more than are left free, so that however many accounts are at
        addresses that never answer, another one has room. `taken`: places that are promised beside those in use.
        """
        return min(limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, limits.PUSH_IN_FLIGHT_MAX - self._in_flight - taken)

    async def _claim(self, lane: int) -> bool:
        """Whether there may be more: as many were due as were asked for."""
        while self._in_flight >= limits.PUSH_IN_FLIGHT_MAX:
            self._freed.clear()
            await self._freed.wait()
        free, share = limits.PUSH_IN_FLIGHT_MAX - self._in_flight, self._share()
        count = min(limits.PUSH_BATCH_MAX, max(1, free // 4))  # which may all be of one account
        full = [account_id for account_id, places in self._of_account.items() if places >= share]
        rows = await statements.pushes.pushes_claim(
            self._database,
            lane=lane,
            now=self._clock(),
            rows_max=count,
            lease=LEASE,
            full_account_ids=full,
            held_push_ids=list(self._in_hand),
        )
        self.serve(rows)
        return len(rows) == count

    async def _serve(self, chain: Sequence[ClaimedPush]) -> None:
        """One message's pushes, in order."""
        try:
            for push in chain:
                await self._records.put(await self._post(push))
        except errors.PlatformFailure as failure:  # the lease ends and they are due again
            log.warning("database_unavailable", component="push_results", failure=str(failure))
        finally:
            self._in_flight -= len(chain)
            self._in_hand.difference_update(push.push_id for push in chain)
            account_id = chain[0].account_id
            self._of_account[account_id] -= len(chain)
            if not self._of_account[account_id]:
                del self._of_account[account_id]
            self._freed.set()

    async def _post(self, push: ClaimedPush) -> PushAttempt:
        rest_s = self._breaker.open_for_s(push.url, time.monotonic())
        now = self._clock()
        if rest_s:
            due_at = now + timedelta(seconds=rest_s * self._rng.uniform(1.0, 1.5))
            return PushAttempt(push, now, PostResult(None, "", -1), PushOutcome.PENDING, due_at)
        posted = await self._http_client.post(
            push.url, push.body, {"webhook-id": f"push_{push.push_id}"}, account_id=push.account_id
        )
        acknowledged = self._is_acknowledged(push, posted.status)
        self._breaker.note(push.url, acknowledged, time.monotonic())
        if acknowledged:
            return PushAttempt(push, now, posted, PushOutcome.ACKNOWLEDGED, None)
        wait_s = scheduled_s(push.attempts - push.attempts_replayed, limits.PUSH_WAITS_S, self._rng)
        if wait_s is None:
            return PushAttempt(push, now, posted, PushOutcome.GIVEN_UP, None)
        return PushAttempt(push, now, posted, PushOutcome.PENDING, now + timedelta(seconds=wait_s))

    def _is_acknowledged(self, push: ClaimedPush, status: int | None) -> bool:
        if status is None:
            return False
        if push.kind == PushKind.ALERT:
            return 200 <= status < 300
        return self._dialects.of(push.dialect).is_acknowledged(status)

    async def _record(self, done: Sequence[PushAttempt]) -> list[None]:
        await statements.pushes.pushes_record(
            self._database,
            results=[
                PushResult(
                    account_id=one.push.account_id,
                    push_id=one.push.push_id,
                    attempt=one.push.attempts,
                    at=one.at,
                    took_ms=one.posted.took_ms,
                    status=one.posted.status,
                    answer=one.posted.answer,
                    outcome=int(one.outcome),
                    due_at=one.due_at,
                    message_id=one.push.message_id,
                )
                for one in done
            ],
        )
        for outcome in PushOutcome:
            self._work_metrics.pushed(outcome.name.lower(), sum(1 for one in done if one.outcome is outcome))
        return [None] * len(done)


def _chains(claimed: Sequence[ClaimedPush]) -> list[list[ClaimedPush]]:
    chains: dict[int, list[ClaimedPush]] = {}
    for push in sorted(claimed, key=lambda push: push.push_id):
        chains.setdefault(push.message_id, []).append(push)
    return list(chains.values())
