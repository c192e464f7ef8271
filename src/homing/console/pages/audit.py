"""Who changed what."""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import limits
from homing.audit import read_audit
from homing.console.languages import N_
from homing.console.navigation import OPERATORS, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import RequestContext

KINDS: Final = {
    "account": N_("Account"),
    "app": N_("App"),
    "balance": N_("Credit limit"),
    "carrier": N_("Carrier"),
    "carrier_cost": N_("Carrier cost"),
    "code_flow": N_("Flow"),
    "code_template": N_("Code template"),
    "console_user": N_("User"),
    "credential": N_("Credential"),
    "posting": N_("Money"),
    "guard_address": N_("Guard: suspected address"),
    "guard_alert": N_("Guard: alerts"),
    "guard_budget": N_("Guard: budget"),
    "guard_list": N_("Guard: list"),
    "guard_mode": N_("Guard: rule"),
    "guard_risk": N_("Guard: risk"),
    "guard_strictness": N_("Guard: strictness"),
    "guard_verdict": N_("Guard: suspected range"),
    "learn_terms": N_("Adaptive routing settings"),
    "price": N_("Price"),
    "push": N_("Push"),
    "receipt": N_("Receipt"),
    "reply": N_("Inbound message"),
    "route": N_("Route"),
    "send_quota": N_("Quota"),
    "sender": N_("Sender ID"),
    "sensitive_word": N_("Sensitive word"),
    "signing_secret": N_("Signing secret"),
    "template": N_("Template"),
    "message": N_("Message"),
    "verification": N_("Verification"),
    "test_number": N_("Test number"),
    "webhook": N_("Webhook endpoint"),
}
ACTS: Final = {
    "insert": N_("added"),
    "update": N_("changed"),
    "delete": N_("removed"),
    "sign_in": N_("signed in"),
    "sign_in_failed": N_("failed to sign in"),
    "sign_out": N_("signed out"),
    "replay": N_("sent again"),
    "show_secret": N_("viewed the secret"),
    "send_test": N_("sent a test"),
    "check_test": N_("checked a code"),
    "try_push": N_("sent a test push"),
    "link": N_("password link created"),
}


async def show(context: RequestContext) -> Response:
    kind, actor = context.query_value("kind"), context.query_value("actor")
    rows = await read_audit(
        context.database,
        rows_max=limits.CONSOLE_PAGE_ROWS + 1,
        before_id=context.query_id("before"),
        actor=actor or None,
        kind=kind if kind in KINDS else None,
    )
    page = page_of(rows, lambda row: row.audit_id)
    return context.page(
        "audit.html",
        rows=[{**msgspec.structs.asdict(row), "changes": _changes(row.before, row.after)} for row in page.rows],
        older_key=page.older,
        kinds=KINDS,
        acts=ACTS,
        kind=kind,
        actor=actor,
    )


def _changes(before: str | None, after: str | None) -> Sequence[tuple[str, Any, Any]]:
    """(name, what it was, what it is) of each member; None: there was or is none."""
    was, now = json.loads(before or "{}"), json.loads(after or "{}")
    names = [*was, *(name for name in now if name not in was)]
    return [(name, _text(was.get(name)), _text(now.get(name))) for name in names]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


SECTION = PageSection(
    (Page("/audit", show, seen_by=OPERATORS),),
    (NavigationEntry("/audit", N_("Audit log"), NavigationGroup.SYSTEM, "audit", OPERATORS),),
)
