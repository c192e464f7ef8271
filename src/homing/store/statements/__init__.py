"""The statements, as functions. Made by tools/sql_bindings.py; the source is in ../sql.

A module is loaded when it is first named: a command on the command line needs few of them.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = [
    "account_pages",
    "accounts",
    "admin",
    "alarms",
    "attention",
    "audit",
    "binds",
    "catalogue",
    "clock",
    "conversions",
    "dispatch",
    "events",
    "guard",
    "id_nodes",
    "intake",
    "lab",
    "leader_lease",
    "learning",
    "ledger",
    "messages",
    "observe",
    "passwords",
    "pushes",
    "receipts",
    "refusals",
    "search",
    "signing",
    "statistics",
    "timeline",
    "users",
    "verifications",
    "verified",
    "webhooks",
]

if TYPE_CHECKING:
    from homing.store.statements import (
        account_pages,
        accounts,
        admin,
        alarms,
        attention,
        audit,
        binds,
        catalogue,
        clock,
        conversions,
        dispatch,
        events,
        guard,
        id_nodes,
        intake,
        lab,
        leader_lease,
        learning,
        ledger,
        messages,
        observe,
        passwords,
        pushes,
        receipts,
        refusals,
        search,
        signing,
        statistics,
        timeline,
        users,
        verifications,
        verified,
        webhooks,
    )
else:

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
