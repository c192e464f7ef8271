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
from homing.model import CURRENCY, LedgerAccount


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--gift", is_flag=True, help="Into the gift, which is spent first, instead of the balance.")
@click.option("--reason", help="Written into the ledger.  [default: top-up or gift]")
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
    movement = postings.gift(amount) if gift else postings.top_up(amount)
    return await _move(context, account, movement, author, reason or ("gift" if gift else "top-up"))


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--reason", required=True, help="Written into the ledger.")
@click.option("--gift", is_flag=True, help="Correct the gift instead of the balance.")
@click.option("--force", is_flag=True, help="Also where the balance then lies below what the account's credit allows.")
@author_option
@in_context
async def adjust(
    context: CommandContext, account: str, amount: int, reason: str, gift: bool, force: bool, author: str | None
) -> Reply:
    """Correct an account's money by hand. AMOUNT is in USD; below zero it is taken away.

    Taking more than balance and credit hold asks first on a terminal, and is refused elsewhere without --force.

    \b
    Example:  homing adjust acme -1.5 --reason "paid twice by mistake"
    """
    movement = postings.adjustment(amount, LedgerAccount.GIFT if gift else LedgerAccount.BALANCE)
    try:
        return await _move(context, account, movement, author, reason, within_credit=not force)
    except postings.CreditLimitReached as error:
        if not (sys.stdin.isatty() and click.confirm(f"{str(error).capitalize()}. Book it all the same?", err=True)):
            raise errors.InvalidInput(f"{error}: add --force if that is meant") from None
        return await _move(context, account, movement, author, reason)


async def _move(
    context: CommandContext,
    account: str,
    movement: postings.Posting,
    author: str | None,
    reason: str,
    *,
    within_credit: bool = False,
) -> Reply:
    row = await context.account(account)
    account_id = row["account_id"]
    async with context.database.transaction() as transaction:
        await postings.post(
            transaction, account_id, movement, author or machine_user(), reason, within_credit=within_credit
        )
        account_balance = (await transaction.fetch("purses", [account_id]))[0]
    balance, gift = trimmed(account_balance["balance_micro"]), trimmed(account_balance["gift_micro"])
    return Confirmation(
        f"{movement.kind.name.capitalize()} of {trimmed(movement.amount_micro)} {CURRENCY} from"
        f" {movement.from_book.name.lower()} to {movement.to_book.name.lower()}."
        f" {row['name']} has a balance of {balance} and a gift of {gift}.",
        {
            "account_id": account_id,
            "kind": movement.kind.name.lower(),
            "from_book": movement.from_book.name.lower(),
            "to_book": movement.to_book.name.lower(),
            "amount": trimmed(movement.amount_micro),
            "balance": balance,
            "gift": gift,
        },
    )
