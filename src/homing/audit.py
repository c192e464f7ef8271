"""The audit log. Triggers record changes of settings in the same transaction; here the actor is set, other acts are
recorded, and the log is read.
"""

import getpass
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.audit import AuditRow


def at_the_machine() -> Mapping[str, str]:
    """Session settings that name this machine's user as the actor."""
    return {"homing.actor": f"{machine_user()} (command line)"}


def machine_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return f"uid {os.getuid()}"


async def act_as(transaction: DatabaseConnection, actor: str, address: str) -> None:
    """Sets the actor and address of this transaction's changes."""
    await statements.audit.audit_actor(transaction, actor=actor, address=address)


async def record(
    transaction: DatabaseConnection,
    kind: str,
    act: str,
    subject: str,
    *,
    account_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Records an act that changes no audited table, such as a replayed push."""
    await statements.audit.audit_record(
        transaction,
        kind=kind,
        act=act,
        account_id=account_id,
        subject=subject,
        before=_json(before),
        after=_json(after),
    )


async def read_audit(
    database: Database,
    *,
    rows_max: int,
    before_id: int | None = None,
    account_id: int | None = None,
    actor: str | None = None,
    kind: str | None = None,
) -> Sequence[AuditRow]:
    """The latest rows, or those with a lower ID than `before_id`."""
    return await statements.audit.audit_page(
        database, before_id=before_id, account_id=account_id, actor=actor, kind=kind, rows_max=rows_max
    )


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
