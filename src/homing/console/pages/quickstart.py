"""The first message: programs of the dialects with the account's own key in them. A secret is masked until somebody
who may know it asks for it; that is a form, never an address, and it is recorded.
"""

from typing import Final

from starlette.responses import Response

from homing.console.account_place import Place, for_both, place_of
from homing.console.page import CUSTOMERS, Entry, Group, Section
from homing.console.snippets import TONGUES
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.store.database import Record
from homing.text.numbers import normalise
from homing.users.audit import record

MASK: Final = "********"
NUMBER: Final = "8613800130001"
"""The demo's carriers deliver to it at once; elsewhere one's own is put in its place."""
TEXT: Final = "Your code is 123456"


async def show(visit: Visit) -> Response:
    return await _show(visit, await place_of(visit), visit.asked("credential"), None)


async def reveal(visit: Visit) -> Response:
    """Raises `NotFoundHere` for a credential that is not the account's, or not in use."""
    place = await place_of(visit)
    row = next(
        (one for one in await _credentials(visit, place) if str(one["credential_id"]) == visit.field("key_id")), None
    )
    if row is None:
        raise NotFoundHere
    async with visit.changing() as transaction:
        await record(transaction, "credential", "show_secret", row["key"], place.account_id)
        sealed = await transaction.row("credential_sealed", place.account_id, row["credential_id"])
    if sealed is None:
        raise NotFoundHere
    try:
        secret = visit.shared.vault.open(sealed["secret"])
    except ValueError:
        visit.trouble = visit.say(
            "This secret was sealed with another key and cannot be read here. Make a new credential."
        )
        secret = None
    return await _show(visit, place, visit.field("key_id"), secret)


async def _show(visit: Visit, place: Place, wanted: str, secret: str | None) -> Response:
    """`wanted`: a credential's id; else the newest of the dialect is taken. `secret` is that credential's."""
    dialects = [each for each in visit.shared.dialects if each.quickstart is not None]
    dialect = next((each for each in dialects if each.name == visit.asked("dialect")), dialects[0])
    quickstart = dialect.quickstart
    assert quickstart is not None
    rows = [row for row in await _credentials(visit, place) if row["dialect"] == dialect.number]
    if secret is not None and wanted not in {str(row["credential_id"]) for row in rows}:
        raise NotFoundHere  # another dialect's secret has no place in these programs
    chosen = next((row for row in rows if str(row["credential_id"]) == wanted), rows[0] if rows else None)
    senders = await visit.database.fetch("sender_list", place.account_id)
    apps = await visit.database.fetch("app_list", place.account_id)
    sender = next((row["sender"] for row in senders if row["is_default"]), None)
    number = normalise(visit.asked("number")) if visit.asked("number") else None
    values = {
        "url": visit.shared.api_url,
        "key": chosen["key"] if chosen else "",
        "secret": secret or MASK,
        "sender": sender or "",
        "app": apps[0]["app_id"] if apps else "",
        "number": number or NUMBER,
        "text": TEXT,
    }
    return visit.page(
        "quickstart.html",
        place=place,
        dialect=dialect.name,
        dialects=dialects,
        rows=rows,
        chosen=chosen,
        lacks_sender=quickstart.needs_sender and sender is None,
        lacks_app=quickstart.needs_app and not apps,
        snippets=visit.shared.snippets.fill(dialect, values),
        is_shown=secret is not None,
        tongue=visit.field("tongue") if visit.field("tongue") in {one.key for one in TONGUES} else TONGUES[0].key,
        number=values["number"],
    )


async def _credentials(visit: Visit, place: Place) -> list[Record]:
    """Those in use, the newest first."""
    rows = await visit.database.fetch("credential_list", place.account_id)
    return [row for row in reversed(rows) if row["revoked_at"] is None]


SECTION = Section(
    for_both("quickstart", show, reveal),
    (Entry("/quickstart", N_("Quickstart"), Group.SETUP, "code", CUSTOMERS),),
)
