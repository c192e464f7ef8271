"""Changes of what accounts set for verification codes: an app's expiry and limits, templates, flows, test numbers."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from homing import errors, limits
from homing.accounts.code_settings import flow_of, send_limit_of, template_of
from homing.common import money
from homing.model import CODE_MARK, UNIT_S, CodeAlphabet, CodeFlow, CodeTemplate, FlowStep, SendLimit
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.verifications import AppVerificationRow
from homing.text.numbers import normalise

EXPIRY_S: Final = (60, 3_600)
CODE_CHARS: Final = (4, 10)
TEXT_CHARS_MAX: Final = 256
NAME_CHARS: Final = (4, 32)
LIMIT_MAX: Final = 10**9
LIMIT_PERIOD_MAX: Final = 90
RESEND_MESSAGES_MAX: Final = 3
RESEND_WORTH_MICRO_MAX: Final = 1_000_000_000_000
STEPS_MAX: Final = 4
STEP_WAIT_S: Final = (1, 3_600)
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}|", re.ASCII)
TEST_CODE: Final = re.compile(r"[A-Za-z0-9]{4,10}", re.ASCII)


class CodeApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app with what it has set for codes. `code_expiry_s`: how long they can be entered; `resend_messages`,
    `resend_worth_micro`: as of `App`.
    """

    app_id: str
    name: str
    code_expiry_s: int
    total_limit: SendLimit | None
    number_limit: SendLimit | None
    resend_messages: int
    resend_worth_micro: int
    created_at: datetime


class NameTaken(errors.InvalidInput):
    """Another app, template or flow of the account has the name."""


async def find_code_app(connection: DatabaseConnection | Database, account_id: int, app_id: str) -> CodeApp | None:
    row = await statements.verifications.app_verification(connection, account_id=account_id, app_id=app_id)
    return None if row is None else code_app_of(row)


async def list_code_apps(connection: DatabaseConnection | Database, account_id: int) -> Sequence[CodeApp]:
    """The account's first app comes first."""
    rows = await statements.verifications.apps_verification(connection, account_id=account_id)
    return [code_app_of(row) for row in rows]


def code_app_of(row: AppVerificationRow) -> CodeApp:
    return CodeApp(
        app_id=row.app_id,
        name=row.name,
        code_expiry_s=row.code_expiry_s,
        total_limit=send_limit_of(row.total_limit),
        number_limit=send_limit_of(row.number_limit),
        resend_messages=row.resend_messages,
        resend_worth_micro=row.resend_worth_micro,
        created_at=row.created_at,
    )


async def change_code_app(
    connection: DatabaseConnection,
    account_id: int,
    app_id: str,
    *,
    name: str,
    code_expiry_s: int,
    total_limit: SendLimit | None,
    number_limit: SendLimit | None,
    resend_messages: int | None = None,
    resend_worth_micro: int | None = None,
) -> None:
    """`resend_messages`, `resend_worth_micro`: None: as they are. Raises `InvalidInput` for what is out of bounds;
    `NameTaken` when another app of the account has the name.
    """
    try:
        app = await _lock_code_app(connection, account_id, app_id)
    except errors.UnknownApp:
        raise errors.InvalidInput("app {app} does not exist", app=repr(app_id)) from None
    changed = msgspec.structs.replace(
        app,
        name=name,
        code_expiry_s=code_expiry_s,
        total_limit=total_limit,
        number_limit=number_limit,
        resend_messages=app.resend_messages if resend_messages is None else resend_messages,
        resend_worth_micro=app.resend_worth_micro if resend_worth_micro is None else resend_worth_micro,
    )
    await _store_code_app(connection, account_id, changed)


async def patch_code_app(
    connection: DatabaseConnection, account_id: int, app_id: str, changes: Mapping[str, Any]
) -> CodeApp:
    """Changes some members of a `CodeApp`, by their names, and gives it as it is then. Raises as `change_code_app`;
    `UnknownApp` when the account has no such app.
    """
    app = msgspec.structs.replace(await _lock_code_app(connection, account_id, app_id), **changes)
    await _store_code_app(connection, account_id, app)
    return app


async def _lock_code_app(connection: DatabaseConnection, account_id: int, app_id: str) -> CodeApp:
    """Of an account whose apps nobody else changes meanwhile: so their names stay unique. Raises `UnknownApp`."""
    await statements.admin.account_settings(connection, account_id=account_id)
    app = await find_code_app(connection, account_id, app_id)
    if app is None:
        raise errors.UnknownApp
    return app


