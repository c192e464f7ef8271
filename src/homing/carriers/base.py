"""The contract of a carrier: take a batch, answer for each message, and tell later what became of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outstanding

Report = CarrierReceipt | CarrierInbound
Settings = Mapping[str, object]


class Carrier(Protocol):
    """A way out. One process owns a carrier's sessions at a time.

    `submit` answers for every message of the batch, in order; what raises counts as deferred for all of them.
    `reports` yields receipts and inbound messages in batches, for ever; a batch is done with when the next is asked
    for, and only then may the carrier forget it. `resume` is called once after `open` with what Homing still waits
    for, so that a carrier that can be asked about messages is asked.
    """

    async def open(self) -> None: ...

    async def submit(self, batch: Sequence[Outbound]) -> Sequence[Answer]: ...

    def reports(self) -> AsyncIterator[Sequence[Report]]: ...

    async def resume(self, outstanding: Sequence[Outstanding]) -> None: ...

    async def close(self) -> None: ...
