"""Finds an account's messages by message ID, by the customer's reference, or by the carrier's message ID."""

from collections.abc import Sequence

from homing import limits
from homing.common import ids
from homing.common.batching import Batcher
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.dispatch import MessageRef
from homing.store.statements.messages import MessageRow

MessageId = tuple[int, int]  # account_id, message_id


class MessageLookup:
    """Reads messages of an account; those of other accounts are not found. Concurrent look-ups by ID share
    a statement.

    Rows have two derived columns: `submitted_at`, from the message ID, and `state_seen`, in which a queued message that
    is claimed is sending.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: Batcher[MessageId, MessageRow | None] = Batcher(
            self._read, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def by_id(self, account_id: int, message_id: int) -> MessageRow | None:
        if message_id > ids.ID_MAX:
            return None
        return await self._by_id.put((account_id, message_id))

    async def many(self, account_id: int, message_ids: Sequence[int]) -> dict[int, MessageRow]:
        """The account's messages among these IDs, by ID."""
        if not message_ids:
            return {}
        rows = await self._read([(account_id, message_id) for message_id in set(message_ids)])
        return {row.message_id: row for row in rows if row is not None}

    async def by_reference(self, account_id: int, reference: str) -> MessageRow | None:
        """The latest message with a reference that the customer gave."""
        return await statements.messages.message_by_reference(
            self._database, account_id=account_id, reference=reference
        )

    async def by_carrier_ref(self, account_id: int, carrier_ref: str) -> MessageRow | None:
        """The latest message with a carrier's message ID, from any carrier."""
        return await statements.messages.message_by_carrier_ref(
            self._database, account_id=account_id, carrier_ref=carrier_ref
        )

    async def _read(self, message_ids: Sequence[MessageId]) -> list[MessageRow | None]:
        keys = [MessageRef(account_id=account_id, message_id=message_id) for account_id, message_id in message_ids]
        rows = await statements.messages.messages_by_id(self._database, keys=keys)
        by_id = {(row.account_id, row.message_id): row for row in rows}
        return [by_id.get(key) for key in message_ids]
