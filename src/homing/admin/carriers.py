"""Changing carriers and their settings. Running processes notice every change at once (triggers tell them)."""

import enum
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from homing import errors
from homing.carriers.http import HttpCarrierSettings, open_secret
from homing.carriers.kinds import read_settings
from homing.carriers.sealing import has_plain, open_settings, seal_settings
from homing.common.crypto import Vault
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import CarrierRow

CARRIER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)


async def find_carrier(connection: DatabaseConnection | Database, name_or_id: str) -> CarrierRow:
    """A carrier by its name or its id. Raises `InvalidInput` when there is none."""
    carrier_id = int(name_or_id) if re.fullmatch(r"[0-9]{1,9}", name_or_id) else None
    row = await statements.admin.carrier_find(connection, name=name_or_id, carrier_id=carrier_id)
    if row is None:
        raise errors.InvalidInput(
            "carrier {name} does not exist; `homing carrier list` lists the carriers", name=repr(name_or_id)
        )
    return row


async def add_carrier(
    connection: DatabaseConnection | Database, name: str, kind: str, settings: str = "{}", vault: Vault | None = None
) -> int:
    """Adds an enabled carrier; gives its ID. `settings`: a JSON object for its kind. The vault encrypts its secrets;
    without it there must be none. Raises `InvalidInput` when the name is taken, or the kind or a setting is unknown.
    """
    if not CARRIER_NAME.fullmatch(name) or name.isdigit():
        raise errors.InvalidInput(
            f"{name!r} cannot be a carrier's name: letters, digits and _ . - (and not digits alone)"
        )
    carries_flash = _checked(kind, settings)
    carrier_id = await statements.admin.carrier_add(
        connection, name=name, kind=kind, settings=_sealed(vault, name, kind, settings), carries_flash=carries_flash
    )
    if carrier_id is None:
        raise errors.InvalidInput(f"there is a carrier {name!r} already")
    return carrier_id


def _checked(kind: str, settings: str) -> bool:
    """Whether such a carrier sends flash messages. Raises `InvalidInput` for invalid settings, and for a secret in a
    setting that is not hidden.
    """
    read = read_settings(kind, settings)
    if isinstance(read, HttpCarrierSettings) and (place := open_secret(read)):
        raise errors.InvalidInput(
            "{place} contains the secret in plain text, visible to everyone: move it to `secrets` and"
            " write {hole} in its place",
            place=place,
            hole="{secret.NAME}",
        )
    return bool(read.carries_flash)


def _sealed(vault: Vault | None, name: str, kind: str, settings: str) -> str:
    plain = msgspec.json.decode(settings)
    if not has_plain(kind, plain):
        return settings
    assert vault is not None, "a carrier's secrets are stored sealed"
    return msgspec.json.encode(seal_settings(vault, name, kind, plain)).decode()


async def change_carrier(
    connection: DatabaseConnection, row: CarrierRow, changes: Mapping[str, Any], vault: Vault
) -> None:
    """Merges `changes` into a carrier's settings; None resets a setting to its kind's default. `row`: of
    `find_carrier`. Raises `InvalidInput` for settings that are invalid for its kind.
    """
    name, kind = row.name, row.kind
    settings = open_settings(vault, name, kind, msgspec.json.decode(row.settings))
    settings.update(changes)
    settings = {member: value for member, value in settings.items() if value is not None}
    text = msgspec.json.encode(settings).decode()
    carries_flash = _checked(kind, text)
    await statements.admin.carrier_change(
        connection, carrier_id=row.carrier_id, settings=_sealed(vault, name, kind, text), carries_flash=carries_flash
    )


class CarrierMode(enum.Enum):
    """Whether messages are sent through a carrier."""

    OPEN = "enabled"
    DRAINING = "draining"  # no new messages; queued ones are sent, and receipts processed
    CLOSED = "disabled"  # no messages, and its sessions are closed


def carrier_mode_of(*, enabled: bool, is_draining: bool) -> CarrierMode:
    """From the columns of `carrier`."""
    if not enabled:
        return CarrierMode.CLOSED
    return CarrierMode.DRAINING if is_draining else CarrierMode.OPEN


async def switch_carrier(connection: DatabaseConnection | Database, carrier_id: int, mode: CarrierMode) -> None:
    await statements.admin.carrier_switch(
        connection,
        carrier_id=carrier_id,
        enabled=mode is not CarrierMode.CLOSED,
        is_draining=mode is CarrierMode.DRAINING,
    )
