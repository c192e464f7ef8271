"""What carriers report, made durable: receipts, inbound messages and late answers each by their own way."""

from collections.abc import Sequence

from homing.model import CarrierInbound, CarrierReceipt, LateAnswer
from homing.receipts.inbound_messages import InboundMessages
from homing.receipts.inbox import ArrivedReceipt, ReceiptInbox
from homing.receipts.late_answers import LateAnswers


class ReportStore:
    def __init__(self, receipt_inbox: ReceiptInbox, inbound_messages: InboundMessages, late: LateAnswers) -> None:
        self._receipt_inbox = receipt_inbox
        self._inbound_messages = inbound_messages
        self._late_answers = late

    async def keep(
        self, carrier_id: int, carrier: str, batch: Sequence[CarrierReceipt | CarrierInbound | LateAnswer]
    ) -> None:
        """Durable when it returns. Raises a `PlatformFailure` when it is not."""
        late = [one for one in batch if isinstance(one, LateAnswer)]
        if late:  # first: the receipts may be theirs
            await self._late_answers.take(carrier_id, late)
        receipts = [ArrivedReceipt(carrier_id, carrier, one) for one in batch if isinstance(one, CarrierReceipt)]
        inbound = [one for one in batch if isinstance(one, CarrierInbound)]
        if receipts:
            await self._receipt_inbox.take(receipts)
        if inbound:
            await self._inbound_messages.take(carrier_id, inbound)
