"""The viewer's own page: password, second factor, sessions."""

import msgspec
import segno
from markupsafe import Markup
from starlette.responses import Response

from homing import errors
from homing.audit import record
from homing.console.navigation import EVERYBODY
from homing.console.page import Page, PageSection
from homing.console.pages.sign_in import password_attempt
from homing.console.request_context import RequestContext
from homing.store import statements
from homing.users import second_factor
from homing.users.admin import set_password
from homing.users.passwords import check_password
from homing.users.sessions import IDLE
from homing.users.tokens import digest


async def show(context: RequestContext) -> Response:
    token = context.session_token or ""
    sessions = await statements.users.session_list(context.database, user_id=context.user.user_id, idle=IDLE)
    codes_left = await statements.users.recovery_codes_left(context.database, user_id=context.user.user_id)
    return context.page(
        "profile.html",
        sessions=[{**msgspec.structs.asdict(row), "is_this": row.token == digest(token)} for row in sessions],
        codes_left=codes_left,
    )


async def change(context: RequestContext) -> Response:
    match context.field("do"):
        case "password":
            return await _change_password(context)
        case "forget_second_factor":
            return await _forget_second_factor(context)
        case "end_sessions":
            return await _end_sessions(context)
        case _:
            return context.redirect("/you")


async def _change_password(context: RequestContext) -> Response:
    await _check_own_password(context)
    new = context.raw_field("new_password")
    if new != context.raw_field("new_password_again"):
        raise errors.InvalidInput(context.translate("The two passwords do not match."))
    check_password(new, context.user.name)
    hashed = await context.console_state.passwords.hash(new)
    async with context.changing() as transaction:
        await set_password(transaction, context.user.user_id, hashed, digest(context.session_token or ""))
    return context.redirect("/you", context.translate("Password changed. You have been signed out on other devices."))


async def _forget_second_factor(context: RequestContext) -> Response:
    await _check_own_password(context)
    async with context.changing() as transaction:
        await second_factor.forget(transaction, context.user.user_id)
    return context.redirect("/you", context.translate("Two-factor authentication is off."))


async def _end_sessions(context: RequestContext) -> Response:
    async with context.changing() as transaction:
        await statements.users.sessions_end(
            transaction, user_id=context.user.user_id, kept_session=digest(context.session_token or "")
        )
        await record(transaction, "console_user", "sign_out", context.user.name, account_id=context.user.account_id)
    return context.redirect("/you", context.translate("You have been signed out on all other devices."))


async def show_enrolment(context: RequestContext) -> Response:
    """A code that was wrong leaves the secret as it was: the app has it already."""
    submitted = context.field("totp_secret")
    secret = submitted if _is_secret(submitted) else second_factor.make_secret()
    picture = segno.make(second_factor.uri(secret, context.user.name), error="m").svg_inline(scale=5, border=2)
    return context.page("second_factor.html", secret=secret, picture=Markup(picture))  # noqa: S704 - made of our URI


async def enrol(context: RequestContext) -> Response:
    """With the password: whoever finds an open session must not make it his own."""
    await _check_own_password(context)
    secret = context.field("totp_secret")
    step = second_factor.step_of(secret, context.field("code"), *context.clocks) if _is_secret(secret) else None
    if step is None:
        raise errors.InvalidInput(context.translate("Wrong code. Check that your phone's clock is correct."))
    async with context.changing() as transaction:
        codes = await second_factor.enrol(transaction, context.console_state.vault, context.user.user_id, secret, step)
        await statements.users.sessions_end(
            transaction, user_id=context.user.user_id, kept_session=digest(context.session_token or "")
        )
    return context.page("recovery_codes.html", codes=codes)


def _is_secret(text: str) -> bool:
    return len(text) == 32 and text.isascii() and text.isalnum() and text.isupper()


async def _check_own_password(context: RequestContext) -> None:
    row = await statements.users.user_get(context.database, user_id=context.user.user_id)
    password_hash = row.password if row else None
    async with password_attempt(context, context.user.name) as tried:
        is_right = await context.console_state.passwords.is_right(context.raw_field("password"), password_hash)
        tried(is_right)
    if not is_right:
        raise errors.InvalidInput(context.translate("Wrong password."))


SECTION = PageSection(
    (
        Page("/you", show, change, seen_by=EVERYBODY, changed_by=EVERYBODY),
        Page("/you/second-factor", show_enrolment, enrol, seen_by=EVERYBODY, changed_by=EVERYBODY),
    )
)
