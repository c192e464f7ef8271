"""An account at a glance: what it has, what it sent today, its money moved and its lock."""

from typing import Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.admin import account_settings
from homing.console import form_values
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.pages.statement import KINDS, LEDGER_ACCOUNTS
from homing.console.request_context import PageNotFound, RequestContext
from homing.ledger import postings
from homing.ledger.account_statement import effect, latest_manual_posting, read_statement
from homing.ledger.balances import lock_balance, read_balance
from homing.model import BindKind, LedgerAccount, PeriodGrain, UserRole
from homing.statistics.overview import read_overview
from homing.store import statements

POSTINGS_SHOWN: Final = 8
MOVES: Final = {
    "topup": N_("Top-up"),
    "gift": N_("Bonus (used before the balance)"),
    "adjust": N_("Balance adjustment"),
    "adjust_gift": N_("Bonus balance adjustment"),
}
BINDS: Final = {
    BindKind.TRANSMITTER: N_("transmitter"),
    BindKind.RECEIVER: N_("receiver"),
    BindKind.TRANSCEIVER: N_("transceiver"),
}


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    database, account_id, now = context.database, account_scope.account_id, context.now
    overview = await context.console_state.live.cache.get(
        ("account", account_id), lambda: read_overview(database, PeriodGrain.HOUR, 24, now, account_id)
    )
    latest = await latest_manual_posting(database, account_id)
    return context.page(
        "account.html",
        account_scope=account_scope,
        account=account_scope.account,
        account_balance=await read_balance(database, account_id),
        total=overview.total,
        postings=[
            {**msgspec.structs.asdict(posting), "effect": effect(posting)}
            for posting in await read_statement(database, account_id, POSTINGS_SHOWN)
        ],
        binds=await statements.binds.binds_list(database, account_id=account_id),
        kinds=KINDS,
        ledger_accounts=LEDGER_ACCOUNTS,
        moves=MOVES,
        bind_kinds=BINDS,
        version=context.version({"latest": latest}),
    )


async def change(context: RequestContext) -> Response:
    if context.user.role is not UserRole.OPERATOR:
        raise PageNotFound
    account_scope = await account_scope_of(context)
    match context.field("do"):
        case "move":
            return await _post(context, account_scope)
        case "lock":
            return await _lock(context, account_scope, context.field("lock_reason") or "by the operator")
        case "unlock":
            return await _lock(context, account_scope, None)
        case _:
            return await back(context)


async def _post(context: RequestContext, account_scope: AccountScope) -> Response:
    """Makes a posting once: a form that is sent again, or was shown before somebody else's posting, is stale."""
    micro, reason = form_values.amount(context, "amount"), context.field("reason")
    match context.field("kind"):
        case "topup":
            posting, reason = postings.top_up(micro), reason or "top-up"
        case "gift":
            posting, reason = postings.gift(micro), reason or "gift"
        case "adjust":
            posting = postings.adjustment(micro)
        case "adjust_gift":
            posting = postings.adjustment(micro, LedgerAccount.GIFT)
        case _:
            raise errors.InvalidInput(context.translate("Choose a transaction type."))
    async with context.changing() as transaction:
        await lock_balance(transaction, account_scope.account_id)
        context.check_version({"latest": await latest_manual_posting(transaction, account_scope.account_id)})
        await postings.post(
            transaction,
            account_scope.account_id,
            posting,
            context.user.name,
            reason,
            within_credit=not context.field("below_credit"),
        )
    return context.redirect(
        account_scope.path(), context.translate("{amount} posted.", amount=context.formats.exact(micro))
    )


async def _lock(context: RequestContext, account_scope: AccountScope, reason: str | None) -> Response:
    async with context.changing() as transaction:
        await account_settings.set_lock(transaction, account_scope.account_id, reason)
    notice = context.translate("Account locked.") if reason else context.translate("Account unlocked.")
    return context.redirect(account_scope.path(), notice)


SECTION = PageSection(
    for_both("", show, change), (NavigationEntry("/account", N_("Account"), NavigationGroup.SETUP, "money", CUSTOMERS),)
)
