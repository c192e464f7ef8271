"""Inbound messages (MO): given to the account and app that last wrote to the person, and pushed to it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from homing import errors, limits
from homing.common.ids import first_id_at, id_time_ms
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects, InboundMessage
from homing.messages.outbox import add_pushes
from homing.model import CarrierInbound
from homing.receipts.address_variants import in_any_country, person_number, sender_key
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import InboundOwner
from homing.text.numbers import Numbering

INBOUND_ADDRESS_CHARS_MAX: Final = 32
INBOUND_UNMATCHED_DAYS: Final = 30  # replies of which no account was found are kept so long, for people to see
INBOUND_UNMATCHED_MESSAGES_MAX: Final = 100_000  # of them; the oldest go first
INBOUND_REPLAY_S: Final = 5.0  # between two looks for those that somebody wants tried again
INBOUND_REPLAY_BATCH: Final = 100
INBOUND_DUPLICATE_DAYS: Final = 4  # vendors that push again do so for three days or less
BIND_INBOUND_DAYS: Final = 3  # inbound messages are kept for a bind if there was one within so many
log = structlog.get_logger()


class InboundMessages:
    """Stores what people send back. Whose it is: of the messages to this number, the latest one's account and app, of
    the accounts that have the sender. Carriers write both addresses in their own way. What is nobody's is kept as such.
    """

    def __init__(
        self, *, database: Database, numbering: Numbering, next_id: Callable[[], int], dialects: Dialects
    ) -> None:
        self._database = database
        self._numbering = numbering
        self._next_id = next_id
        self._dialects = dialects

    async def take(self, carrier_id: int, inbound: Sequence[CarrierInbound]) -> None:
        """Durable when it returns. A message that was brought before is heard once."""
        for one in inbound:
            if not await self._give(carrier_id, one):
                await self._keep(carrier_id, one)

    async def replay_for_ever(self) -> None:
        """Looks for the accounts of those that somebody wants tried again; forgets the old ones."""
        loop = asyncio.get_running_loop()
        tidy_at_s = loop.time()
        while True:
            try:
                if loop.time() >= tidy_at_s:
                    await self.forget_old()
                    tidy_at_s = loop.time() + limits.PARTITION_SWEEP_S
                while await self.replay_due() == INBOUND_REPLAY_BATCH:
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="unmatched_inbound", failure=str(failure))
            await asyncio.sleep(INBOUND_REPLAY_S)

    async def replay_due(self) -> int:
        """Tries those that are to be tried again; how many they were. What finds its account leaves the list."""
        async with self._database.transaction() as transaction:
            rows = await statements.receipts.unmatched_inbound_claim(transaction, rows_max=INBOUND_REPLAY_BATCH)
            for row in rows:
                one = CarrierInbound(row.number, row.recipient, row.content, row.received_at, row.carrier_ref)
                is_given = await self._give(row.carrier_id, one, transaction)
                if is_given:
                    await statements.receipts.unmatched_inbound_leave(transaction, unmatched_id=row.unmatched_id)
                else:
                    await statements.receipts.unmatched_inbound_rest(transaction, unmatched_id=row.unmatched_id)
        return len(rows)

    async def forget_old(self) -> None:
        await statements.receipts.unmatched_inbound_forget(
            self._database, days=INBOUND_UNMATCHED_DAYS, rows_max=INBOUND_UNMATCHED_MESSAGES_MAX
        )

    async def _keep(self, carrier_id: int, one: CarrierInbound) -> None:
        log.warning("inbound_for_nobody", carrier_id=carrier_id)
        await statements.receipts.unmatched_inbound_add(
            self._database,
            carrier_id=carrier_id,
            number=storable_text(one.number, INBOUND_ADDRESS_CHARS_MAX),
            recipient=storable_text(one.recipient, INBOUND_ADDRESS_CHARS_MAX),
            content=storable_text(one.content, limits.INBOUND_TEXT_CHARS_MAX),
            carrier_ref=storable_text(one.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
            received_at=one.received_at,
        )

    async def _owner(self, said: str, recipient: str) -> InboundOwner | None:
        """The owner and the number as it was written to. A number without its country code is one that was written to,
        if there is no other that it could be: a wrong account is worse than none.
        """
        senders = [sender_key(recipient)]
        number = person_number(said)
        exact = [number] if number else [said]
        owner = await statements.receipts.inbound_owner(
            self._database, numbers=exact, senders=senders, bound_days=BIND_INBOUND_DAYS, recipient=recipient
        )
        if owner is not None:
            return owner
        more = [*exact, *in_any_country(said, self._numbering)]
        senders += in_any_country(recipient, self._numbering)
        owner = await statements.receipts.inbound_owner(
            self._database, numbers=more, senders=senders, bound_days=BIND_INBOUND_DAYS, recipient=recipient
        )
        return owner if owner is not None and owner.numbers == 1 else None

    async def _give(self, carrier_id: int, one: CarrierInbound, within: DatabaseConnection | None = None) -> bool:
        """Whether it has an account. `within`: the transaction that it is part of."""
        recipient = storable_text(one.recipient, INBOUND_ADDRESS_CHARS_MAX)
        owner = await self._owner(storable_text(one.number, INBOUND_ADDRESS_CHARS_MAX), recipient)
        if owner is None:
            return False
        if within is not None:
            await self._store(within, carrier_id, one, owner)
        else:
            async with self._database.transaction() as transaction:
                await self._store(transaction, carrier_id, one, owner)
        return True

    async def _store(
        self, transaction: DatabaseConnection, carrier_id: int, one: CarrierInbound, owner: InboundOwner
    ) -> None:
        number, recipient = owner.number, owner.sender
        place = self._numbering.locate(number)
        inbound_id = self._next_id()
        content = storable_text(one.content)
        carrier_ref = storable_text(one.carrier_ref, limits.RECEIPT_REF_CHARS_MAX)
        if carrier_ref:
            await statements.receipts.inbound_lock(transaction, key=f"{number} {carrier_ref}", seed=carrier_id)
            since_id = first_id_at(id_time_ms(inbound_id) - INBOUND_DUPLICATE_DAYS * 86_400_000)
            twin_id = await statements.receipts.inbound_twin(
                transaction,
                account_id=owner.account_id,
                carrier_id=carrier_id,
                number=number,
                carrier_ref=carrier_ref,
                recipient=recipient,
                content=content,
                since_id=since_id,
            )
            if twin_id is not None:
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
            received_at=one.received_at,
            mcc=place.mcc,
            mnc=place.mnc,
            operator=place.network,
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
            received_at=one.received_at,
            mcc=place.mcc,
            mnc=place.mnc,
            network=place.network,
        )
        pushes = [push for dialect in self._dialects for push in dialect.inbound(message)]
        if pushes:
            await add_pushes(transaction, pushes)
