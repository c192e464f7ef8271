"""Posts the outbox's pushes over HTTP: handed over by this process or claimed when due, and retried for days."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.common.backoff import scheduled_s
from homing.common.batching import Batcher
from homing.delivery.endpoint_health import EndpointAttempt, EndpointHealth
from homing.delivery.host_breaker import HostBreaker
from homing.delivery.push_places import PushPlaces, Recipient
from homing.delivery.safe_http import PostResult, SafeHttpClient
from homing.delivery.signing import PushSigner, UnreadableSecret
from homing.delivery.unreadable_secrets import UnreadableSecrets
from homing.dialects.base import Dialects
from homing.messages.outbox import LEASE
from homing.model import EVENT_PREFIX, PushKind, PushOutcome
from homing.observe.logs import is_debug
from homing.observe.work import WorkMetrics
from homing.store import statements
from homing.store.database import Database
from homing.store.due_poller import DuePoller
from homing.store.statements.pushes import ClaimedPush, PushResult

PUSH_LINGER_S: Final = 0.02
ENDPOINT_OFF: Final = "not sent: the endpoint is disabled or removed"
BODY_GONE: Final = "not sent: its content is no longer kept"
log = structlog.get_logger()


class PushAttempt(msgspec.Struct, frozen=True):
    """An attempt that has ended. `due_at`: when the next one is due; None: there is none."""

    push: ClaimedPush
    at: datetime
    result: PostResult
    outcome: PushOutcome
    due_at: datetime | None


class Pusher:
    """Posts the pushes of the outbox's HTTP lanes, each at least once, those of one message in their order."""

    def __init__(
        self,
        *,
        database: Database,
        http_client: SafeHttpClient,
        signer: PushSigner,
        due_poller: DuePoller,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        rng: random.Random,
        dialects: Dialects,
        endpoint_health: EndpointHealth,
        unreadable_secrets: UnreadableSecrets,
    ) -> None:
        self._dialects = dialects
        self._endpoint_health = endpoint_health
        self._unreadable_secrets = unreadable_secrets
        self._database = database
        self._http_client = http_client
        self._signer = signer
        self._due_poller = due_poller
        self._clock = clock
        self._work_metrics = work_metrics
        self._rng = rng
        self._breaker = HostBreaker()
        self._is_running = False
        self._places = PushPlaces()
        self._place_freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: Batcher[PushAttempt, None] = Batcher(
            self._record,
            weight_max=limits.PUSH_BATCH_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            linger_s=PUSH_LINGER_S,
        )

    async def run(self) -> None:
        """Never returns; cancel it to stop claiming, then await `drained`."""
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
        """See `LocalDelivery` (messages/outbox.py). False while `run` is not running."""
        return self._is_running and self._places.has_room(account_id, taken)

    def leased_until(self) -> datetime:
        return self._clock() + LEASE

    def serve(self, claimed: Sequence[ClaimedPush]) -> None:
        """Starts posting claimed pushes, those of one message in their order."""
        loop = asyncio.get_running_loop()
        for chain in _chains(claimed):
            self._places.take(chain)
            task = loop.create_task(self._serve(chain))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drained(self) -> None:
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._records.drained()

    async def _claim(self, lane: int) -> bool:
        """Claims a batch of a lane and starts posting it. Returns whether more may be due."""
        places = self._places
        while places.free() <= 0:
            self._place_freed.clear()
            await self._place_freed.wait()
        count = min(limits.PUSH_BATCH_MAX, max(1, places.free() // 4))
        rows = await statements.pushes.pushes_claim(
            self._database,
            lane=lane,
            now=self._clock(),
            rows_max=count,
            lease=LEASE,
            full_account_ids=places.full_account_ids(),
            full_webhook_ids=places.full_webhook_ids(),
            busy=places.busy_accounts(),
            recipient_max=limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MAX,
            held_push_ids=list(places.push_ids),
        )
        self.serve(rows)
        return len(rows) == count or places.has_full(rows)

    async def _serve(self, chain: Sequence[ClaimedPush]) -> None:
        """Posts one message's pushes to one address, in order."""
        try:
            for push in chain:
                await self._records.put(await self._post(push))
        except errors.PlatformFailure as failure:  # they are due again when the lease ends
            log.warning("database_unavailable", component="push_results", failure=str(failure))
        finally:
            self._places.give_back(chain)
            self._place_freed.set()

    async def _post(self, push: ClaimedPush) -> PushAttempt:
        now = self._clock()
        if not push.url:
            return PushAttempt(push, now, PostResult(None, ENDPOINT_OFF, 0), PushOutcome.GIVEN_UP, None)
        if not push.body:  # replayed after the account's retention
            return PushAttempt(push, now, PostResult(None, BODY_GONE, 0), PushOutcome.GIVEN_UP, None)
        rest_s = self._breaker.open_for_s(_recipient(push), push.url, time.monotonic())
        if rest_s:
            return _unposted(push, now, "", now + timedelta(seconds=rest_s * self._rng.uniform(1.0, 1.5)))
        try:
            headers = await self._signer.headers(push.account_id, push.webhook_id, _webhook_id(push), now, push.body)
        except UnreadableSecret as error:
            return _unposted(push, now, str(error), self._unreadable_secrets.note(_recipient(push), now))
        post_result = await self._http_client.post(push.url, push.body, headers, account_id=push.account_id)
        acknowledged = self._is_acknowledged(push, post_result.status)
        self._breaker.count(_recipient(push), push.url, acknowledged, time.monotonic())
        if acknowledged:
            return PushAttempt(push, now, post_result, PushOutcome.ACKNOWLEDGED, None)
        wait_s = scheduled_s(push.attempts - push.attempts_replayed, limits.PUSH_WAITS_S, self._rng)
        if wait_s is None:
            return PushAttempt(push, now, post_result, PushOutcome.GIVEN_UP, None)
        return PushAttempt(push, now, post_result, PushOutcome.PENDING, now + timedelta(seconds=wait_s))

    def _is_acknowledged(self, push: ClaimedPush, status: int | None) -> bool:
        if status is None:
            return False
        if push.kind == PushKind.ALERT:
            return 200 <= status < 300
        return self._dialects.of(push.dialect).is_acknowledged(status)

    async def _record(self, attempts: Sequence[PushAttempt]) -> list[None]:
        await statements.pushes.pushes_record(
            self._database,
            results=[
                PushResult(
                    account_id=attempt.push.account_id,
                    push_id=attempt.push.push_id,
                    attempt=attempt.push.attempts,
                    at=attempt.at,
                    took_ms=attempt.result.took_ms,
                    status=attempt.result.status,
                    answer=attempt.result.answer,
                    outcome=int(attempt.outcome),
                    due_at=attempt.due_at,
                    message_id=attempt.push.message_id,
                    webhook_id=attempt.push.webhook_id,
                    event_id=attempt.push.event_id,
                )
                for attempt in attempts
            ],
        )
        await self._endpoint_health.note(
            [
                EndpointAttempt(
                    account_id=attempt.push.account_id,
                    webhook_id=attempt.push.webhook_id,
                    is_success=attempt.outcome is PushOutcome.ACKNOWLEDGED,
                    at=attempt.at,
                )
                for attempt in attempts
                if attempt.push.webhook_id and attempt.push.url and attempt.push.body and attempt.result.took_ms >= 0
            ]
        )
        for outcome in PushOutcome:
            self._work_metrics.pushed(
                outcome.name.lower(), sum(1 for attempt in attempts if attempt.outcome is outcome)
            )
        if is_debug():
            log.debug("pushes_posted", pushes=[_logged(attempt) for attempt in attempts])
        return [None] * len(attempts)


def _logged(attempt: PushAttempt) -> dict[str, object]:
    return {
        "push_id": attempt.push.push_id,
        "message_id": attempt.push.message_id,
        "attempt": attempt.push.attempts,
        "status": attempt.result.status,
        "took_ms": attempt.result.took_ms,
        "outcome": attempt.outcome.name.lower(),
    }


def _unposted(push: ClaimedPush, now: datetime, why: str, due_at: datetime) -> PushAttempt:
    """One that does not count (`pushes_record`)."""
    return PushAttempt(push, now, PostResult(None, why, -1), PushOutcome.PENDING, due_at)


def _recipient(push: ClaimedPush) -> Recipient:
    return push.account_id, push.webhook_id


def _webhook_id(push: ClaimedPush) -> str:
    """The header's: an event has the same at every endpoint and in every replay."""
    return f"push_{push.push_id}" if push.event_id is None else f"{EVENT_PREFIX}{push.event_id}"


def _chains(claimed: Sequence[ClaimedPush]) -> list[list[ClaimedPush]]:
    """Those of one message to one endpoint each, in the order of `pushes_claim`."""
    chains: dict[tuple[int, int], list[ClaimedPush]] = {}
    for push in sorted(claimed, key=lambda push: push.push_id if push.event_id is None else push.event_id):
        chains.setdefault((push.message_id, push.webhook_id), []).append(push)
    return list(chains.values())
