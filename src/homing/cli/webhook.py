"""`homing webhook`."""

from datetime import UTC, datetime, timedelta
from typing import Final

import click

from homing.admin.signing_secrets import (
    OVERLAP_DEFAULT,
    OVERLAP_MAX,
    SigningSecret,
    read_signing_secrets,
    record_shown,
    revoke_older_secret,
    rotate_signing_secret,
)
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import WholeNumberType
from homing.cli.show import COUNT, TIME, Column, Confirmation, Detail, Reply, Table
from homing.cli.webhook_endpoints import ENDPOINT_COMMANDS
from homing.model import GENERAL

SECRETS = (
    Column("secret_id", "ID", COUNT),
    Column("secret", "Secret"),
    Column("created_at", "Created (UTC)", TIME),
    Column("expires_at", "Valid until (UTC)", TIME),
)
NEW_SECRET = (
    Column("account", "Account"),
    Column("secret", "Secret"),
    Column("previous_until", "Previous secret valid until (UTC)", TIME),
)
HOURS_MAX: Final = int(OVERLAP_MAX / timedelta(hours=1))
HOURS_DEFAULT: Final = int(OVERLAP_DEFAULT / timedelta(hours=1))
OPERATOR: Final = "(operator's alerts)"
account_argument: Final = click.argument("account", required=False)


@click.group(cls=CommandGroup)
def webhook() -> None:
    """Webhook endpoints of accounts, and the secrets that sign pushes.

    An endpoint is an address that an account's events are pushed to. Accounts make them by the API, in the console, or
    here.

    \b
    Example:  homing webhook add acme https://example.com/homing --type message.delivered
              homing webhook list acme
              homing webhook secret show acme
    """


for command in ENDPOINT_COMMANDS:
    webhook.add_command(command)


@webhook.group("secret", cls=CommandGroup)
def secret() -> None:
    """The secret that signs an account's pushes (Standard Webhooks).

    Without ACCOUNT: the one that signs the alerts of all accounts, which the operator receives.

    \b
    Example:  homing webhook secret show acme
              homing webhook secret rotate acme --keep-hours 48
    """


@secret.command("show")
@account_argument
@in_context
async def show(context: CommandContext, account: str | None) -> Reply:
    """Show the secrets that sign an account's pushes now.

    The first line is the current secret; it is made when it is first needed. A second one is the previous secret, valid
    until its end. Showing them is recorded in the audit log.

    \b
    Example:  homing webhook secret show acme
    """
    account_id = await context.scope(account)
    secrets = await read_signing_secrets(context.database, await context.vault(), [account_id])
    async with context.database.transaction() as transaction:
        await record_shown(transaction, account_id)
    return Table(SECRETS, [_shown(each) for each in secrets[account_id]])


@secret.command("rotate")
@account_argument
@click.option(
    "--keep-hours",
    type=WholeNumberType(0, HOURS_MAX),
    default=HOURS_DEFAULT,
    show_default=True,
    help="Hours for which the previous secret signs as well; 0: it ends now.",
)
@click.option("--secret", "own", help="A secret of your own, whsec_ and base64.  [default: generated]")
@in_context
async def rotate(context: CommandContext, account: str | None, keep_hours: int, own: str | None) -> Reply:
    """Replace an account's signing secret.

    Pushes carry two signatures, of the new secret and of the previous one, until the previous one ends. A receiver
    that knows either accepts them.

    \b
    Example:  homing webhook secret rotate acme
    """
    account_id = await context.scope(account)
    now = datetime.now(UTC)
    overlap = timedelta(hours=keep_hours)
    vault = await context.vault()
    async with context.database.transaction() as transaction:
        new = await rotate_signing_secret(transaction, vault, account_id, now=now, overlap=overlap, secret=own)
    name = OPERATOR if account_id == GENERAL else (await context.account(str(account))).name
    values = {"account": name, "secret": new, "previous_until": now + overlap if keep_hours else None}
    return Detail(NEW_SECRET, values)


@secret.command("revoke")
@account_argument
@in_context
async def revoke(context: CommandContext, account: str | None) -> Reply:
    """End the previous signing secret before its time.

    The current secret is ended by `homing webhook secret rotate --keep-hours 0`.

    \b
    Example:  homing webhook secret revoke acme
    """
    account_id = await context.scope(account)
    async with context.database.transaction() as transaction:
        await revoke_older_secret(transaction, account_id, datetime.now(UTC))
    return Confirmation("The previous signing secret has ended.", {"account_id": account_id, "revoked": True})


def _shown(each: SigningSecret) -> dict[str, object]:
    return {
        "secret_id": each.secret_id,
        "secret": each.secret or "(sealed with another key: rotate it)",
        "created_at": each.created_at,
        "expires_at": each.expires_at,
    }
