"""Stores carriers' reports: receipts, inbound messages and late submit answers."""

from collections.abc import Sequence

from homing.model import CarrierInbound, CarrierReceipt, LateAnswer
from homing.receipts.inbound_messages import InboundMessages
from homing.receipts.inbox import IncomingReceipt, ReceiptInbox
from homing.receipts.late_answers import LateAnswers


class ReportStore:
    """The sink of all carriers' reports, whether a carrier's session, poll or webhook brought them."""

    def __init__(self, receipts: ReceiptInbox, inbound_messages: InboundMessages, late_answers: LateAnswers) -> None:
        self._receipts = receipts
        self._inbound_messages = inbound_messages
        self._late_answers = late_answers

    async def store(
        self, carrier_id: int, carrier: str, batch: Sequence[CarrierReceipt | CarrierInbound | LateAnswer]
    ) -> None:
        """The batch is durable when this returns. Raises a `PlatformFailure` when some of it may not be.

        `carrier`: its name. Storing a batch again is safe.
        """
        late_answers = [report for report in batch if isinstance(report, LateAnswer)]
        receipts = [
            IncomingReceipt(carrier_id, carrier, report) for report in batch if isinstance(report, CarrierReceipt)
        ]
        inbound = [report for report in batch if isinstance(report, CarrierInbound)]
        if late_answers:  # before the receipts, which may match only with the IDs of these answers
            await self._late_answers.store(carrier_id, late_answers)
        if receipts:
            await self._receipts.store(receipts)
        if inbound:
            await self._inbound_messages.store(carrier_id, inbound)
