"""What an account may send, and as whom: sender IDs, templates, refused words; and the words refused to all."""

from starlette.responses import Response

from homing import errors
from homing.admin import account_settings
from homing.admin.setting_warnings import sender_warnings, template_warnings
from homing.admin.words import add_word, remove_word
from homing.console.account_scope import AccountScope, account_scope_of, back
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import GENERAL
from homing.store import statements


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    words = await statements.admin.word_list(context.database, account_ids=[GENERAL, account_scope.account_id])
    return context.page(
        "texts.html",
        account_scope=account_scope,
        senders=await statements.admin.sender_list(context.database, account_id=account_scope.account_id),
        templates=await statements.admin.template_list(context.database, account_id=account_scope.account_id),
        words=[row for row in words if row.account_id != GENERAL],
        general=sum(row.account_id == GENERAL for row in words),
    )


async def show_general(context: RequestContext) -> Response:
    return context.page(
        "sensitive_words.html", words=await statements.admin.word_list(context.database, account_ids=[GENERAL])
    )


async def change(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    match context.field("do"):
        case "add_sender":
            return await _add_sender(context, account_scope)
        case "default_sender":
            return await _change_default(context, account_scope)
        case "remove_sender":
            return await _remove_sender(context, account_scope)
        case "add_template":
            return await _add_template(context, account_scope)
        case "remove_template":
            return await _remove_template(context, account_scope)
        case _:
            return await _change_word(context, account_scope.account_id)


async def change_general(context: RequestContext) -> Response:
    return await _change_word(context, GENERAL)


async def _add_sender(context: RequestContext, account_scope: AccountScope) -> Response:
    sender = context.field("sender")
    async with context.changing() as transaction:
        await account_settings.add_sender(
            transaction, account_scope.account_id, sender, bool(context.field("is_default"))
        )
    return context.redirect(
        context.path, context.translate("Sender ID {sender} added.", sender=sender), sender_warnings(sender)
    )


async def _change_default(context: RequestContext, account_scope: AccountScope) -> Response:
    sender = context.raw_field("sender")
    async with context.changing() as transaction:
        await account_settings.change_account(transaction, account_scope.account_id, {"default_sender": sender})
    return context.redirect(context.path, context.translate("{sender} is now the default sender ID.", sender=sender))


async def _remove_sender(context: RequestContext, account_scope: AccountScope) -> Response:
    sender = context.raw_field("sender")
    async with context.changing() as transaction:
        await account_settings.remove_sender(transaction, account_scope.account_id, sender)
    return context.redirect(context.path, context.translate("Sender ID {sender} removed.", sender=sender))


async def _add_template(context: RequestContext, account_scope: AccountScope) -> Response:
    """A form sends its line ends as CR LF; messages hold LF."""
    body = context.field("template_body").replace("\r\n", "\n")
    async with context.changing() as transaction:
        await account_settings.add_template(transaction, account_scope.account_id, context.field("template_name"), body)
    return context.redirect(context.path, context.translate("Template saved."), template_warnings(body))


async def _remove_template(context: RequestContext, account_scope: AccountScope) -> Response:
    template_id = context.field("template")
    if account_settings.as_id(template_id) is None:
        raise errors.InvalidInput(context.translate("The template no longer exists."))
    async with context.changing() as transaction:
        await account_settings.remove_template(transaction, account_scope.account_id, template_id)
    return context.redirect(context.path, context.translate("Template removed."))


async def _change_word(context: RequestContext, account_id: int) -> Response:
    match context.field("do"):
        case "add_word":
            word = context.field("word")
            async with context.changing() as transaction:
                await add_word(transaction, account_id, word)
            return context.redirect(
                context.path, context.translate("Texts containing {word} are now rejected.", word=word)
            )
        case "remove_word":
            word = context.raw_field("word")
            async with context.changing() as transaction:
                await remove_word(transaction, account_id, word)
            return context.redirect(context.path, context.translate("{word} is no longer a sensitive word.", word=word))
        case _:
            return await back(context)


SECTION = PageSection((Page("/accounts/{account}/texts", show, change), Page("/words", show_general, change_general)))
