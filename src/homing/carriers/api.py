"""A carrier whose vendor is called over HTTP: batches, windows and questions, whatever the vendor's API is."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, Final, Protocol

import msgspec

from homing import limits
from homing.carriers.base import Answered, CarrierHealth, CarrierReport, Clock, Leaving
from homing.carriers.call_outcomes import NO_FLASH, answer_of
from homing.carriers.secret_mark import SECRET
from homing.carriers.status_poller import PendingQuery, StatusPoller
from homing.carriers.window import CarrierWindow
from homing.common.backoff import doubling_s
from homing.common.storable_text import storable_text
from homing.model import Answer, CarrierReceipt, Outbound, Outcome, Outstanding
from homing.reasons import Reason, ReasonCode
from homing.states import TABLE, MessageState
from homing_clients.call import CallTerms
from homing_clients.errors import ClientError

API_WINDOW_DEFAULT: Final = 500
API_CONNECTIONS_DEFAULT: Final = 32
LATE = Answer(Outcome.DEFERRED, reason=Reason.of(ReasonCode.ATTEMPT_NO_CONNECTION))

PushToken = Annotated[str, SECRET, msgspec.Meta(pattern=rf"^([A-Za-z0-9_-]{{{limits.API_TOKEN_CHARS_MIN},128}})?$")]
"""What stands in the address that the vendor pushes to, /carriers/NAME/TOKEN/...; "" takes no pushes."""


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all carriers over HTTP have. Times in seconds.

    `window`: messages under way at once. `connections`: calls at once. `per_s`: messages a second, where the vendor has
    a limit. `push_token`: see `PushToken`.
    """

    window: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = API_WINDOW_DEFAULT
    connections: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = API_CONNECTIONS_DEFAULT
    per_s: Annotated[float, msgspec.Meta(gt=0, le=100_000)] | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=limits.API_TIMEOUT_S)] = limits.API_TIMEOUT_S
    push_token: PushToken = ""

    @property
    def carries_flash(self) -> bool:
        """Whether the vendor's API has a way to ask for messages of class 0."""
        return False

    def call_terms(self) -> CallTerms:
        """One try a call: whether a message may be sent again is decided by the dispatcher, not by the client."""
        from homing.carriers.resolver import CarrierResolver  # aiohttp is slow to import: settings are read without it

        return CallTerms(timeout_s=self.timeout_s, attempts=1, connections=self.connections, resolver=CarrierResolver())


class CallShape(msgspec.Struct, frozen=True):
    """How a vendor is called: how many messages of one text a call carries, how long after sending it is asked about
    them (0: never), about how many in a call, and how many such calls a second.
    """

    send_max: int = 1
    ask_after_s: float = 0.0
    ask_max: int = 1
    asks_per_s: float = 1.0


class VendorApi(Protocol):
    """A vendor's own part. Both raise a `ClientError`."""

    async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
        """One call for messages of the same text, sender, encoding, traffic and options; an answer for each, in their
        order.
        """
        ...

    async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        """What is known of these messages, those on their way left out."""
        ...

    async def close(self) -> None: ...


