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
from homing.console.navigation import OPERATORS, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
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
RETENTION: Final = (
    (N_("Statistics by minute"), limits.STAT_MINUTE_DAYS),
    (N_("Statistics by hour"), limits.STAT_HOUR_DAYS),
    (N_("Guard: decisions and suspected ranges"), limits.GUARD_KEEP_DAYS),
    (N_("Data behind adaptive routing shares"), limits.LEARN_CHOICE_DAYS),
    (N_("Unmatched receipts"), limits.RECEIPT_UNMATCHED_DAYS),
)
"""For so many days."""


class ProcessStatus(msgspec.Struct, frozen=True):
    """`name`, `host` with the process id, and the carriers and leader leases that it holds."""

    name: str
    host: str
    is_alive: bool
    carriers: Sequence[str]
    leases: Sequence[str]


async def show(context: RequestContext) -> Response:
    live, database = context.console_state.live, context.database
    processes = await live.cache.get("processes", lambda: statements.observe.processes(database, gone_after=GONE))
    facts = await live.slow_cache.get("database_facts", lambda: statements.observe.database_facts(database))
    depths = await live.slow_cache.get("depths", lambda: statements.observe.depths(database))
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
        retention=RETENTION,
        settings=[(heading, _members(members)) for heading, members in context.console_state.settings.items()],
    )


def _process(row: ProcessRow) -> ProcessStatus:
    host, _colon, name = row.owner.rpartition(":")
    leases = [lease.partition(":") for lease in row.leases]
    return ProcessStatus(
        name,
        host,
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
    versions = [("Python", platform.python_version())]
    for package in PACKAGES:
        try:
            versions.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return versions


SECTION = PageSection(
    (Page("/settings", show, seen_by=OPERATORS),),
    (NavigationEntry("/settings", N_("Settings"), NavigationGroup.SYSTEM, "settings", OPERATORS),),
)
