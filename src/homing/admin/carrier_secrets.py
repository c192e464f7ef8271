"""Encrypts carriers' secrets that were stored in plain text. The audit has none: its trigger hides them."""

import msgspec

from homing.carriers.sealing import has_plain, seal_settings
from homing.common.crypto import Vault
from homing.store import statements
from homing.store.database import Database


async def seal_stored(database: Database, vault: Vault) -> int:
    """Called at start; gives how many carriers had one. Raises a `PlatformFailure`."""
    sealed = 0
    async with database.transaction() as transaction:
        for row in await statements.admin.carrier_list(transaction):
            settings = msgspec.json.decode(row.settings)
            if has_plain(row.kind, settings):
                text = msgspec.json.encode(seal_settings(vault, row.name, row.kind, settings)).decode()
                await statements.admin.carrier_seal(transaction, carrier_id=row.carrier_id, settings=text)
                sealed += 1
    return sealed
