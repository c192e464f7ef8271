"""Signing in, with a second factor where the user has one, and out."""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

from starlette.responses import Response

from homing import errors, limits
from homing.audit import record
from homing.console.navigation import EVERYBODY, STRANGERS
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.console.security import local_path
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.users import UserRow
from homing.users import second_factor
from homing.users.admin import ConsoleUser, as_name
from homing.users.sessions import end_session, open_session
from homing.users.tokens import digest


async def show(context: RequestContext) -> Response:
    if context.is_signed_in:
        return context.redirect(context.query_value("next", "/"))
    return context.page("sign_in.html", next=context.query_value("next", "/"))


async def enter(context: RequestContext) -> Response:
    """One answer for a wrong password, a user that does not exist and one who is disabled, and it takes as long."""
    name = as_name(context.field("name"))[: limits.CONSOLE_USER_CHARS_MAX]
    password = context.raw_field("password")
    async with password_attempt(context, name) as tried:
        row = await statements.users.user_find(context.database, name=name)
        password_hash = None if row is None or row.disabled_at else row.password
        is_right = await context.console_state.passwords.is_right(password, password_hash)
        tried(is_right)
    if row is None or not is_right:
        await _note(context, row, "sign_in_failed")
        raise errors.InvalidInput(context.translate("Wrong user name or password."))
    user = ConsoleUser.of(row)
    async with context.changing(user.name) as transaction:
        if password_hash and context.console_state.passwords.is_dated(password_hash):
            await statements.users.user_password(
                transaction, user_id=user.user_id, password=await context.console_state.passwords.hash(password)
            )
        await begin(context, transaction, user, is_complete=not user.has_second_factor)
    onward = local_path(context.field("next", "/"))
    return context.redirect(f"/sign-in/code?{urlencode({'next': onward})}" if user.has_second_factor else onward)


async def show_code(context: RequestContext) -> Response:
    if context.session is None:
        return context.redirect("/sign-in")
    if context.is_signed_in:
        return context.redirect(context.query_value("next", "/"))
    return context.page("sign_in_code.html", next=context.query_value("next", "/"))


async def enter_code(context: RequestContext) -> Response:
    session = context.session
    if session is None or session.is_complete:
        return context.redirect("/sign-in")
    user = session.user
    row = await statements.users.user_get(context.database, user_id=user.user_id)
    assert row is not None
    async with password_attempt(context, f"{user.name} code") as tried:
        attempt = await _try_code(context, user, row)
        tried(attempt is CodeAttempt.RIGHT)
    if attempt is not CodeAttempt.RIGHT:
        await _note(context, row, "sign_in_failed")
    if attempt is CodeAttempt.SESSION_OVER:
        return await _ask_password_again(context)
    if attempt is CodeAttempt.RESTS:
        raise errors.InvalidInput(
            context.translate("Too many wrong codes for this user. Codes are not accepted for the rest of the hour.")
        )
    if attempt is CodeAttempt.WRONG:
        raise errors.InvalidInput(context.translate("The code is wrong or has already been used."))
    async with context.changing(user.name) as transaction:
        untold = await statements.users.user_codes_told(transaction, user_id=user.user_id)
        await begin(context, transaction, user, is_complete=True)
    wrong = untold or 0
    if wrong < limits.CONSOLE_CODE_ATTEMPTS_MAX:
        return context.redirect(context.field("next", "/"))
    return context.redirect(
        context.field("next", "/"),
        context.translate(
            "Since your last sign-in, {n} wrong codes were entered after the correct password. If"
            " that was not you, someone knows your password: change it.",
            n=wrong,
        ),
    )


class CodeAttempt(enum.Enum):
    """What became of a code."""

    RIGHT = enum.auto()
    WRONG = enum.auto()
    SESSION_OVER = enum.auto()  # the half session has had all that it may
    RESTS = enum.auto()  # the user has, within this hour: it was not looked at


