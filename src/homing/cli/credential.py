"""`homing credential`."""

import click

from homing.admin import account_settings
from homing.cli import dialects
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import COUNT, TIME, Column, Confirmation, Detail, Reply, Table
from homing.dialects.registry import DIALECTS

CREDENTIALS = (
    Column("credential_id", "Id", COUNT),
    Column("dialect", "Dialect", dialects.NUMBER),
    Column("key", "Key"),
    Column("label", "Label"),
    Column("created_at", "Made (UTC)", TIME),
    Column("revoked_at", "Revoked (UTC)", TIME),
)
NEW_CREDENTIAL = (
    Column("credential_id", "Id", COUNT),
    Column("account", "Account"),
    Column("dialect", "Dialect", dialects.NUMBER),
    Column("key", "Key"),
    Column("secret", "Secret"),
)
SHOWN_ONCE = (
    "The secret is shown this once: Homing keeps it sealed and does not tell it again. If it is lost, create another"
    " credential and revoke this one."
)
KEYS = "; ".join(f"{dialect.name}: {dialect.credentials.key_name}" for dialect in DIALECTS)
SECRETS = "; ".join(f"{dialect.name}: {dialect.credentials.secret_name or 'the secret'}" for dialect in DIALECTS)


@click.group(cls=CommandGroup)
def credential() -> None:
    """The keys and secrets with which customers call the APIs.

    \b
    Example:  homing credential create acme --dialect smpp --label "web shop"
    """


@credential.command("create")
@click.argument("account")
@click.option(
    "--dialect", type=dialects.CHOICE, required=True, help="The API it is for. Those of the others bind over SMPP too."
)
@click.option("--key", help=f"{KEYS}.  [default: a new one]")
@click.option("--secret", help=f"{SECRETS}.  [default: a new one]")
@click.option(
    "--short-secret", is_flag=True, help="The secret is in use elsewhere, and stays though it can be guessed."
)
@click.option("--label", default="", help="A word for people, to tell credentials apart.")
@in_context
async def create(
    context: CommandContext,
    account: str,
    dialect: str,
    key: str | None,
    secret: str | None,
    short_secret: bool,
    label: str,
) -> Reply:
    """Make a key and its secret, and show the secret, once.

    A secret of your own has 16 characters or more (SMPP: 8): shorter ones can be guessed. One that customers have in
    use already needs --short-secret.

    \b
    Example:  homing credential create acme --dialect smpp
    """
    row = await context.account(account)
    vault = await context.vault()
    async with context.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction,
            vault,
            row["account_id"],
            DIALECTS.named(dialect),
            key,
            secret,
            label,
            may_be_short=short_secret,
        )
    values = {
        "credential_id": made.credential_id,
        "account": row["name"],
        "dialect": made.dialect.number,
        "key": made.key,
        "secret": made.secret,
    }
    return Detail(NEW_CREDENTIAL, values, note=SHOWN_ONCE)


@credential.command("list")
@click.argument("account")
@in_context
async def list_credentials(context: CommandContext, account: str) -> Reply:
    """An account's credentials, without their secrets; revoked ones too.

    \b
    Example:  homing credential list acme
    """
    row = await context.account(account)
    return Table(CREDENTIALS, await context.database.fetch("credential_list", row["account_id"]), "No credentials yet.")


@credential.command("revoke")
@click.argument("key_or_id")
@click.option("--dialect", type=dialects.CHOICE, help="Take the word for a key of this dialect.")
@in_context
async def revoke(context: CommandContext, key_or_id: str, dialect: str | None) -> Reply:
    """End a credential: calls with it are refused from now on.

    \b
    Example:  homing credential revoke API4623444906
    """
    number = None if dialect is None else DIALECTS.named(dialect).number
    async with context.database.transaction() as transaction:
        row = await account_settings.revoke_credential(transaction, DIALECTS, key_or_id, number)
    name = DIALECTS.name_of(row["dialect"])
    return Confirmation(
        f"Credential {row['credential_id']} ({name} {row['key']}) is revoked.",
        {"credential_id": row["credential_id"], "dialect": name, "key": row["key"], "revoked": True},
    )
