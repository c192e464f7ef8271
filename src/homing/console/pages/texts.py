"""What an account may send, and as whom: sender IDs, templates, refused words; and the words refused to all."""

from starlette.responses import Response

from homing import errors
from homing.accounts import admin, catalogue
from homing.accounts.warnings import sender_warnings, template_warnings
from homing.console.account_place import Place, back, place_of
from homing.console.page import Page, Section
from homing.console.visit import Visit
from homing.model import GENERAL


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    words = await visit.database.fetch("word_list", [GENERAL, place.account_id])
    return visit.page(
        "texts.html",
        place=place,
        senders=await visit.database.fetch("sender_list", place.account_id),
        templates=await visit.database.fetch("template_list", place.account_id),
        words=[row for row in words if row["account_id"] != GENERAL],
        general=sum(row["account_id"] == GENERAL for row in words),
    )


async def show_general(visit: Visit) -> Response:
    return visit.page("words.html", words=await visit.database.fetch("word_list", [GENERAL]))


async def change(visit: Visit) -> Response:
    place = await place_of(visit)
    match visit.field("do"):
        case "add_sender":
            return await _add_sender(visit, place)
        case "default_sender":
            return await _change_default(visit, place)
        case "remove_sender":
            return await _remove_sender(visit, place)
        case "add_template":
            return await _add_template(visit, place)
        case "remove_template":
            return await _remove_template(visit, place)
        case _:
            return await _change_word(visit, place.account_id)


async def change_general(visit: Visit) -> Response:
    return await _change_word(visit, GENERAL)


async def _add_sender(visit: Visit, place: Place) -> Response:
    sender = visit.field("sender")
    async with visit.changing() as transaction:
        await admin.add_sender(transaction, place.account_id, sender, bool(visit.field("is_default")))
    return visit.go(visit.path, visit.say("The account may send as {sender}.", sender=sender), sender_warnings(sender))


async def _change_default(visit: Visit, place: Place) -> Response:
    sender = visit.secret_field("sender")
    async with visit.changing() as transaction:
        await admin.change_account(transaction, place.account_id, {"default_sender": sender})
    return visit.go(visit.path, visit.say("{sender} is the default.", sender=sender))


async def _remove_sender(visit: Visit, place: Place) -> Response:
    sender = visit.secret_field("sender")
    async with visit.changing() as transaction:
        await admin.remove_sender(transaction, place.account_id, sender)
    return visit.go(visit.path, visit.say("The account may no longer send as {sender}.", sender=sender))


async def _add_template(visit: Visit, place: Place) -> Response:
    """A form sends its line ends as CR LF; messages hold LF."""
    body = visit.field("template_body").replace("\r\n", "\n")
    async with visit.changing() as transaction:
        await admin.add_template(transaction, place.account_id, visit.field("template_name"), body)
    return visit.go(visit.path, visit.say("The template is stored."), template_warnings(body))


async def _remove_template(visit: Visit, place: Place) -> Response:
    given = visit.field("template")
    if admin.as_id(given) is None:
        raise errors.OperatorError(visit.say("There is no such template any more."))
    async with visit.changing() as transaction:
        await admin.remove_template(transaction, place.account_id, given)
    return visit.go(visit.path, visit.say("The template is removed."))


async def _change_word(visit: Visit, account_id: int) -> Response:
    match visit.field("do"):
        case "add_word":
            word = visit.field("word")
            async with visit.changing() as transaction:
                await catalogue.add_word(transaction, account_id, word)
            return visit.go(visit.path, visit.say("Texts that hold {word} are refused.", word=word))
        case "remove_word":
            word = visit.secret_field("word")
            async with visit.changing() as transaction:
                await catalogue.remove_word(transaction, account_id, word)
            return visit.go(visit.path, visit.say("{word} is refused no longer.", word=word))
        case _:
            return await back(visit)


SECTION = Section((Page("/accounts/{account}/texts", show, change), Page("/words", show_general, change_general)))
