"""An account at a glance: what it has, what it sent today, its money moved and its lock."""

from typing import Final

from starlette.responses import Response

from homing import errors
from homing.accounts import admin
from homing.console import entered
from homing.console.account_place import Place, back, for_both, place_of
from homing.console.page import CUSTOMERS, Entry, Group, Section
from homing.console.pages.statement import KINDS, PURSES
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.ledger import movements
from homing.ledger.purse import Purse
from homing.ledger.statement import effect, read_statement
from homing.model import BindKind, Book, PeriodGrain, UserRole
from homing.statistics.overview import read_overview

ENTRIES: Final = 8
MOVES: Final = {
    "topup": N_("Top-up"),
    "gift": N_("Gift, which is spent first"),
    "adjust": N_("Adjustment of the balance"),
    "adjust_gift": N_("Adjustment of the gift"),
}
BINDS: Final = {
    BindKind.TRANSMITTER: N_("sends"),
    BindKind.RECEIVER: N_("receives"),
    BindKind.TRANSCEIVER: N_("sends and receives"),
}


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    database, account_id, now = visit.database, place.account_id, visit.now
    row = (await database.fetch("purses", [account_id]))[0]
    overview = await visit.shared.live.kept.get(
        ("account", account_id), lambda: read_overview(database, PeriodGrain.HOUR, 24, now, account_id)
    )
    moved = await database.row("moved_by_people", account_id)
    assert moved is not None
    return visit.page(
        "account.html",
        place=place,
        account=place.account,
        purse=Purse(row["gift_micro"], row["balance_micro"], row["credit_micro"]),
        total=overview.total,
        entries=[{**entry, "effect": effect(entry)} for entry in await read_statement(database, account_id, ENTRIES)],
        binds=await database.fetch("binds_list", account_id),
        kinds=KINDS,
        purses=PURSES,
        moves=MOVES,
        bind_kinds=BINDS,
        version=visit.version(moved),
    )


async def change(visit: Visit) -> Response:
    if visit.user.role is not UserRole.OPERATOR:
        raise NotFoundHere
    place = await place_of(visit)
    match visit.field("do"):
        case "move":
            return await _move(visit, place)
        case "lock":
            return await _lock(visit, place, visit.field("lock_reason") or "by the operator")
        case "unlock":
            return await _lock(visit, place, None)
        case _:
            return await back(visit)


async def _move(visit: Visit, place: Place) -> Response:
    """Once: a form that is sent again, or that knows nothing of what somebody else has booked meanwhile, is stale."""
    micro, reason = entered.amount(visit, "amount"), visit.field("reason")
    match visit.field("kind"):
        case "topup":
            movement, reason = movements.top_up(micro), reason or "top-up"
        case "gift":
            movement, reason = movements.gift(micro), reason or "gift"
        case "adjust":
            movement = movements.adjustment(micro)
        case "adjust_gift":
            movement = movements.adjustment(micro, Book.GIFT)
        case _:
            raise errors.OperatorError(visit.say("Choose what kind of movement it is."))
    async with visit.changing() as transaction:
        await transaction.execute("purse_lock", place.account_id)
        moved = await transaction.row("moved_by_people", place.account_id)
        assert moved is not None
        visit.check_version(moved)
        await movements.move(
            transaction,
            place.account_id,
            movement,
            visit.user.name,
            reason,
            within_credit=not visit.field("below_credit"),
        )
    return visit.go(place.path(), visit.say("{amount} is booked.", amount=visit.formats.exact(micro)))


async def _lock(visit: Visit, place: Place, reason: str | None) -> Response:
    async with visit.changing() as transaction:
        await admin.set_lock(transaction, place.account_id, reason)
    said = visit.say("The account is locked.") if reason else visit.say("The account is not locked any more.")
    return visit.go(place.path(), said)


SECTION = Section(for_both("", show, change), (Entry("/account", N_("Account"), Group.SETUP, "money", CUSTOMERS),))
