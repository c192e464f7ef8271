"""End users' addresses that are suspected, and their release, for the command line and the console."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from homing import errors, limits
from homing.audit import record
from homing.guard.end_users import address_name
from homing.guard.snapshot import AddressKey, Verdict, decode_snapshot
from homing.reasons import Reason
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.guard import FlaggedAddressKey


class FlaggedAddress(msgspec.Struct, frozen=True):
    """An end user's address or network prefix that is suspected. `name`: of its hash. `account`: "" of one that is
    gone.
    """

    name: str
    account_id: int
    account: str
    reason: Reason
    since: datetime
    until: datetime


async def read_flagged_addresses(
    database: Database, now: datetime, account_id: int | None = None
) -> Sequence[FlaggedAddress]:
    """Of an account or all, by the latest snapshot: the newest first, `CONSOLE_PAGE_ROWS` at most."""
    flagged = sorted((await _flagged(database, now, account_id)).items(), key=lambda pair: -pair[1].since_s)
    shown = flagged[: limits.CONSOLE_PAGE_ROWS]
    names = {
        each.account_id: each.name
        for each in await statements.guard.guard_account_names(
            database, account_ids=sorted({key[0] for key, _verdict in shown})
        )
    }
    return [
        FlaggedAddress(
            name=address_name(hashed),
            account_id=owner_id,
            account=names.get(owner_id, ""),
            reason=verdict.reason,
            since=datetime.fromtimestamp(verdict.since_s, UTC),
            until=datetime.fromtimestamp(verdict.until_s, UTC),
        )
        for (owner_id, _app_id, hashed), verdict in shown
    ]


def is_address_name(text: str) -> bool:
    return text.startswith("ip-")


async def lift_address(transaction: DatabaseConnection, name: str, account_id: int | None, now: datetime) -> int:
    """Lifts the verdicts on an address or prefix, of an account or all. Gives how many those were. Raises
    `InvalidInput` when there is none.
    """
    keys = [key for key in await _flagged(transaction, now, account_id) if address_name(key[2]) == name]
    if not keys:
        raise errors.InvalidInput("{range} is not currently suspected", range=name)
    await statements.guard.guard_addresses_lift(
        transaction,
        addresses=[
            FlaggedAddressKey(account_id=owner_id, app_id=app_id, address=hashed) for owner_id, app_id, hashed in keys
        ],
    )
    for owner_id in sorted({key[0] for key in keys}):
        await record(
            transaction, "guard_address", "update", name, account_id=owner_id, after={"lifted_at": now.isoformat()}
        )
    return len(keys)


async def _flagged(
    database: Database | DatabaseConnection, now: datetime, account_id: int | None
) -> Mapping[AddressKey, Verdict]:
    row = await statements.guard.guard_snapshot_read(database)
    if row is None:
        return {}
    try:
        snapshot = await asyncio.to_thread(decode_snapshot, row.snapshot)
    except msgspec.DecodeError:  # of another release, for a second or two
        return {}
    lifted = {
        (each.account_id, each.app_id, each.address): each.lifted_at.timestamp()
        for each in await statements.guard.guard_address_lifts(database, since=datetime.fromtimestamp(0, UTC))
    }
    return {
        key: standing.verdict
        for key, standing in snapshot.addresses.items()
        if standing.verdict is not None
        and standing.verdict.until_s > now.timestamp()
        and standing.verdict.since_s > lifted.get(key, 0.0)
        and account_id in (None, key[0])
    }
