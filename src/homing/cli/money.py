"""`homing topup` and `homing adjust`."""

import sys

import click

from homing import errors
from homing.cli.desk import Desk, at_desk
from homing.cli.parameters import AMOUNT, MINUS_IS_A_SIGN, author_option
from homing.cli.show import Reply, Said
from homing.kit.money import trimmed
from homing.ledger import movements
from homing.model import CURRENCY, Book
from homing.users.audit import machine_user


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--gift", is_flag=True, help="Into the gift, which is spent first, instead of the balance.")
@click.option("--reason", help="Written into the ledger.  [default: top-up or gift]")
@author_option
@at_desk
async def topup(desk: Desk, account: str, amount: int, gift: bool, reason: str | None, author: str | None) -> Reply:
    """Add money to an account. AMOUNT is in USD, with up to six decimals.

    \b
    Example:  homing topup acme 200 --reason "invoice 2026-117"
              homing topup acme 5 --gift
    """
    movement = movements.gift(amount) if gift else movements.top_up(amount)
    return await _move(desk, account, movement, author, reason or ("gift" if gift else "top-up"))


@click.command(context_settings=MINUS_IS_A_SIGN)
@click.argument("account")
@click.argument("amount", type=AMOUNT)
@click.option("--reason", required=True, help="Written into the ledger.")
@click.option("--gift", is_flag=True, help="Correct the gift instead of the balance.")
@click.option("--force", is_flag=True, help="Also where the balance then lies below what the account's credit allows.")
@author_option
@at_desk
async def adjust(
    desk: Desk, account: str, amount: int, reason: str, gift: bool, force: bool, author: str | None
) -> Reply:
    """Correct an account's money by hand. AMOUNT is in USD; below zero it is taken away.

    Taking more than balance and credit hold asks first on a terminal, and is refused elsewhere without --force.

    \b
    Example:  homing adjust acme -1.5 --reason "paid twice by mistake"
    """
    movement = movements.adjustment(amount, Book.GIFT if gift else Book.BALANCE)
    try:
        return await _move(desk, account, movement, author, reason, within_credit=not force)
    except movements.BelowCredit as error:
        if not (sys.stdin.isatty() and click.confirm(f"{str(error).capitalize()}. Book it all the same?", err=True)):
            raise errors.OperatorError(f"{error}: add --force if that is meant") from None
        return await _move(desk, account, movement, author, reason)


async def _move(
    desk: Desk,
    account: str,
    movement: movements.Movement,
    author: str | None,
    reason: str,
    *,
    within_credit: bool = False,
) -> Reply:
    row = await desk.account(account)
    account_id = row["account_id"]
    async with desk.database.transaction() as transaction:
        await movements.move(
            transaction, account_id, movement, author or machine_user(), reason, within_credit=within_credit
        )
        purse = (await transaction.fetch("purses", [account_id]))[0]
    balance, gift = trimmed(purse["balance_micro"]), trimmed(purse["gift_micro"])
    return Said(
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
