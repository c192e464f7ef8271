"""A one-time link: the first operator picks a name and a password, everybody else a password."""

from starlette.responses import Response

from homing import errors
from homing.console.page import STRANGERS, Page, Section
from homing.console.pages.sign_in import begin
from homing.console.visit import Visit
from homing.model import UserRole
from homing.store.database import Connection
from homing.users.admin import User, create_user, has_operator, set_password
from homing.users.links import Link, find_link, use_link
from homing.users.passwords import check_password


async def show(visit: Visit) -> Response:
    link = await _link(visit)
    return visit.page("welcome.html", 200 if link else 410, link=link)


async def accept(visit: Visit) -> Response:
    link = await _link(visit)
    if link is None:
        return visit.page("welcome.html", 410, link=None)
    name, password = link.name or visit.field("name"), visit.secret_field("password")
    if password != visit.secret_field("password_again"):
        raise errors.OperatorError(visit.say("The two passwords are not the same."))
    check_password(password, name)
    hashed = await visit.shared.passwords.hash(password)
    async with visit.changing(name) as transaction:
        if not await use_link(transaction, visit.part("token")):
            return visit.page("welcome.html", 410, link=None)
        user_id = link.user_id or await create_user(transaction, name, UserRole.OPERATOR)
        await set_password(transaction, user_id, hashed, None)
        user = await _user(transaction, user_id)
        if not user.has_second_factor:
            await begin(visit, transaction, user, is_complete=True)
    if user.has_second_factor:
        return visit.go("/sign-in", visit.say("Your password is changed. Sign in with it."))
    return visit.go("/", visit.say("Welcome, {name}.", name=user.name))


async def _link(visit: Visit) -> Link | None:
    """A set-up link makes the first operator, not a second one."""
    async with visit.database.connection() as connection:
        link = await find_link(connection, visit.part("token"))
        if link is not None and link.user_id is None and await has_operator(connection):
            return None
    return link


async def _user(connection: Connection, user_id: int) -> User:
    return User.of(await connection.row("user_get", user_id))


SECTION = Section((Page("/welcome/{token}", show, accept, seen_by=STRANGERS),))
