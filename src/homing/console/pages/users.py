"""Users: who may use the console, as what, and the links by which they set their passwords."""

from typing import Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts.admin import as_id
from homing.console import entered
from homing.console.page import OPERATORS, Entry, Group, Page, Section
from homing.console.paging import page_of
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.model import GENERAL, UserRole
from homing.store.database import Connection, Record
from homing.users import admin
from homing.users.audit import record
from homing.users.links import make_link

ROLES: Final = {
    UserRole.OPERATOR: N_("Operator"),
    UserRole.SUPPORT: N_("Support"),
    UserRole.CUSTOMER: N_("Customer"),
}
HOURS: Final = round(limits.CONSOLE_LINK_S / 3600)


async def show(visit: Visit) -> Response:
    beginning = visit.asked("name").lower()
    rows = await visit.database.fetch("user_page", beginning, visit.asked_id("before"), limits.CONSOLE_PAGE_ROWS + 1)
    shown = page_of(rows, "user_id")
    return visit.page("users.html", rows=shown.rows, older_key=shown.older, beginning=beginning, roles=ROLES)


async def create(visit: Visit) -> Response:
    """The link is in the answer and nowhere else: who reloads the page is asked whether to send the form again."""
    role, account_id = await _role(visit)
    name = visit.field("name")
    async with visit.changing() as transaction:
        user_id = await admin.create_user(transaction, name, role, account_id)
        token = await make_link(transaction, user_id)
    return _link(visit, admin.as_name(name), token)


async def show_one(visit: Visit) -> Response:
    row = await _user(visit)
    sessions = await visit.database.row("user_sessions", row["user_id"])
    return visit.page(
        "user.html",
        person=row,
        sessions=sessions["sessions"] if sessions else 0,
        seen_at=sessions["seen_at"] if sessions else None,
        version=_version(visit, row),
        roles=ROLES,
        is_self=row["user_id"] == visit.user.user_id,
    )


async def change(visit: Visit) -> Response:
    row = await _user(visit)
    role, account_id = await _role(visit) if visit.field("do") == "role" else (UserRole(row["role"]), None)
    async with visit.changing() as transaction:
        locked = await transaction.row("user_lock", row["user_id"])
        if locked is None:
            raise NotFoundHere
        visit.check_version(dict(locked))
        match visit.field("do"):
            case "link":
                return await _new_link(visit, transaction, locked)
            case "role":
                _check_other(visit, locked)
                await admin.set_role(transaction, locked["user_id"], role, account_id)
                said = visit.say("{name} has another role now.", name=locked["name"])
            case "disable":
                _check_other(visit, locked)
                await admin.set_disabled(transaction, locked["user_id"], True)
                said = visit.say("{name} is let in no longer.", name=locked["name"])
            case "enable":
                await admin.set_disabled(transaction, locked["user_id"], False)
                said = visit.say("{name} may sign in again.", name=locked["name"])
            case _:
                said = ""
    return visit.go(f"/users/{row['user_id']}", said)


async def _new_link(visit: Visit, transaction: Connection, row: Record) -> Response:
    if row["disabled_at"] is not None:
        raise errors.OperatorError(visit.say("A link would be of no use: the user is disabled."))
    token = await make_link(transaction, row["user_id"])
    await record(transaction, "console_user", "link", row["name"], row["account_id"])
    return _link(visit, row["name"], token)


def _link(visit: Visit, name: str, token: str) -> Response:
    return visit.page("user_link.html", name=name, link=f"{visit.shared.url}/welcome/{token}", hours=HOURS)


def _check_other(visit: Visit, row: Record) -> None:
    """Who changes another is an operator who can sign in: so one is left."""
    if row["user_id"] == visit.user.user_id:
        raise errors.OperatorError(visit.say("You cannot take your own rights away; another operator can."))


async def _role(visit: Visit) -> tuple[UserRole, int | None]:
    try:
        role = UserRole(int(visit.field("role")))
    except ValueError:
        raise errors.OperatorError(visit.say("Choose a role.")) from None
    account_id = await entered.account_id(visit, visit.field("account"))
    return role, None if account_id == GENERAL else account_id


async def _user(visit: Visit) -> Record:
    user_id = as_id(visit.part("user_id"))
    row = None if user_id is None else await visit.database.row("user_get", user_id)
    if row is None:
        raise NotFoundHere
    return row


def _version(visit: Visit, row: Record) -> str:
    """Of what `user_lock` reads."""
    return visit.version({name: row[name] for name in ("user_id", "name", "role", "account_id", "disabled_at")})


SECTION = Section(
    (
        Page("/users", show, create, seen_by=OPERATORS),
        Page("/users/{user_id}", show_one, change, seen_by=OPERATORS),
    ),
    (Entry("/users", N_("Users"), Group.SYSTEM, "person", OPERATORS),),
)
