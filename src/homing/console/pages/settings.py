"""Settings as they hold, and how the installation does: processes, database, migrations, versions, what is kept."""

import platform
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import limits
from homing.console.languages import N_
from homing.console.page import OPERATORS, NavigationEntry, NavigationGroup, Page, PageSection
from homing.console.request_context import RequestContext
from homing.store import migrate, statements
from homing.store.statements.observe import ProcessRow

GONE: Final = timedelta(minutes=2)
"""A process whose leases ended longer ago is not shown."""
PACKAGES: Final = ("homing", "asyncpg", "granian", "starlette", "aiohttp", "msgspec", "cryptography")
WAITING: Final = {
    "messages_to_send": N_("Queued messages"),
    "messages_awaiting_receipt": N_("Messages waiting for a receipt"),
    "pushes": N_("Pending pushes"),
    "deliveries_to_binds": N_("Pending SMPP deliveries"),
    "receipts_parked": N_("Receipts being matched"),
    "receipts_unmatched": N_("Unmatched receipts"),
    "inbound_unmatched": N_("Unmatched inbound messages"),
    "changes_to_add_up": N_("Statistics updates to aggregate"),
}
KEPT: Final = (
    (N_("Statistics by minute"), limits.STAT_MINUTE_DAYS),
    (N_("Statistics by hour"), limits.STAT_HOUR_DAYS),
    (N_("Guard: decisions and suspected ranges"), limits.GUARD_KEEP_DAYS),
    (N_("Data behind adaptive routing shares"), limits.LEARN_CHOICE_DAYS),
    (N_("Unmatched receipts"), limits.RECEIPT_UNMATCHED_DAYS),
)
"""For so many days."""


class ProcessStatus(msgspec.Struct, frozen=True):
    """`name`, and `place` as host and process id; the carriers and leader leases that it holds."""

    name: str
    place: str
    is_alive: bool
    carriers: Sequence[str]
    leases: Sequence[str]


async def show(context: RequestContext) -> Response:
    live, database = context.shared.live, context.database
    processes = await live.kept.get("processes", lambda: statements.observe.processes(database, gone_after=GONE))
    facts = await live.kept_longer.get("database_facts", lambda: statements.observe.database_facts(database))
    depths = await live.kept_longer.get("depths", lambda: statements.observe.depths(database))
    applied = await statements.observe.migrations_applied(database)
    numbers = {row.number for row in applied}
    return context.page(
        "settings.html",
        processes=[_process(row) for row in processes],
        facts=facts,
        megabytes=facts.bytes // 1_000_000 if facts else None,
        depths=[(WAITING.get(row.kind, row.kind), row.waiting) for row in depths],
        applied=applied,
        missing=[migration.name for migration in migrate.available() if migration.number not in numbers],
        versions=_versions(),
        kept=KEPT,
        settings=[(heading, _members(members)) for heading, members in context.shared.settings.items()],
    )


def _process(row: ProcessRow) -> ProcessStatus:
    place, _colon, name = row.owner.rpartition(":")
    leases = [lease.partition(":") for lease in row.leases]
    return ProcessStatus(
        name,
        place,
        row.is_alive,
        [subject for kind, _colon, subject in leases if kind == "carrier"],
        [subject for kind, _colon, subject in leases if kind == "leader_lease"],
    )


def _members(members: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in members.items()
    ]


def _versions() -> Sequence[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return found


SECTION = PageSection(
    (Page("/settings", show, seen_by=OPERATORS),),
    (NavigationEntry("/settings", N_("Settings"), NavigationGroup.SYSTEM, "settings", OPERATORS),),
)
