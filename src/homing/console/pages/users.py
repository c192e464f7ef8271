"""Users: who may use the console, as what, and the links by which they set their passwords."""

from typing import Final

from starlette.responses import Response

from homing import errors, limits
from homing.admin.account_settings import as_id
from homing.audit import record
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import OPERATORS, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.model import GENERAL, UserRole
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.users import LockedUser, UserRow
from homing.users import admin
from homing.users.links import make_link

ROLES: Final = {
    UserRole.OPERATOR: N_("Operator"),
    UserRole.SUPPORT: N_("Support"),
    UserRole.CUSTOMER: N_("Customer"),
}
HOURS: Final = round(limits.CONSOLE_LINK_S / 3600)


async def show(context: RequestContext) -> Response:
    beginning = context.query_value("name").lower()
    rows = await statements.users.user_page(
        context.database,
        beginning=beginning,
        before_id=context.query_id("before"),
        rows_max=limits.CONSOLE_PAGE_ROWS + 1,
    )
    page = page_of(rows, lambda row: row.user_id)
    return context.page("users.html", rows=page.rows, older_key=page.older, beginning=beginning, roles=ROLES)


async def create(context: RequestContext) -> Response:
    """The link is in the answer and nowhere else: who reloads the page is asked whether to send the form again."""
    role, account_id = await _role(context)
    name = context.field("name")
    async with context.changing() as transaction:
        user_id = await admin.create_user(transaction, name, role, account_id)
        token = await make_link(transaction, user_id)
    return _link(context, admin.as_name(name), token)


async def show_item(context: RequestContext) -> Response:
    row = await _user(context)
    sessions = await statements.users.user_sessions(context.database, user_id=row.user_id)
    return context.page(
        "user.html",
        person=row,
        sessions=sessions.sessions,
        seen_at=sessions.seen_at,
        version=_version(context, row),
        roles=ROLES,
        is_self=row.user_id == context.user.user_id,
    )


async def change(context: RequestContext) -> Response:
    row = await _user(context)
    role, account_id = await _role(context) if context.field("do") == "role" else (UserRole(row.role), None)
    async with context.changing() as transaction:
        locked = await statements.users.user_lock(transaction, user_id=row.user_id)
        if locked is None:
            raise PageNotFound
        context.check_version(locked)
        match context.field("do"):
            case "link":
                return await _new_link(context, transaction, locked)
            case "role":
                _check_other(context, locked)
                await admin.set_role(transaction, locked.user_id, role, account_id)
                notice = context.translate("Role of {name} changed.", name=locked.name)
            case "disable":
                _check_other(context, locked)
                await admin.set_disabled(transaction, locked.user_id, True)
                notice = context.translate("User {name} disabled.", name=locked.name)
            case "enable":
                await admin.set_disabled(transaction, locked.user_id, False)
                notice = context.translate("User {name} enabled.", name=locked.name)
            case _:
                notice = ""
    return context.redirect(f"/users/{row.user_id}", notice)


async def _new_link(context: RequestContext, transaction: DatabaseConnection, row: LockedUser) -> Response:
    if row.disabled_at is not None:
        raise errors.InvalidInput(context.translate("The user is disabled; enable the user before creating a link."))
    token = await make_link(transaction, row.user_id)
    await record(transaction, "console_user", "link", row.name, account_id=row.account_id)
    return _link(context, row.name, token)


def _link(context: RequestContext, name: str, token: str) -> Response:
    return context.page("user_link.html", name=name, link=f"{context.console_state.url}/welcome/{token}", hours=HOURS)


def _check_other(context: RequestContext, row: LockedUser) -> None:
    """Who changes another is an operator who can sign in: so one is left."""
    if row.user_id == context.user.user_id:
        raise errors.InvalidInput(context.translate("You cannot remove your own permissions. Ask another operator."))


async def _role(context: RequestContext) -> tuple[UserRole, int | None]:
    try:
        role = UserRole(int(context.field("role")))
    except ValueError:
        raise errors.InvalidInput(context.translate("Choose a role.")) from None
    account_id = await form_values.account_id(context, context.field("account"))
    return role, None if account_id == GENERAL else account_id


async def _user(context: RequestContext) -> UserRow:
    user_id = as_id(context.path_part("user_id"))
    row = None if user_id is None else await statements.users.user_get(context.database, user_id=user_id)
    if row is None:
        raise PageNotFound
    return row


def _version(context: RequestContext, row: UserRow) -> str:
    """Of what `user_lock` reads."""
    return context.version(
        LockedUser(
            user_id=row.user_id,
            name=row.name,
            role=row.role,
            account_id=row.account_id,
            disabled_at=row.disabled_at,
        )
    )


SECTION = PageSection(
    (
        Page("/users", show, create, seen_by=OPERATORS),
        Page("/users/{user_id}", show_item, change, seen_by=OPERATORS),
    ),
    (NavigationEntry("/users", N_("Users"), NavigationGroup.SYSTEM, "person", OPERATORS),),
)
