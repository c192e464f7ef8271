"""The viewer's own page: password, second factor, sessions."""

import segno
from markupsafe import Markup
from starlette.responses import Response

from homing import errors
from homing.console.page import EVERYBODY, Page, Section
from homing.console.pages.sign_in import one_try
from homing.console.visit import Visit
from homing.users import second_factor
from homing.users.admin import set_password
from homing.users.audit import record
from homing.users.passwords import check_password
from homing.users.sessions import IDLE
from homing.users.tokens import digest


async def show(visit: Visit) -> Response:
    token = visit.session_token or ""
    sessions = await visit.database.fetch("session_list", visit.user.user_id, IDLE)
    left = await visit.database.row("recovery_codes_left", visit.user.user_id)
    return visit.page(
        "you.html",
        sessions=[{**row, "is_this": row["token"] == digest(token)} for row in sessions],
        codes_left=left["codes"] if left else 0,
    )


async def change(visit: Visit) -> Response:
    match visit.field("do"):
        case "password":
            return await _change_password(visit)
        case "forget_second_factor":
            return await _forget_second_factor(visit)
        case "end_sessions":
            return await _end_sessions(visit)
        case _:
            return visit.go("/you")


async def _change_password(visit: Visit) -> Response:
    await _check_own_password(visit)
    new = visit.secret_field("new_password")
    if new != visit.secret_field("new_password_again"):
        raise errors.OperatorError(visit.say("The two passwords are not the same."))
    check_password(new, visit.user.name)
    hashed = await visit.shared.passwords.hash(new)
    async with visit.changing() as transaction:
        await set_password(transaction, visit.user.user_id, hashed, digest(visit.session_token or ""))
    return visit.go("/you", visit.say("Your password is changed. Other sessions have ended."))


async def _forget_second_factor(visit: Visit) -> Response:
    await _check_own_password(visit)
    async with visit.changing() as transaction:
        await second_factor.forget(transaction, visit.user.user_id)
    return visit.go("/you", visit.say("The second factor is off."))


async def _end_sessions(visit: Visit) -> Response:
    async with visit.changing() as transaction:
        await transaction.execute("sessions_end", visit.user.user_id, digest(visit.session_token or ""))
        await record(transaction, "console_user", "sign_out", visit.user.name, visit.user.account_id)
    return visit.go("/you", visit.say("All other sessions have ended."))


async def show_enrolment(visit: Visit) -> Response:
    """A code that was wrong leaves the secret as it was: the app has it already."""
    given = visit.field("totp_secret")
    secret = given if _is_secret(given) else second_factor.make_secret()
    picture = segno.make(second_factor.uri(secret, visit.user.name), error="m").svg_inline(scale=5, border=2)
    return visit.page("second_factor.html", secret=secret, picture=Markup(picture))  # noqa: S704 - made of our URI


async def enrol(visit: Visit) -> Response:
    """With the password: whoever finds an open session must not make it his own."""
    await _check_own_password(visit)
    secret = visit.field("totp_secret")
    step = second_factor.step_of(secret, visit.field("code"), *visit.clocks) if _is_secret(secret) else None
    if step is None:
        raise errors.OperatorError(visit.say("The code is wrong. Is the clock of your phone right?"))
    async with visit.changing() as transaction:
        codes = await second_factor.enrol(transaction, visit.shared.vault, visit.user.user_id, secret, step)
        await transaction.execute("sessions_end", visit.user.user_id, digest(visit.session_token or ""))
    return visit.page("recovery_codes.html", codes=codes)


def _is_secret(text: str) -> bool:
    return len(text) == 32 and text.isascii() and text.isalnum() and text.isupper()


async def _check_own_password(visit: Visit) -> None:
    row = await visit.database.row("user_get", visit.user.user_id)
    known = row["password"] if row else None
    async with one_try(visit, visit.user.name) as tried:
        is_right = await visit.shared.passwords.is_right(visit.secret_field("password"), known)
        tried(is_right)
    if not is_right:
        raise errors.OperatorError(visit.say("Your password is wrong."))


SECTION = Section(
    (
        Page("/you", show, change, seen_by=EVERYBODY, changed_by=EVERYBODY),
        Page("/you/second-factor", show_enrolment, enrol, seen_by=EVERYBODY, changed_by=EVERYBODY),
    )
)
