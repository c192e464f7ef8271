"""The first message: programs of the dialects with the account's own key in them. A secret is masked until somebody
who may know it asks for it; that is a form, never an address, and it is recorded.
"""

from typing import Final

from starlette.responses import Response

from homing.audit import record
from homing.console.account_scope import AccountScope, account_scope_of, for_both
from homing.console.languages import N_
from homing.console.page import CUSTOMERS, NavigationEntry, NavigationGroup, PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.snippets import TONGUES
from homing.store import statements
from homing.store.statements.admin import CredentialRow
from homing.text.numbers import normalise

MASK: Final = "********"
NUMBER: Final = "8613800130001"
"""The demo's carriers deliver to it at once; elsewhere one's own is put in its place."""
TEXT: Final = "Your code is 123456"


async def show(context: RequestContext) -> Response:
    return await _show(context, await account_scope_of(context), context.asked("credential"), None)


async def reveal(context: RequestContext) -> Response:
    """Raises `PageNotFound` for a credential that is not the account's, or not in use."""
    place = await account_scope_of(context)
    row = next(
        (one for one in await _credentials(context, place) if str(one.credential_id) == context.field("key_id")), None
    )
    if row is None:
        raise PageNotFound
    async with context.changing() as transaction:
        await record(transaction, "credential", "show_secret", row.key, account_id=place.account_id)
        sealed = await statements.account_pages.credential_sealed(
            transaction, account_id=place.account_id, credential_id=row.credential_id
        )
    if sealed is None:
        raise PageNotFound
    try:
        secret = context.shared.vault.open(sealed)
    except ValueError:
        context.trouble = context.say(
            "This secret was encrypted with a different key and cannot be displayed. Create a new credential."
        )
        secret = None
    return await _show(context, place, context.field("key_id"), secret)


async def _show(context: RequestContext, place: AccountScope, wanted: str, secret: str | None) -> Response:
    """`wanted`: a credential's id; else the newest of the dialect is taken. `secret` is that credential's."""
    dialects = [each for each in context.shared.dialects if each.quickstart is not None]
    dialect = next((each for each in dialects if each.name == context.asked("dialect")), dialects[0])
    quickstart = dialect.quickstart
    assert quickstart is not None
    rows = [row for row in await _credentials(context, place) if row.dialect == dialect.number]
    if secret is not None and wanted not in {str(row.credential_id) for row in rows}:
        raise PageNotFound  # another dialect's secret has no place in these programs
    chosen = next((row for row in rows if str(row.credential_id) == wanted), rows[0] if rows else None)
    senders = await statements.admin.sender_list(context.database, account_id=place.account_id)
    apps = await statements.admin.app_list(context.database, account_id=place.account_id)
    sender = next((row.sender for row in senders if row.is_default), None)
    number = normalise(context.asked("number")) if context.asked("number") else None
    values = {
        "url": context.shared.api_url,
        "key": chosen.key if chosen else "",
        "secret": secret or MASK,
        "sender": sender or "",
        "app": apps[0].app_id if apps else "",
        "number": number or NUMBER,
        "text": TEXT,
    }
    return context.page(
        "quickstart.html",
        place=place,
        dialect=dialect.name,
        dialects=dialects,
        rows=rows,
        chosen=chosen,
        lacks_sender=quickstart.needs_sender and sender is None,
        lacks_app=quickstart.needs_app and not apps,
        snippets=context.shared.snippets.fill(dialect, values),
        is_shown=secret is not None,
        tongue=context.field("tongue") if context.field("tongue") in {one.key for one in TONGUES} else TONGUES[0].key,
        number=values["number"],
    )


async def _credentials(context: RequestContext, place: AccountScope) -> list[CredentialRow]:
    """Those in use, the newest first."""
    rows = await statements.admin.credential_list(context.database, account_id=place.account_id)
    return [row for row in reversed(rows) if row.revoked_at is None]


SECTION = PageSection(
    for_both("quickstart", show, reveal),
    (NavigationEntry("/quickstart", N_("Quickstart"), NavigationGroup.SETUP, "code", CUSTOMERS),),
)
