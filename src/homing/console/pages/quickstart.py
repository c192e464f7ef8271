"""The first message: programs of the dialects with the account's own key in them. A secret is masked until somebody
who may know it asks for it; that is a form, never an address, and it is recorded.
"""

from typing import Final

from starlette.responses import Response

from homing.audit import record
from homing.console.account_scope import AccountScope, account_scope_of, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.store import statements
from homing.store.statements.admin import CredentialRow
from homing.text.numbers import normalise

MASK: Final = "********"
NUMBER: Final = "8613800130001"
"""The demo's carriers deliver to it at once; elsewhere one's own is put in its place."""
TEXT: Final = "Your code is 123456"


async def show(context: RequestContext) -> Response:
    return await _show(context, await account_scope_of(context), context.query_value("credential"), None)


async def reveal(context: RequestContext) -> Response:
    """Raises `PageNotFound` for a credential that is not the account's, or not in use."""
    account_scope = await account_scope_of(context)
    row = next(
        (
            row
            for row in await _credentials(context, account_scope)
            if str(row.credential_id) == context.field("key_id")
        ),
        None,
    )
    if row is None:
        raise PageNotFound
    async with context.changing() as transaction:
        await record(transaction, "credential", "show_secret", row.key, account_id=account_scope.account_id)
        sealed = await statements.account_pages.credential_sealed(
            transaction, account_id=account_scope.account_id, credential_id=row.credential_id
        )
    if sealed is None:
        raise PageNotFound
    try:
        secret = context.console_state.vault.open(sealed)
    except ValueError:
        context.error = context.translate(
            "This secret was encrypted with a different key and cannot be displayed. Create a new credential."
        )
        secret = None
    return await _show(context, account_scope, context.field("key_id"), secret)


async def _show(
    context: RequestContext, account_scope: AccountScope, credential_id: str, secret: str | None
) -> Response:
    """`credential_id`: empty for the newest of the dialect. `secret` is that credential's."""
    dialects = [each for each in context.console_state.dialects if each.quickstart is not None]
    dialect = next((each for each in dialects if each.name == context.query_value("dialect")), dialects[0])
    quickstart = dialect.quickstart
    assert quickstart is not None
    rows = [row for row in await _credentials(context, account_scope) if row.dialect == dialect.number]
    if secret is not None and credential_id not in {str(row.credential_id) for row in rows}:
        raise PageNotFound  # another dialect's secret has no place in these programs
    chosen = next((row for row in rows if str(row.credential_id) == credential_id), rows[0] if rows else None)
    senders = await statements.admin.sender_list(context.database, account_id=account_scope.account_id)
    apps = await statements.admin.app_list(context.database, account_id=account_scope.account_id)
    sender = next((row.sender for row in senders if row.is_default), None)
    number = normalise(context.query_value("number")) if context.query_value("number") else None
    values = {
        "url": context.console_state.api_url,
        "key": chosen.key if chosen else "",
        "secret": secret or MASK,
        "sender": sender or "",
        "app": apps[0].app_id if apps else "",
        "number": number or NUMBER,
        "text": TEXT,
    }
    snippets = context.console_state.snippets.fill(dialect, values)
    languages = [snippet.language.key for snippet in snippets]
    chosen_language = context.field("tongue")
    return context.page(
        "quickstart.html",
        account_scope=account_scope,
        dialect=dialect.name,
        dialects=dialects,
        rows=rows,
        chosen=chosen,
        lacks_sender=quickstart.needs_sender and sender is None,
        lacks_app=quickstart.needs_app and not apps,
        snippets=snippets,
        is_shown=secret is not None,
        language=chosen_language if chosen_language in languages else languages[0],
        description_url=quickstart.description_path and context.console_state.api_url + quickstart.description_path,
        number=values["number"],
    )


async def _credentials(context: RequestContext, account_scope: AccountScope) -> list[CredentialRow]:
    """Those in use, the newest first."""
    rows = await statements.admin.credential_list(context.database, account_id=account_scope.account_id)
    return [row for row in reversed(rows) if row.revoked_at is None]


SECTION = PageSection(
    for_both("quickstart", show, reveal),
    (NavigationEntry("/quickstart", N_("Quickstart"), NavigationGroup.SETUP, "code", CUSTOMERS),),
)
