"""A one-time link: the first operator picks a name and a password, everybody else a password."""

from starlette.responses import Response

from homing import errors
from homing.console.navigation import STRANGERS
from homing.console.page import Page, PageSection
from homing.console.pages.sign_in import begin
from homing.console.request_context import RequestContext
from homing.model import UserRole
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.users.admin import ConsoleUser, create_user, has_operator, set_password
from homing.users.links import PasswordLink, find_link, use_link
from homing.users.passwords import check_password


async def show(context: RequestContext) -> Response:
    link = await _link(context)
    return context.page("invite.html", 200 if link else 410, link=link)


async def accept(context: RequestContext) -> Response:
    link = await _link(context)
    if link is None:
        return context.page("invite.html", 410, link=None)
    name, password = link.name or context.field("name"), context.raw_field("password")
    if password != context.raw_field("password_again"):
        raise errors.InvalidInput(context.translate("The two passwords do not match."))
    check_password(password, name)
    hashed = await context.console_state.passwords.hash(password)
    async with context.changing(name) as transaction:
        if not await use_link(transaction, context.path_part("token")):
            return context.page("invite.html", 410, link=None)
        user_id = link.user_id or await create_user(transaction, name, UserRole.OPERATOR)
        await set_password(transaction, user_id, hashed, None)
        user = await _user(transaction, user_id)
        if not user.has_second_factor:
            await begin(context, transaction, user, is_complete=True)
    if user.has_second_factor:
        return context.redirect("/sign-in", context.translate("Password changed. Sign in with the new password."))
    return context.redirect("/", context.translate("Welcome, {name}.", name=user.name))


async def _link(context: RequestContext) -> PasswordLink | None:
    """A set-up link makes the first operator, not a second one."""
    async with context.database.connection() as connection:
        link = await find_link(connection, context.path_part("token"))
        if link is not None and link.user_id is None and await has_operator(connection):
            return None
    return link


async def _user(connection: DatabaseConnection, user_id: int) -> ConsoleUser:
    row = await statements.users.user_get(connection, user_id=user_id)
    assert row is not None, "users are not removed"
    return ConsoleUser.of(row)


SECTION = PageSection((Page("/welcome/{token}", show, accept, seen_by=STRANGERS),))
