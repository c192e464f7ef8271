"""`homing topup` and `homing adjust`."""

import sys

import click

from homing import errors
from homing.audit import machine_user
from homing.cli.context import CommandContext, in_context
from homing.cli.parameters import AMOUNT, MINUS_IS_A_SIGN, author_option
from homing.cli.show import Confirmation, Reply
from homing.common.money import trimmed
from homing.ledger import postings
from homing.ledger.balances import read_balance
from homing.model import CURRENCY, LedgerAccount


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--gift", is_flag=True, help="Add to the bonus balance, which is used before the balance.")
@click.option("--reason", help="Shown on the statement.  [default: top-up or gift]")
@author_option
@in_context
async def topup(
    context: CommandContext, account: str, amount: int, gift: bool, reason: str | None, author: str | None
) -> Reply:
    """Add money to an account. AMOUNT is in USD, with up to six decimals.

    \b
    Example:  homing topup acme 200 --reason "invoice 2026-117"
              homing topup acme 5 --gift
    """
    posting = postings.gift(amount) if gift else postings.top_up(amount)
    return await _post(context, account, posting, author, reason or ("gift" if gift else "top-up"))


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--reason", required=True, help="Shown on the statement.")
@click.option("--gift", is_flag=True, help="Adjust the bonus balance instead of the balance.")
@click.option("--force", is_flag=True, help="Allow the balance to exceed the credit limit.")
@author_option
@in_context
async def adjust(
    context: CommandContext, account: str, amount: int, reason: str, gift: bool, force: bool, author: str | None
) -> Reply:
    """Adjust an account's balance by hand. AMOUNT is in USD; a negative amount is deducted.

    If that exceeds balance and credit limit, a terminal asks for confirmation; elsewhere it is refused without --force.

    \b
    Example:  homing adjust acme -1.5 --reason "paid twice by mistake"
    """
    posting = postings.adjustment(amount, LedgerAccount.GIFT if gift else LedgerAccount.BALANCE)
    try:
        return await _post(context, account, posting, author, reason, within_credit=not force)
    except postings.CreditLimitReached as error:
        if not (sys.stdin.isatty() and click.confirm(f"{str(error).capitalize()}. Post it anyway?", err=True)):
            raise errors.InvalidInput(f"{error}: add --force to post it anyway") from None
        return await _post(context, account, posting, author, reason)


async def _post(
    context: CommandContext,
    account: str,
    posting: postings.Posting,
    author: str | None,
    reason: str,
    *,
    within_credit: bool = False,
) -> Reply:
    row = await context.account(account)
    account_id = row.account_id
    async with context.database.transaction() as transaction:
        await postings.post(
            transaction, account_id, posting, author or machine_user(), reason, within_credit=within_credit
        )
        account_balance = await read_balance(transaction, account_id)
    balance, gift = trimmed(account_balance.balance_micro), trimmed(account_balance.gift_micro)
    return Confirmation(
        f"{posting.kind.name.capitalize()} of {trimmed(posting.amount_micro)} {CURRENCY} from"
        f" {posting.source.name.lower()} to {posting.destination.name.lower()}."
        f" {row.name} now has a balance of {balance} and a bonus balance of {gift}.",
        {
            "account_id": account_id,
            "kind": posting.kind.name.lower(),
            "source": posting.source.name.lower(),
            "destination": posting.destination.name.lower(),
            "amount": trimmed(posting.amount_micro),
            "balance": balance,
            "gift": gift,
        },
    )
