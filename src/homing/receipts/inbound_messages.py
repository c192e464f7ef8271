"""Inbound messages (MO): assigned to the account and app of the latest message to the sender's number, stored, and
pushed to the customer. Those without an account are stored for operators.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from homing import errors, limits
from homing.common.ids import first_id_at, id_time_ms
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects, InboundMessage
from homing.messages.events import add_events, inbound_events
from homing.messages.outbox import add_pushes
from homing.model import CarrierInbound, EventType
from homing.observe.logs import is_debug
from homing.receipts.address_variants import international_number, numbers_in_any_country, sender_key
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import InboundOwner
from homing.text.numbers import Numbering

INBOUND_ADDRESS_CHARS_MAX: Final = 32
INBOUND_UNMATCHED_DAYS: Final = 30  # then an inbound message without an account is deleted
INBOUND_UNMATCHED_MESSAGES_MAX: Final = 100_000  # of them; the oldest are deleted first
INBOUND_REPLAY_S: Final = 5.0  # between checks for replays that an operator has asked for
INBOUND_REPLAY_BATCH: Final = 100
INBOUND_DUPLICATE_DAYS: Final = 4  # vendors repeat a message for three days or less
BIND_INBOUND_DAYS: Final = 3  # after an account's last bind, its inbound messages wait so long for the next one

log = structlog.get_logger()


class InboundMessages:
    """Stores carriers' inbound messages.

    The owner is found by both addresses: of the messages to the person's number, sent by accounts that have the sender
    ID, the latest one's account and app. Carriers write both addresses in their own ways (`address_variants`).
    """

    def __init__(
        self, *, database: Database, numbering: Numbering, next_id: Callable[[], int], dialects: Dialects
    ) -> None:
        self._database = database
        self._numbering = numbering
        self._next_id = next_id
        self._dialects = dialects

    async def store(self, carrier_id: int, batch: Sequence[CarrierInbound]) -> None:
        """The messages are durable when this returns. Raises a `PlatformFailure` when some may not be.

        A message that is stored already, by the carrier's ID of it, is not stored again.
        """
        for inbound in batch:
            if not await self._store_for_owner(carrier_id, inbound):
                await self._store_unmatched(carrier_id, inbound)

    async def run_replays(self) -> None:
        """Looks for the accounts of messages that an operator has asked to be replayed, and deletes old ones. Never
        returns; cancel it to stop.
        """
        loop = asyncio.get_running_loop()
        delete_old_at_s = loop.time()
        while True:
            try:
                if loop.time() >= delete_old_at_s:
                    await self.delete_old()
                    delete_old_at_s = loop.time() + limits.PARTITION_SWEEP_S
                while await self.replay_due() == INBOUND_REPLAY_BATCH:
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="unmatched_inbound", failure=str(failure))
            await asyncio.sleep(INBOUND_REPLAY_S)

    async def replay_due(self) -> int:
        """Replays one batch. Those whose account is found leave the list. Returns how many were replayed."""
        async with self._database.transaction() as transaction:
            rows = await statements.receipts.unmatched_inbound_claim(transaction, rows_max=INBOUND_REPLAY_BATCH)
            for row in rows:
                inbound = CarrierInbound(row.number, row.recipient, row.content, row.received_at, row.carrier_ref)
                if await self._store_for_owner(row.carrier_id, inbound, transaction):
                    await statements.receipts.unmatched_inbound_remove(transaction, unmatched_id=row.unmatched_id)
                else:
                    await statements.receipts.unmatched_inbound_end_replay(transaction, unmatched_id=row.unmatched_id)
        return len(rows)

    async def delete_old(self) -> None:
        """Deletes messages without an account: those that are too old, and the oldest of too many."""
        await statements.receipts.unmatched_inbound_delete_old(
            self._database, days=INBOUND_UNMATCHED_DAYS, rows_max=INBOUND_UNMATCHED_MESSAGES_MAX
        )

    async def _store_unmatched(self, carrier_id: int, inbound: CarrierInbound) -> None:
        log.warning("inbound_unmatched", carrier_id=carrier_id)
        await statements.receipts.unmatched_inbound_add(
            self._database,
            carrier_id=carrier_id,
            number=storable_text(inbound.number, INBOUND_ADDRESS_CHARS_MAX),
            recipient=storable_text(inbound.recipient, INBOUND_ADDRESS_CHARS_MAX),
            content=storable_text(inbound.content, limits.INBOUND_TEXT_CHARS_MAX),
            carrier_ref=storable_text(inbound.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
            received_at=inbound.received_at,
        )

    async def _find_owner(self, written_number: str, recipient: str) -> InboundOwner | None:
        """The owner, with the number and sender ID of its message; None: none, or not a certain one.

        A number without country code is looked up in every country, and has an owner only if one such number has
        received messages: a wrong account is worse than none.
        """
        senders = [sender_key(recipient)]
        number = international_number(written_number)
        exact = [number] if number else [written_number]
        owner = await statements.receipts.inbound_owner(
            self._database, numbers=exact, senders=senders, bound_days=BIND_INBOUND_DAYS, recipient=recipient
        )
        if owner is not None:
            return owner
        variants = [*exact, *numbers_in_any_country(written_number, self._numbering)]
        senders += numbers_in_any_country(recipient, self._numbering)
        owner = await statements.receipts.inbound_owner(
            self._database, numbers=variants, senders=senders, bound_days=BIND_INBOUND_DAYS, recipient=recipient
        )
        return owner if owner is not None and owner.numbers == 1 else None

    async def _store_for_owner(
        self, carrier_id: int, inbound: CarrierInbound, transaction: DatabaseConnection | None = None
    ) -> bool:
        """Whether the message has an owner, and so is stored. Without a `transaction` it is stored in one
        of its own.
        """
        recipient = storable_text(inbound.recipient, INBOUND_ADDRESS_CHARS_MAX)
        owner = await self._find_owner(storable_text(inbound.number, INBOUND_ADDRESS_CHARS_MAX), recipient)
        if owner is None:
            return False
        if transaction is not None:
            await self._store(transaction, carrier_id, inbound, owner)
        else:
            async with self._database.transaction() as own_transaction:
                await self._store(own_transaction, carrier_id, inbound, owner)
        return True

    async def _store(
        self, transaction: DatabaseConnection, carrier_id: int, inbound: CarrierInbound, owner: InboundOwner
    ) -> None:
        number, recipient = owner.number, owner.sender
        destination = self._numbering.locate(number)
        inbound_id = self._next_id()
        content = storable_text(inbound.content)
        carrier_ref = storable_text(inbound.carrier_ref, limits.RECEIPT_REF_CHARS_MAX)
        if carrier_ref:
            await statements.receipts.inbound_lock(transaction, key=f"{number} {carrier_ref}", seed=carrier_id)
            since_id = first_id_at(id_time_ms(inbound_id) - INBOUND_DUPLICATE_DAYS * 86_400_000)
            duplicate_id = await statements.receipts.inbound_duplicate(
                transaction,
                account_id=owner.account_id,
                carrier_id=carrier_id,
                number=number,
                carrier_ref=carrier_ref,
                recipient=recipient,
                content=content,
                since_id=since_id,
            )
            if duplicate_id is not None:
                return
        await statements.receipts.inbound_add(
            transaction,
            account_id=owner.account_id,
            inbound_id=inbound_id,
            app_id=owner.app_id,
            carrier_id=carrier_id,
            number=number,
            recipient=recipient,
            content=content,
            received_at=inbound.received_at,
            mcc=destination.mcc,
            mnc=destination.mnc,
            operator=destination.network,
            carrier_ref=carrier_ref,
        )
        message = InboundMessage(
            account_id=owner.account_id,
            inbound_id=inbound_id,
            app_id=owner.app_id,
            inbound_url=owner.inbound_url,
            is_bound=owner.is_bound,
            number=number,
            recipient=recipient,
            content=content,
            received_at=inbound.received_at,
            mcc=destination.mcc,
            mnc=destination.mnc,
            network=destination.network,
        )
        pushes = [push for dialect in self._dialects for push in dialect.inbound(message)]
        if pushes:
            await add_pushes(transaction, pushes)
        if owner.event_types and EventType.MESSAGE_INBOUND in owner.event_types:
            await add_events(transaction, self._dialects, inbound_events(self._dialects, message))
        if is_debug():
            log.debug("inbound_stored", inbound_id=inbound_id, account_id=owner.account_id, carrier_id=carrier_id)
