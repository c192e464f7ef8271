"""`homing ledger`."""

import click
import msgspec

from homing.cli.account import PURSE
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import limit_option
from homing.cli.show import COUNT, MONEY, PROSE, TIME, YES, Column, Detail, Reply, Table, named
from homing.ledger.proof import prove as prove_ledger
from homing.ledger.statement import read_statement
from homing.model import LedgerAccount, PostingKind
from homing.store import statements
from homing.store.statements.ledger import EntryRow

ENTRIES = (
    Column("entry_id", programs_only=True),
    Column("at", "Time (UTC)", TIME),
    Column("kind", "Kind", named(PostingKind)),
    Column("from_book", "From", named(LedgerAccount)),
    Column("to_book", "To", named(LedgerAccount)),
    Column("amount_micro", "Amount", MONEY),
    Column("about", "Details", PROSE),
    Column("submission_id", programs_only=True),
    Column("message_id", programs_only=True),
    Column("author", programs_only=True),
    Column("reason", programs_only=True),
)
PROOF = (
    Column("accounts", "Accounts", COUNT),
    Column("entries", "Entries", COUNT),
    Column("messages", "Messages", COUNT),
    Column("holds", "Adds up", YES),
)
DIFFERENCES = (
    Column("account_id", "Account", COUNT),
    Column("what", "What", PROSE),
    Column("recorded_micro", "Recorded", MONEY),
    Column("computed_micro", "Computed", MONEY),
    Column("difference_micro", "Difference", MONEY),
)


@click.group(cls=CommandGroup)
def ledger() -> None:
    """Ledger entries, and the proof that they add up.

    Double entry: each entry moves an amount from one ledger account to another. A customer has a balance and a bonus
    balance (gift); sales, funding, promotion and adjustment are the counterparts.

    \b
    Example:  homing ledger show acme
              homing ledger prove
    """


@ledger.command("show")
@click.argument("account")
@limit_option
@in_context
async def show(context: CommandContext, account: str, limit: int) -> Reply:
    """Show an account's balances and its entries, newest first.

    \b
    Example:  homing ledger show acme --limit 10
    """
    row = await context.account(account)
    account_balance = (await statements.ledger.balances_of(context.database, account_ids=[row.account_id]))[0]
    entries = await read_statement(context.database, row.account_id, limit)
    shown = [{**msgspec.structs.asdict(entry), "about": _about(entry)} for entry in entries]
    columns = (Column("account_id", programs_only=True), Column("name", "Account"), *PURSE)
    return Detail(
        columns, {"name": row.name, **msgspec.structs.asdict(account_balance)}, {"entries": Table(ENTRIES, shown)}
    )


def _about(entry: EntryRow) -> str:
    if entry.submission_id is not None:
        return f"submission {entry.submission_id}"
    if entry.message_id is not None:
        return f"message {entry.message_id}"
    return f"{entry.reason} (by {entry.author})"


@ledger.command("prove")
@click.argument("account", required=False)
@in_context
async def prove(context: CommandContext, account: str | None) -> Reply:
    """Recompute every balance, charge and refund, and compare.

    Balances are recomputed from the entries, charges and refunds from the messages. Any difference, down to one
    micro-unit (0.000001), is listed, and the exit status is 1.

    \b
    Example:  homing ledger prove
              homing ledger prove acme
    """
    account_id = None if account is None else (await context.account(account)).account_id
    proof = await prove_ledger(context.database, account_id)
    counted = {"accounts": proof.accounts, "entries": proof.entries, "messages": proof.messages, "holds": proof.holds}
    differences = [
        {
            "account_id": one.account_id,
            "what": one.what,
            "recorded_micro": one.recorded,
            "computed_micro": one.computed,
            "difference_micro": one.recorded - one.computed,
        }
        for one in proof.differences
    ]
    return Detail(PROOF, counted, {"differences": Table(DIFFERENCES, differences)}, failed=not proof.holds)
