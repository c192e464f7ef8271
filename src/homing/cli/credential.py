"""`homing credential`."""

import click

from homing.admin import account_settings
from homing.cli import dialects
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import COUNT, TIME, Column, ColumnKind, Confirmation, Detail, Reply, Table
from homing.dialects.registry import DIALECTS
from homing.store import statements

SCOPES = ColumnKind(text=" ".join, absent="all")
CREDENTIALS = (
    Column("credential_id", "ID", COUNT),
    Column("dialect", "Dialect", dialects.NUMBER),
    Column("key", "Key"),
    Column("label", "Label"),
    Column("scopes", "Scopes", SCOPES),
    Column("created_at", "Created (UTC)", TIME),
    Column("last_used_at", "Last used (UTC)", TIME),
    Column("revoked_at", "Revoked (UTC)", TIME),
)
NEW_CREDENTIAL = (
    Column("credential_id", "ID", COUNT),
    Column("account", "Account"),
    Column("dialect", "Dialect", dialects.NUMBER),
    Column("key", "Key"),
    Column("secret", "Secret"),
)
SHOWN_ONCE = (
    "The secret is shown only once; Homing stores it encrypted. If you lose it, create a new credential and revoke"
    " this one."
)
FORMATS = DIALECTS.credential_formats
KEYS = "; ".join(f"{dialect.name}: {credentials.key_name}" for dialect, credentials in FORMATS)
BINDING = ", ".join(dialect.name for dialect, credentials in FORMATS if credentials.may_bind)
SCOPE_NAMES = "; ".join(
    f"{dialect.name}: {', '.join(credentials.scopes)}" for dialect, credentials in FORMATS if credentials.scopes
)
SECRETS = "; ".join(f"{dialect.name}: {credentials.secret_name or 'the secret'}" for dialect, credentials in FORMATS)


@click.group(cls=CommandGroup)
def credential() -> None:
    """API keys and secrets of customers.

    \b
    Example:  homing credential create acme --dialect smpp --label "web shop"
    """


@credential.command("create")
@click.argument("account")
@click.option(
    "--dialect",
    type=dialects.CHOICE,
    required=True,
    help=f"The API dialect. Over SMPP bind those of: {BINDING}.",
)
@click.option("--key", help=f"{KEYS}.  [default: generated]")
@click.option("--secret", help=f"{SECRETS}.  [default: generated]")
@click.option("--short-secret", is_flag=True, help="Accept a short secret because it is already in use.")
@click.option("--label", default="", help="A note to tell credentials apart.")
@click.option("--scope", "scopes", multiple=True, help=f"{SCOPE_NAMES}.  Repeatable.  [default: all]")
@in_context
async def create(
    context: CommandContext,
    account: str,
    dialect: str,
    key: str | None,
    secret: str | None,
    short_secret: bool,
    label: str,
    scopes: tuple[str, ...],
) -> Reply:
    """Create a credential and show its secret once.

    Your own secret needs at least 16 characters (SMPP: 8), because shorter ones can be guessed. For a shorter secret
    that is already in use, add --short-secret.

    \b
    Example:  homing credential create acme --dialect smpp
    """
    row = await context.account(account)
    vault = await context.vault()
    async with context.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction,
            vault,
            row.account_id,
            DIALECTS.named(dialect),
            key=key,
            secret=secret,
            label=label,
            may_be_short=short_secret,
            scopes=scopes,
        )
    values = {
        "credential_id": made.credential_id,
        "account": row.name,
        "dialect": made.dialect.number,
        "key": made.key,
        "secret": made.secret,
    }
    columns: tuple[Column, ...] = NEW_CREDENTIAL
    if made.token:
        values["token"] = made.token
        columns = (*NEW_CREDENTIAL, Column("token", "Token"))
    return Detail(columns, values, note=SHOWN_ONCE)


@credential.command("list")
@click.argument("account")
@in_context
async def list_credentials(context: CommandContext, account: str) -> Reply:
    """List an account's credentials, without secrets.

    \b
    Example:  homing credential list acme
    """
    row = await context.account(account)
    return Table(
        CREDENTIALS,
        await statements.admin.credential_list(context.database, account_id=row.account_id),
        "No credentials yet.",
    )


@credential.command("revoke")
@click.argument("key_or_id")
@click.option("--dialect", type=dialects.CHOICE, help="The dialect of the key.")
@in_context
async def revoke(context: CommandContext, key_or_id: str, dialect: str | None) -> Reply:
    """Revoke a credential: calls with it are rejected from now on.

    \b
    Example:  homing credential revoke API4623444906
    """
    number = None if dialect is None else DIALECTS.named(dialect).number
    async with context.database.transaction() as transaction:
        row = await account_settings.revoke_credential(transaction, DIALECTS, key_or_id, number)
    name = DIALECTS.name_of(row.dialect)
    return Confirmation(
        f"Credential {row.credential_id} ({name} {row.key}) revoked.",
        {"credential_id": row.credential_id, "dialect": name, "key": row.key, "revoked": True},
    )
