"""The contract of a carrier: reports its free capacity, submits messages, answers for each, delivers receipts."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from homing.model import Answer, CarrierInbound, CarrierReceipt, LateAnswer, Outbound, Outstanding

CarrierReport = CarrierReceipt | CarrierInbound | LateAnswer
Answered = Callable[[Outbound, Answer], None]
Leaving = Callable[[Sequence[Outbound]], None]
Clock = Callable[[], datetime]
"""The process's clock (common/steady_clock.py). Submit times are by it, and so must be all times compared with them."""


class CarrierHealth(msgspec.Struct, frozen=True):
    """The state of a carrier's sessions. `detail` is for people: links, window, rate, last errors."""

    is_up: bool
    detail: Mapping[str, object] = {}


class Carrier(Protocol):
    """A way out. One process owns a carrier's sessions at a time.

    `open` starts to connect and returns at once: a carrier that is away has no room, and gets messages when it is back.

    `room` is how many messages it can take right now: its window less what is under way, 0 while it is down, throttled
    or at its rate. `until_room` returns as soon as that is more than 0.

    `submit` calls `answered` once for each message of the batch, as the answers come, and returns when all have. What
    was certainly not handed over is DEFERRED; what was, and had no answer in time, is UNKNOWN. Whatever it leaves
    unanswered when it raises counts as UNKNOWN. Before the first octet of a message may leave the process, `leaving` is
    called with it: a message it was not called with has certainly not gone, also when the process is killed.

    `reports` yields receipts, inbound messages and late answers in batches, for ever; a batch is done with when the
    next is asked for, and only then may the carrier acknowledge and forget it. `resume` is called once after `open`
    with what Homing still waits for, so that a carrier that can be asked about messages is asked.

    `close` lets go of the sessions; it is called when nothing is under way any more.
    """

    async def open(self) -> None: ...

    def room(self) -> int: ...

    async def until_room(self) -> None: ...

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None: ...

    def reports(self) -> AsyncIterator[Sequence[CarrierReport]]: ...

    async def resume(self, outstanding: Sequence[Outstanding]) -> None: ...

    def health(self) -> CarrierHealth: ...

    async def close(self) -> None: ...


class WebhookRequest(msgspec.Struct, frozen=True):
    """A carrier's push. `path` is the part after the carrier's own URL."""

    method: str
    path: str
    query: bytes
    content_type: str
    body: bytes


class WebhookResult(msgspec.Struct, frozen=True):
    """The contents of a push, and the response to it once they are durable."""

    reports: Sequence[CarrierReport]
    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b"ok"


class WebhookParser(Protocol):
    """Reads the pushes of a kind of carriers. Pure. Raises `MalformedReport`."""

    def read(self, pushed: WebhookRequest) -> WebhookResult: ...


class MalformedReport(Exception):
    """A push that cannot be read; the text has the reason."""