async def _store_code_app(connection: DatabaseConnection, account_id: int, app: CodeApp) -> None:
    low, high = EXPIRY_S
    if not low <= app.code_expiry_s <= high:
        raise errors.InvalidInput("codes expire after {low} to {high} seconds", low=low, high=high)
    for limit in (app.total_limit, app.number_limit):
        _check_limit(limit)
    if not 0 <= app.resend_messages <= RESEND_MESSAGES_MAX:
        raise errors.InvalidInput("a likely lost code is sent again at most {most} times", most=RESEND_MESSAGES_MAX)
    if not 0 <= app.resend_worth_micro <= RESEND_WORTH_MICRO_MAX:
        raise errors.InvalidInput(
            "the worth of a person is from 0 to {most}", most=money.trimmed(RESEND_WORTH_MICRO_MAX)
        )
    if app.resend_messages and not app.resend_worth_micro:
        raise errors.InvalidInput("to send likely lost codes again, say what a converted person is worth")
    apps = await statements.admin.app_list(connection, account_id=account_id)
    if any(row.name == app.name and row.app_id != app.app_id for row in apps):
        raise NameTaken("the account already has an app named {name}", name=repr(app.name))
    await statements.verifications.app_verification_change(
        connection,
        account_id=account_id,
        app_id=app.app_id,
        name=app.name,
        code_expiry_s=app.code_expiry_s,
        total_limit=_stored(app.total_limit),
        number_limit=_stored(app.number_limit),
        resend_messages=app.resend_messages,
        resend_worth_micro=app.resend_worth_micro,
    )


async def add_code_template(
    connection: DatabaseConnection, account_id: int, template: CodeTemplate, *, template_id: int | None = None
) -> int:
    """Gives its ID: `template_id`, or a new one; `template`'s is not used. Raises `InvalidInput`, `NameTaken`."""
    _check_template(template)
    added = await statements.verifications.code_template_create(
        connection,
        template_id=template_id,
        account_id=account_id,
        app_id=template.app_id,
        name=template.name,
        locale=template.locale,
        text=template.text,
        code_alphabet=int(template.alphabet),
        code_length=template.length,
        sender=template.sender,
        voice=template.voice,
    )
    if added is None:
        raise NameTaken("the account already has a code template named {name}", name=repr(template.name))
    return added


async def change_code_template(connection: DatabaseConnection, account_id: int, template: CodeTemplate) -> None:
    """Its app and its language stay. Raises `InvalidInput`, `NameTaken`."""
    _check_template(template)
    await statements.admin.account_settings(connection, account_id=account_id)  # locks it: names stay unique
    for row in await statements.verifications.code_template_list(connection, account_ids=[account_id]):
        if (row.name, row.locale) == (template.name, template.locale) and row.template_id != template.template_id:
            raise NameTaken("the account already has a code template named {name}", name=repr(template.name))
    changed = await statements.verifications.code_template_change(
        connection,
        account_id=account_id,
        template_id=template.template_id,
        name=template.name,
        text=template.text,
        code_alphabet=int(template.alphabet),
        code_length=template.length,
        sender=template.sender,
        voice=template.voice,
    )
    if changed is None:
        raise errors.InvalidInput("code template {template} does not exist", template=template.template_id)


async def remove_code_template(connection: DatabaseConnection, account_id: int, template_id: int) -> None:
    """Raises `InvalidInput` when it is not the account's."""
    removed = await statements.verifications.code_template_remove(
        connection, account_id=account_id, template_id=template_id
    )
    if removed is None:
        raise errors.InvalidInput("code template {template} does not exist", template=template_id)


async def list_code_templates(connection: DatabaseConnection | Database, account_id: int) -> Sequence[CodeTemplate]:
    rows = await statements.verifications.code_template_list(connection, account_ids=[account_id])
    return [template_of(row) for row in rows]


async def add_code_flow(connection: DatabaseConnection, account_id: int, name: str, steps: Sequence[FlowStep]) -> int:
    """Gives its ID. Raises `InvalidInput`, `NameTaken`."""
    _check_steps(steps)
    flow_id = await statements.verifications.code_flow_create(
        connection, account_id=account_id, name=name, steps=_encoded(steps)
    )
    if flow_id is None:
        raise NameTaken("the account already has a flow named {name}", name=repr(name))
    return flow_id


