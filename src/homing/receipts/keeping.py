"""What carriers report, made durable: each receipt and each inbound message by its own way."""

from collections.abc import Sequence

from homing.model import CarrierInbound, CarrierReceipt
from homing.receipts.inbound import InboundMail
from homing.receipts.inbox import Arrived, ReceiptInbox


class ReportKeeper:
    def __init__(self, inbox: ReceiptInbox, mail: InboundMail) -> None:
        self._inbox = inbox
        self._mail = mail

    async def keep(self, carrier_id: int, carrier: str, batch: Sequence[CarrierReceipt | CarrierInbound]) -> None:
        """Durable when it returns. Raises a `PlatformFailure` when it is not."""
        receipts = [Arrived(carrier_id, carrier, one) for one in batch if isinstance(one, CarrierReceipt)]
        inbound = [one for one in batch if isinstance(one, CarrierInbound)]
        if receipts:
            await self._inbox.take(receipts)
        if inbound:
            await self._mail.take(carrier_id, inbound)
