"""What an account has set for verification codes: templates by language, flows, and test numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.admin import code_settings
from homing.console import form_values
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.model import CodeAlphabet, CodeTemplate
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

CONSOLE_CODE_TEMPLATES_MAX: Final = 200
CONSOLE_TEST_NUMBERS_MAX: Final = 100
ALPHABET_LABELS: Final[Mapping[str, str]] = {
    CodeAlphabet.NUMERIC.name.lower(): N_("Digits"),
    CodeAlphabet.ALPHA.name.lower(): N_("Letters"),
    CodeAlphabet.ALPHANUMERIC.name.lower(): N_("Letters and digits"),
    CodeAlphabet.HEX.name.lower(): N_("Hexadecimal digits"),
}


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    database, account_id = context.database, account_scope.account_id
    apps = await statements.admin.app_list(database, account_id=account_id)
    return context.page(
        "codes.html",
        account_scope=account_scope,
        templates=await code_settings.list_code_templates(database, account_id),
        flows=await code_settings.list_code_flows(database, account_id),
        test_numbers=await _test_numbers(database, account_id),
        apps=[(row.app_id, row.name) for row in apps],
        app_names={row.app_id: row.name for row in apps},
        **await _choices(context, account_id),
    )


async def _choices(context: RequestContext, account_id: int) -> Mapping[str, Any]:
    senders = await statements.admin.sender_list(context.database, account_id=account_id)
    return {
        "senders": [row.sender for row in senders],
        "alphabets": ALPHABET_LABELS,
        "lengths": code_settings.CODE_CHARS,
        "text_chars_max": code_settings.TEXT_CHARS_MAX,
    }


async def _test_numbers(connection: DatabaseConnection | Database, account_id: int) -> Sequence[str]:
    """Without their codes: whoever knows one can sign in with the number."""
    rows = await statements.verifications.test_number_list(connection, account_ids=[account_id])
    return [row.number for row in rows]


async def change(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    match context.field("do"):
        case "add":
            return await _add(context, account_scope)
        case "remove":
            return await _remove(context, account_scope)
        case "add_number":
            return await _add_number(context, account_scope)
        case "remove_number":
            return await _remove_number(context, account_scope)
        case _:
            return await back(context)


async def _add(context: RequestContext, account_scope: AccountScope) -> Response:
    template = msgspec.structs.replace(_entered(context), locale=context.field("language"))
    async with context.changing() as transaction:
        await _lock(transaction, account_scope)
        app = await statements.admin.app_lock(
            transaction, app_id=context.field("app"), account_id=account_scope.account_id
        )
        if app is None:
            raise errors.InvalidInput(context.translate("Choose an app."))
        listed = await code_settings.list_code_templates(transaction, account_scope.account_id)
        if len(listed) >= CONSOLE_CODE_TEMPLATES_MAX:
            raise errors.InvalidInput(context.translate("The account has reached its maximum number of templates."))
        await code_settings.add_code_template(
            transaction, account_scope.account_id, msgspec.structs.replace(template, app_id=app.app_id)
        )
    return context.redirect(
        account_scope.path("codes"), context.translate("Code template {name} added.", name=template.name)
    )


def _entered(context: RequestContext) -> CodeTemplate:
    """The values that can be changed. A form sends its line ends as CR LF; messages hold LF."""
    name = context.field("name")
    if not name:
        raise errors.InvalidInput(context.translate("Enter a name."))
    alphabet = context.field("alphabet")
    return CodeTemplate(
        template_id=0,
        app_id="",
        name=name[:100],
        locale="",
        text=context.field("text").replace("\r\n", "\n"),
        alphabet=CodeAlphabet[alphabet.upper()] if alphabet in ALPHABET_LABELS else CodeAlphabet.NUMERIC,
        length=form_values.whole(context, "length") or 0,
        sender=context.field("sender"),
    )


async def _lock(transaction: DatabaseConnection, account_scope: AccountScope) -> None:
    """One change of an account's settings at a time."""
    await statements.admin.account_settings(transaction, account_id=account_scope.account_id)


async def _remove(context: RequestContext, account_scope: AccountScope) -> Response:
    template_id = form_values.row_id(context, "template", context.translate("The template no longer exists."))
    async with context.changing() as transaction:
        await code_settings.remove_code_template(transaction, account_scope.account_id, template_id)
    return context.redirect(account_scope.path("codes"), context.translate("Template removed."))


async def _add_number(context: RequestContext, account_scope: AccountScope) -> Response:
    async with context.changing() as transaction:
        await _lock(transaction, account_scope)
        digits = await code_settings.set_test_number(
            transaction, account_scope.account_id, context.field("number"), context.field("code")
        )
        if len(await _test_numbers(transaction, account_scope.account_id)) > CONSOLE_TEST_NUMBERS_MAX:
            raise errors.InvalidInput(context.translate("The account has reached its maximum number of test numbers."))
    return context.redirect(
        account_scope.path("codes"), context.translate("{number} is now a test number.", number=digits)
    )


async def _remove_number(context: RequestContext, account_scope: AccountScope) -> Response:
    number = context.field("number")
    async with context.changing() as transaction:
        await code_settings.remove_test_number(transaction, account_scope.account_id, number)
    return context.redirect(
        account_scope.path("codes"), context.translate("{number} is no longer a test number.", number=number)
    )


async def show_item(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    template = await _template(context, context.database, account_scope)
    apps = await statements.admin.app_list(context.database, account_id=account_scope.account_id)
    return context.page(
        "code_template.html",
        account_scope=account_scope,
        code_template=template,
        app=next((row.name for row in apps if row.app_id == template.app_id), template.app_id),
        version=context.version(template),
        **await _choices(context, account_scope.account_id),
    )


async def _template(
    context: RequestContext, connection: DatabaseConnection | Database, account_scope: AccountScope
) -> CodeTemplate:
    """The one that the query names."""
    template_id = context.query_id("id")
    listed = await code_settings.list_code_templates(connection, account_scope.account_id)
    template = next((each for each in listed if each.template_id == template_id), None)
    if template is None:
        raise PageNotFound
    return template


async def change_item(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    entered = _entered(context)
    async with context.changing() as transaction:
        await _lock(transaction, account_scope)
        template = await _template(context, transaction, account_scope)
        context.check_version(template)
        changed = msgspec.structs.replace(
            template,
            name=entered.name,
            text=entered.text,
            alphabet=entered.alphabet,
            length=entered.length,
            sender=entered.sender,
        )
        await code_settings.change_code_template(transaction, account_scope.account_id, changed)
    return context.redirect(
        account_scope.path("codes"), context.translate("Code template {name} saved.", name=changed.name)
    )


SECTION = PageSection(
    (*for_both("codes", show, change), *for_both("codes/one", show_item, change_item)),
    (NavigationEntry("/codes", N_("Verification codes"), NavigationGroup.SETUP, "check", CUSTOMERS),),
)
