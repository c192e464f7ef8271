"""Finding an account's messages: by id, by the customer's reference, by the carrier's id. Look-ups share statements."""

from collections.abc import Sequence

from homing import limits
from homing.common import ids
from homing.common.batching import Batcher
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.dispatch import MessageRef
from homing.store.statements.messages import MessageRow

Wanted = tuple[int, int]  # account_id, message_id


class MessageLookup:
    """Reads messages; another account's messages do not exist here. Rows carry `submitted_at`, from
    the id, and `state_seen`, in which a message under a carrier's claim is sending."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: Batcher[Wanted, MessageRow | None] = Batcher(
            self._read, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def by_id(self, account_id: int, message_id: int) -> MessageRow | None:
        if message_id > ids.ID_MAX:
            return None
        return await self._by_id.put((account_id, message_id))

    async def many(self, account_id: int, message_ids: Sequence[int]) -> dict[int, MessageRow]:
        """Those of the ids that are the account's."""
        if not message_ids:
            return {}
        rows = await self._read([(account_id, message_id) for message_id in set(message_ids)])
        return {row.message_id: row for row in rows if row is not None}

    async def by_reference(self, account_id: int, reference: str) -> MessageRow | None:
        """The latest message with the customer's reference (uid, orderId)."""
        return await statements.messages.message_by_reference(
            self._database, account_id=account_id, reference=reference
        )

    async def by_carrier_ref(self, account_id: int, carrier_ref: str) -> MessageRow | None:
        """The latest message that a carrier knows by this id."""
        return await statements.messages.message_by_carrier_ref(
            self._database, account_id=account_id, carrier_ref=carrier_ref
        )

    async def _read(self, wanted: Sequence[Wanted]) -> list[MessageRow | None]:
        keys = [MessageRef(account_id=account_id, message_id=message_id) for account_id, message_id in wanted]
        rows = await statements.messages.messages_by_id(self._database, keys=keys)
        found = {(row.account_id, row.message_id): row for row in rows}
        return [found.get(key) for key in wanted]
