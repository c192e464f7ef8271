"""What customers were told and did not take, and telling it again."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from homing import limits
from homing.console import entered
from homing.console.page import EVERYBODY, STAFF, Entry, Group, Page, Section
from homing.console.paging import page_of
from homing.console.story import OUTCOME_LABELS, outcome_tone
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.events.pushes import Which, count_given_up, read_pushes, replay_given_up, replay_push
from homing.messages.words import PUSHES

TABS: Final = (
    (Which.GIVEN_UP, N_("Given up")),
    (Which.FAILING, N_("Failing")),
    (Which.RECENT, N_("All")),
)


async def show(visit: Visit) -> Response:
    chosen = visit.asked("show")
    which = next((one for one, _label in TABS if one == chosen), Which.GIVEN_UP)
    trouble, account_id = "", visit.scope
    try:
        account_id = await _account_id(visit, visit.asked("account"))
    except NotFoundHere:
        trouble = visit.say("There is no account {account}.", account=visit.asked("account"))
    rows: Sequence[Any] = []
    if not trouble:
        before_id = visit.asked_id("before")
        rows = await read_pushes(visit.database, which, account_id, before_id, limits.CONSOLE_PAGE_ROWS + 1)
    shown = page_of(rows, "push_id")
    return visit.page(
        "pushes.html",
        tabs=TABS,
        which=which,
        rows=[_told(visit, row) for row in shown.rows],
        older_key=shown.older,
        account=visit.asked("account"),
        trouble=trouble,
    )


async def replay_one(visit: Visit) -> Response:
    """From the list's buttons."""
    push_id = entered.row_id(visit, "push", visit.say("There is no such push."))
    async with visit.changing() as transaction:
        await replay_push(transaction, push_id)
    return visit.go(visit.here, visit.say("The push goes out again."))


async def confirm(visit: Visit) -> Response:
    """How many would go out again, and to whom, before it is done."""
    account = visit.field("account") or visit.asked("account")
    count, latest_id = await count_given_up(visit.database, await _account_id(visit, account))
    return visit.page(
        "pushes_replay.html", account=account, count=count, latest_id=latest_id, most=limits.PUSHES_REPLAYED_MAX
    )


async def replay_all(visit: Visit) -> Response:
    account = visit.field("account")
    latest_id = entered.row_id(visit, "latest", visit.say("There is no such push."))
    account_id = await _account_id(visit, account)
    async with visit.changing() as transaction:
        count = await replay_given_up(transaction, account_id, latest_id)
    said = visit.language.say_n("One push goes out again.", "{n} pushes go out again.", count)
    return visit.go(f"/pushes?account={account}" if account else "/pushes", said)


async def _account_id(visit: Visit, account: str) -> int | None:
    """Of a filter by a name or an id; a customer's is the own one."""
    if visit.scope is not None or not account:
        return visit.scope
    return int((await visit.account(account))["account_id"])


def _told(visit: Visit, push: Any) -> dict[str, Any]:
    return {
        **push,
        "label": OUTCOME_LABELS[push["outcome"]],
        "tone": outcome_tone(push),
        "kind_label": visit.tell([PUSHES[push["kind"]](visit.shared.dialects.title_of(push["dialect"]))]),
        "http_status": push["status"] if push["url"] else None,
        "is_failing": push["due_at"] is not None and push["answered_at"] is not None,
    }


SECTION = Section(
    (
        Page("/pushes", show, replay_one, seen_by=EVERYBODY, changed_by=STAFF),
        Page("/pushes/replay", confirm, replay_all, seen_by=STAFF, changed_by=STAFF),
    ),
    (Entry("/pushes", N_("Pushes"), Group.TRAFFIC, "push", EVERYBODY),),
)
