"""`homing ledger`."""

import click
import msgspec

from homing.cli.account import BALANCE
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.exit_status import status_of
from homing.cli.parameters import limit_option
from homing.cli.show import COUNT, MONEY, PROSE, TIME, YES, Column, Detail, Reply, Table, enum_kind
from homing.ledger.account_statement import read_statement
from homing.ledger.balances import read_balance
from homing.ledger.proof import prove as prove_ledger
from homing.model import LedgerAccount, PostingKind
from homing.store.statements.ledger import PostingRow

POSTINGS = (
    Column("posting_id", programs_only=True),
    Column("at", "Time (UTC)", TIME),
    Column("kind", "Kind", enum_kind(PostingKind)),
    Column("source", "From", enum_kind(LedgerAccount)),
    Column("destination", "To", enum_kind(LedgerAccount)),
    Column("amount_micro", "Amount", MONEY),
    Column("about", "Details", PROSE),
    Column("submission_id", programs_only=True),
    Column("message_id", programs_only=True),
    Column("author", programs_only=True),
    Column("reason", programs_only=True),
)
PROOF = (
    Column("accounts", "Accounts", COUNT),
    Column("postings", "Postings", COUNT),
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
    """Ledger postings, and the proof that they add up.

    Double entry: each posting moves an amount from one ledger account to another. A customer has a balance and a bonus
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
    """Show an account's balances and its postings, newest first.

    \b
    Example:  homing ledger show acme --limit 10
    """
    row = await context.account(account)
    account_balance = await read_balance(context.database, row.account_id)
    postings = await read_statement(context.database, row.account_id, limit)
    visible = [{**msgspec.structs.asdict(posting), "about": _about(posting)} for posting in postings]
    columns = (Column("account_id", programs_only=True), Column("name", "Account"), *BALANCE)
    values = {"account_id": row.account_id, "name": row.name, **msgspec.structs.asdict(account_balance)}
    return Detail(columns, values, {"postings": Table(POSTINGS, visible)})


def _about(posting: PostingRow) -> str:
    if posting.submission_id is not None:
        return f"submission {posting.submission_id}"
    if posting.message_id is not None:
        return f"message {posting.message_id}"
    return f"{posting.reason} (by {posting.author})"


@ledger.command("prove")
@click.argument("account", required=False)
@in_context
async def prove(context: CommandContext, account: str | None) -> Reply:
    """Recompute every balance, charge and refund, and compare.

    Balances are recomputed from the postings, charges and refunds from the messages. Any difference, down to one
    micro-unit (0.000001), is listed, and the exit status is 3.

    \b
    Example:  homing ledger prove
              homing ledger prove acme
    """
    account_id = None if account is None else (await context.account(account)).account_id
    proof = await prove_ledger(context.database, account_id)
    counts = {"accounts": proof.accounts, "postings": proof.postings, "messages": proof.messages, "holds": proof.holds}
    differences = [
        {
            "account_id": difference.account_id,
            "what": difference.what,
            "recorded_micro": difference.recorded,
            "computed_micro": difference.computed,
            "difference_micro": difference.recorded - difference.computed,
        }
        for difference in proof.differences
    ]
    return Detail(PROOF, counts, {"differences": Table(DIFFERENCES, differences)}, status=status_of(proof.holds))