async def change_code_flow(
    connection: DatabaseConnection, account_id: int, flow_id: int, name: str, steps: Sequence[FlowStep]
) -> None:
    """Raises `InvalidInput`, `NameTaken`."""
    _check_steps(steps)
    await statements.admin.account_settings(connection, account_id=account_id)  # locks it: names stay unique
    for row in await statements.verifications.code_flow_list(connection, account_ids=[account_id]):
        if row.name == name and row.flow_id != flow_id:
            raise NameTaken("the account already has a flow named {name}", name=repr(name))
    changed = await statements.verifications.code_flow_change(
        connection, account_id=account_id, flow_id=flow_id, name=name, steps=_encoded(steps)
    )
    if changed is None:
        raise errors.InvalidInput("flow {flow} does not exist", flow=flow_id)


async def list_code_flows(connection: DatabaseConnection | Database, account_id: int) -> Sequence[CodeFlow]:
    rows = await statements.verifications.code_flow_list(connection, account_ids=[account_id])
    return [flow_of(row) for row in rows]


async def set_test_number(connection: DatabaseConnection, account_id: int, number: str, code: str) -> str:
    """Lists a number to which no code is sent, or changes its code; gives its digits. Raises `InvalidInput`."""
    digits = normalise(number)
    if digits is None:
        raise errors.InvalidInput("{number} is not a phone number with its country code", number=repr(number))
    if not TEST_CODE.fullmatch(code):
        raise errors.InvalidInput("a code has 4 to 10 letters and digits")
    await statements.verifications.test_number_set(connection, account_id=account_id, number=digits, code=code)
    return digits


async def remove_test_number(connection: DatabaseConnection, account_id: int, number: str) -> None:
    """Raises `InvalidInput` when it is not listed."""
    digits = normalise(number) or number
    removed = await statements.verifications.test_number_remove(connection, account_id=account_id, number=digits)
    if removed is None:
        raise errors.InvalidInput("{number} is not a test number of the account", number=repr(number))


def _check_template(template: CodeTemplate) -> None:
    if CODE_MARK not in template.text:
        raise errors.InvalidInput("the text of a code template contains {mark}", mark=CODE_MARK)
    if len(template.text) > TEXT_CHARS_MAX:
        raise errors.InvalidInput("the text of a code template has at most {n} characters", n=TEXT_CHARS_MAX)
    low, high = CODE_CHARS
    if not low <= template.length <= high:
        raise errors.InvalidInput("codes have {low} to {high} characters", low=low, high=high)
    if not LOCALE.fullmatch(template.locale):
        raise errors.InvalidInput("{locale} is not a language tag (BCP 47)", locale=repr(template.locale))
    if len(template.sender) > limits.SENDER_CHARS_MAX:
        raise errors.InvalidInput("a sender ID must have 1 to 32 printable ASCII characters")
    CodeAlphabet(template.alphabet)


def _check_limit(limit: SendLimit | None) -> None:
    if limit is None:
        return
    if limit.unit not in UNIT_S:
        raise errors.InvalidInput("a limit's unit is one of: {units}", units=", ".join(UNIT_S))
    if not 1 <= limit.period <= LIMIT_PERIOD_MAX:
        raise errors.InvalidInput("a limit's period is 1 to {high}", high=LIMIT_PERIOD_MAX)
    if not 1 <= limit.most <= LIMIT_MAX:
        raise errors.InvalidInput("a limit is 1 to {high} messages", high=LIMIT_MAX)


def _check_steps(steps: Sequence[FlowStep]) -> None:
    if not 1 <= len(steps) <= STEPS_MAX:
        raise errors.InvalidInput("a flow has 1 to {high} steps", high=STEPS_MAX)
    low, high = STEP_WAIT_S
    if any(not low <= step.wait_s <= high for step in steps):
        raise errors.InvalidInput("a step waits {low} to {high} seconds", low=low, high=high)


def _stored(limit: SendLimit | None) -> str | None:
    return None if limit is None else msgspec.json.encode(limit).decode()


def _encoded(steps: Sequence[FlowStep]) -> str:
    return msgspec.json.encode(steps).decode()