class ApiCarrier:
    """See `Carrier`. Connections are made by calls, so that it is up until a call finds no connection."""

    def __init__(
        self,
        *,
        api: VendorApi,
        settings: ApiSettings,
        manner: CallShape,
        rng: random.Random,
        clock: Clock,
    ) -> None:
        self._api = api
        self._settings = settings
        self._manner = manner
        self._rng = rng
        self._clock = clock
        self._window = CarrierWindow(size=settings.window, per_s=settings.per_s, rng=rng)
        self._connections = asyncio.Semaphore(settings.connections)
        self._questions = StatusPoller(manner.ask_after_s)
        self._query_added = asyncio.Event()
        self._last_error = ""

    async def open(self) -> None:
        """Nothing to connect before there is something to send."""

    async def close(self) -> None:
        await self._api.close()

    def health(self) -> CarrierHealth:
        return CarrierHealth(
            self._window.is_up,
            {
                "under_way": self._window.under_way,
                "window": self._settings.window,
                "to_ask_about": len(self._questions),
                "last_error": self._last_error,
            },
        )

    def room(self) -> int:
        return self._window.room()

    async def until_room(self) -> None:
        await self._window.until_room()

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        if not self._settings.carries_flash:
            for message in batch:
                if message.options.flash:
                    answered(message, NO_FLASH)
            batch = [message for message in batch if not message.options.flash]
        with self._window.holding(len(batch)):
            calls = [self._send(messages, answered, leaving) for messages in _calls(batch, self._manner.send_max)]
            failures = [error for error in await asyncio.gather(*calls, return_exceptions=True) if error is not None]
        if failures:
            raise failures[0]

    async def resume(self, outstanding: Sequence[Outstanding]) -> None:
        for message in outstanding:
            self._questions.add(message.carrier_ref, message.submitted_at.timestamp(), self._now_s())

    async def reports(self) -> AsyncIterator[Sequence[CarrierReport]]:
        """What the vendor answers when it is asked; what it pushes comes in over HTTP."""
        failures = 0
        while True:
            queries = self._questions.take(self._now_s(), self._manner.ask_max)
            if not queries:
                await self._until_due()
                continue
            try:
                receipts = await self._api.ask([query.carrier_ref for query in queries])
            except ClientError as error:
                failures += 1
                self._last_error = storable_text(str(error), limits.CARRIER_TEXT_CHARS_MAX)
                pause_s = doubling_s(failures, limits.API_THROTTLE_S, limits.API_THROTTLE_S_MAX, self._rng)
                self._put_back(queries, pause_s)
                await asyncio.sleep(pause_s)
                continue
            except Exception:  # ours: whoever runs this tells of it and begins anew
                self._put_back(queries, limits.API_THROTTLE_S)
                raise
            failures = 0
            if receipts:
                yield receipts
            self._requeue(queries, receipts)
            await asyncio.sleep(1 / self._manner.asks_per_s)

    def _now_s(self) -> float:
        return self._clock().timestamp()

    def _put_back(self, queries: Sequence[PendingQuery], pause_s: float) -> None:
        at_s = self._now_s() + pause_s
        for question in queries:
            self._questions.put_back(question, at_s)

    async def _send(self, messages: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        """One call. Waiting for a connection is not part of it: what has waited too long has certainly not gone."""
        try:
            async with asyncio.timeout(limits.API_START_S):
                await self._connections.acquire()
        except TimeoutError:
            for message in messages:
                answered(message, LATE)
            return
        leaving(messages)
        try:
            answers = await self._api.send(messages)
        except ClientError as error:
            self._last_error = storable_text(str(error), limits.CARRIER_TEXT_CHARS_MAX)
            self._window.failed(error)
            answers = [answer_of(error)] * len(messages)
        else:
            self._window.worked()
        finally:
            self._connections.release()
        now_s = self._now_s()
        for message, answer in zip(messages, answers, strict=True):
            answered(message, answer)
            if answer.outcome is Outcome.ACCEPTED and answer.carrier_ref:
                self._questions.add(answer.carrier_ref, now_s, now_s)
        self._query_added.set()

    async def _until_due(self) -> None:
        next_s = self._questions.next_s()
        self._query_added.clear()
        try:
            async with asyncio.timeout(None if next_s is None else max(limits.DUE_POLL_S, next_s - self._now_s())):
                await self._query_added.wait()
        except TimeoutError:
            return

    def _requeue(self, queries: Sequence[PendingQuery], receipts: Sequence[CarrierReceipt]) -> None:
        ended = {receipt.carrier_ref for receipt in receipts if TABLE[MessageState(receipt.state)].final}
        for query in queries:
            if query.carrier_ref not in ended:
                self._questions.again(query, self._now_s())


def _calls(batch: Sequence[Outbound], send_max: int) -> Iterable[Sequence[Outbound]]:
    """The batch by what one call can carry."""
    alike: dict[tuple[object, ...], list[Outbound]] = {}
    for message in batch:
        key = message.sender, message.text, message.encoding, message.traffic, message.options
        alike.setdefault(key, []).append(message)
    for messages in alike.values():
        for start in range(0, len(messages), send_max):
            yield messages[start : start + send_max]
