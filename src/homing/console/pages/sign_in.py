"""Signing in, with a second factor where the user has one, and out."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

from starlette.responses import Response

from homing import errors, limits
from homing.console.page import EVERYBODY, STRANGERS, Page, Section
from homing.console.security import local_path
from homing.console.visit import Visit
from homing.store.database import Connection, Record
from homing.users import second_factor
from homing.users.admin import User, as_name
from homing.users.audit import record
from homing.users.sessions import end_session, open_session
from homing.users.tokens import digest


async def show(visit: Visit) -> Response:
    if visit.is_signed_in:
        return visit.go(visit.asked("next", "/"))
    return visit.page("sign_in.html", next=visit.asked("next", "/"))


async def enter(visit: Visit) -> Response:
    """One answer for a wrong password, a user that does not exist and one who is disabled, and it takes as long."""
    name = as_name(visit.field("name"))[: limits.CONSOLE_USER_CHARS_MAX]
    password = visit.secret_field("password")
    async with one_try(visit, name) as tried:
        row = await visit.database.row("user_find", name)
        known = None if row is None or row["disabled_at"] else row["password"]
        is_right = await visit.shared.passwords.is_right(password, known)
        tried(is_right)
    if row is None or not is_right:
        await _note(visit, row, "sign_in_failed")
        raise errors.OperatorError(visit.say("The name or the password is wrong."))
    user = User.of(row)
    async with visit.changing(user.name) as transaction:
        if known and visit.shared.passwords.is_dated(known):
            await transaction.execute("user_password", user.user_id, await visit.shared.passwords.hash(password))
        await begin(visit, transaction, user, is_complete=not user.has_second_factor)
    onward = local_path(visit.field("next", "/"))
    return visit.go(f"/sign-in/code?{urlencode({'next': onward})}" if user.has_second_factor else onward)


async def show_code(visit: Visit) -> Response:
    if visit.session is None:
        return visit.go("/sign-in")
    if visit.is_signed_in:
        return visit.go(visit.asked("next", "/"))
    return visit.page("sign_in_code.html", next=visit.asked("next", "/"))


async def enter_code(visit: Visit) -> Response:
    session = visit.session
    if session is None or session.is_complete:
        return visit.go("/sign-in")
    user = session.user
    row = await visit.database.row("user_get", user.user_id)
    assert row is not None
    async with one_try(visit, f"{user.name} code") as tried:
        attempt = await _try_code(visit, user, row)
        tried(attempt is Attempt.RIGHT)
    if attempt is not Attempt.RIGHT:
        await _note(visit, row, "sign_in_failed")
    if attempt is Attempt.SESSION_OVER:
        return await _ask_password_again(visit)
    if attempt is Attempt.RESTS:
        raise errors.OperatorError(
            visit.say("Too many codes for this user were wrong. No code is looked at for the rest of the hour.")
        )
    if attempt is Attempt.WRONG:
        raise errors.OperatorError(visit.say("The code is wrong, or was used already."))
    async with visit.changing(user.name) as transaction:
        told = await transaction.row("user_codes_told", user.user_id)
        await begin(visit, transaction, user, is_complete=True)
    wrong = told["untold"] if told else 0
    if wrong < limits.CONSOLE_CODE_ATTEMPTS_MAX:
        return visit.go(visit.field("next", "/"))
    return visit.go(
        visit.field("next", "/"),
        visit.say(
            "Wrong codes after your right password since you last signed in: {n}. If they were not yours, somebody"
            " knows your password: change it.",
            n=wrong,
        ),
    )


class Attempt(enum.Enum):
    """What became of a code."""

    RIGHT = enum.auto()
    WRONG = enum.auto()
    SESSION_OVER = enum.auto()  # the half session has had all that it may
    RESTS = enum.auto()  # the user has, within this hour: it was not looked at


async def _try_code(visit: Visit, user: User, row: Record) -> Attempt:
    """RFC 4226, section 7.3. The count is committed with what it was for."""
    token = digest(visit.session_token or "")
    async with visit.changing(user.name) as transaction:
        counted = await transaction.row("session_code_try", token, limits.CONSOLE_CODE_ATTEMPTS_MAX)
        if counted is None:
            return Attempt.SESSION_OVER
        if not await transaction.row("user_code_try", user.user_id, limits.CONSOLE_USER_CODE_ATTEMPTS_MAX):
            return Attempt.RESTS
        if row["totp_secret"] is None or await second_factor.is_right(
            transaction, visit.shared.vault, user.user_id, row["totp_secret"], visit.field("code"), *visit.clocks
        ):
            return Attempt.RIGHT
    return Attempt.SESSION_OVER if counted["codes_wrong"] >= limits.CONSOLE_CODE_ATTEMPTS_MAX else Attempt.WRONG


async def _ask_password_again(visit: Visit) -> Response:
    async with visit.changing(visit.session.user.name if visit.session else "?") as transaction:
        await end_session(transaction, visit.session_token or "")
    visit.leave_session()
    return visit.go("/sign-in", visit.say("Too many codes were wrong. Sign in again with your password."))


async def begin(visit: Visit, transaction: Connection, user: User, is_complete: bool) -> None:
    """A session with a new token; the browser's former one ends."""
    former = visit.session_token
    if former:
        await end_session(transaction, former)
    agent = visit.request.headers.get("user-agent", "")
    visit.keep_session(await open_session(transaction, user, is_complete, visit.address, agent))
    if is_complete:
        await record(transaction, "console_user", "sign_in", user.name, user.account_id)


async def leave(visit: Visit) -> Response:
    token = visit.session_token
    if token and visit.session:
        async with visit.changing(visit.session.user.name) as transaction:
            await end_session(transaction, token)
            if visit.session.is_complete:
                await record(
                    transaction, "console_user", "sign_out", visit.session.user.name, visit.session.user.account_id
                )
    visit.leave_session()
    return visit.go("/sign-in", visit.say("You are signed out."))


async def back(visit: Visit) -> Response:
    return visit.go("/")


@contextlib.asynccontextmanager
async def one_try(visit: Visit, name: str) -> AsyncIterator[Callable[[bool], None]]:
    """Waits as long as wrong passwords of before demand, and counts this one. Raises `OperatorError` when too many were
    wrong.
    """
    guard, clock = visit.shared.guard, asyncio.get_running_loop().time
    one = None if guard.is_busy(visit.address, name, clock()) else guard.may_try(visit.address, name, clock())
    if one is None:
        raise errors.OperatorError(visit.say("Too many tries went wrong. Wait a few minutes, then try again."))
    outcome: list[bool] = []
    try:
        await asyncio.sleep(one.wait_s)
        yield outcome.append
    finally:
        guard.tried(one, outcome[0] if outcome else None, clock())


async def _note(visit: Visit, row: Record | None, act: str) -> None:
    """Also of somebody who does not exist, or the time it takes would tell. What was entered as the name is not kept:
    people slip and enter their password there.
    """
    name, account_id = (row["name"], row["account_id"]) if row else ("?", None)
    async with visit.changing(name) as transaction:
        await record(transaction, "console_user", act, name, account_id)


SECTION = Section(
    (
        Page("/sign-in", show, enter, seen_by=STRANGERS),
        Page("/sign-in/code", show_code, enter_code, seen_by=STRANGERS),
        Page("/sign-out", back, leave, seen_by=STRANGERS, changed_by=EVERYBODY),
    )
)