async def _try_code(context: RequestContext, user: ConsoleUser, row: UserRow) -> CodeAttempt:
    """RFC 4226, section 7.3. The count is committed with what it was for."""
    token = digest(context.session_token or "")
    async with context.changing(user.name) as transaction:
        counted = await statements.users.session_code_try(
            transaction, token=token, codes_max=limits.CONSOLE_CODE_ATTEMPTS_MAX
        )
        if counted is None:
            return CodeAttempt.SESSION_OVER
        tried = await statements.users.user_code_try(
            transaction, user_id=user.user_id, codes_max=limits.CONSOLE_USER_CODE_ATTEMPTS_MAX
        )
        if tried is None:
            return CodeAttempt.RESTS
        if row.totp_secret is None or await second_factor.is_right(
            transaction,
            context.console_state.vault,
            user.user_id,
            row.totp_secret,
            context.field("code"),
            *context.clocks,
        ):
            return CodeAttempt.RIGHT
    return CodeAttempt.SESSION_OVER if counted >= limits.CONSOLE_CODE_ATTEMPTS_MAX else CodeAttempt.WRONG


async def _ask_password_again(context: RequestContext) -> Response:
    async with context.changing(context.session.user.name if context.session else "?") as transaction:
        await end_session(transaction, context.session_token or "")
    context.end_session()
    return context.redirect("/sign-in", context.translate("Too many wrong codes. Sign in again with your password."))


async def begin(context: RequestContext, transaction: DatabaseConnection, user: ConsoleUser, is_complete: bool) -> None:
    """A session with a new token; the browser's former one ends."""
    former = context.session_token
    if former:
        await end_session(transaction, former)
    agent = context.request.headers.get("user-agent", "")
    context.start_session(await open_session(transaction, user, is_complete, context.address, agent))
    if is_complete:
        await record(transaction, "console_user", "sign_in", user.name, account_id=user.account_id)


async def leave(context: RequestContext) -> Response:
    token = context.session_token
    if token and context.session:
        async with context.changing(context.session.user.name) as transaction:
            await end_session(transaction, token)
            if context.session.is_complete:
                await record(
                    transaction,
                    "console_user",
                    "sign_out",
                    context.session.user.name,
                    account_id=context.session.user.account_id,
                )
    context.end_session()
    return context.redirect("/sign-in", context.translate("You have signed out."))


async def back(context: RequestContext) -> Response:
    return context.redirect("/")


@contextlib.asynccontextmanager
async def password_attempt(context: RequestContext, name: str) -> AsyncIterator[Callable[[bool], None]]:
    """Waits as long as wrong passwords of before demand, and counts this one. Raises `InvalidInput` when too many were
    wrong.
    """
    guard, clock = context.console_state.guard, asyncio.get_running_loop().time
    attempt = None if guard.is_busy(context.address, name, clock()) else guard.may_try(context.address, name, clock())
    if attempt is None:
        raise errors.InvalidInput(context.translate("Too many failed attempts. Wait a few minutes, then try again."))
    outcome: list[bool] = []
    try:
        await asyncio.sleep(attempt.wait_s)
        yield outcome.append
    finally:
        guard.tried(attempt, outcome[0] if outcome else None, clock())


async def _note(context: RequestContext, row: UserRow | None, act: str) -> None:
    """Also of somebody who does not exist, or the time it takes would tell. What was entered as the name is not kept:
    people slip and enter their password there.
    """
    name, account_id = (row.name, row.account_id) if row else ("?", None)
    async with context.changing(name) as transaction:
        await record(transaction, "console_user", act, name, account_id=account_id)


SECTION = PageSection(
    (
        Page("/sign-in", show, enter, seen_by=STRANGERS),
        Page("/sign-in/code", show_code, enter_code, seen_by=STRANGERS),
        Page("/sign-out", back, leave, seen_by=STRANGERS, changed_by=EVERYBODY),
    )
)
