"""`homing user`."""

import click

from homing import config, limits
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import TIME, YES, Column, Confirmation, Reply, Table, enum_kind
from homing.dialects.registry import DIALECTS
from homing.model import UserRole
from homing.store import statements
from homing.users import admin, second_factor
from homing.users.links import make_link

ROLES = click.Choice([role.name.lower() for role in UserRole])
USERS = (
    Column("name", "Name"),
    Column("role", "Role", enum_kind(UserRole)),
    Column("account", "Account"),
    Column("has_password", "Password", YES),
    Column("has_second_factor", "Two-factor", YES),
    Column("created_at", "Created (UTC)", TIME),
    Column("seen_at", "Last seen (UTC)", TIME),
    Column("disabled_at", "Disabled (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def user() -> None:
    """Console users and their roles.

    Operators have full access, support can view everything and resend pushes, customers see one account.

    \b
    Example:  homing user create ada --role operator
              homing user create shop@acme.example --role customer --account acme
    """


@user.command("create")
@click.argument("name")
@click.option("--role", type=ROLES, required=True, help="The role of the user.")
@click.option("--account", help="The customer's account (name or ID).")
@in_context
async def create(context: CommandContext, name: str, role: str, account: str | None) -> Reply:
    """Create a user, who sets a password with a one-time link.

    \b
    Example:  homing user create ada --role operator
    """
    account_id = None if account is None else (await context.account(account)).account_id
    async with context.database.transaction() as transaction:
        user_id = await admin.create_user(transaction, name, UserRole[role.upper()], account_id)
        token = await make_link(transaction, user_id)
    return _link(context, f"User {admin.as_name(name)} created", admin.as_name(name), token)


@user.command("list")
@in_context
async def list_users(context: CommandContext) -> Reply:
    """List all users.

    \b
    Example:  homing user list
    """
    return Table(
        USERS, await statements.users.user_list(context.database), "No users yet. Create one: homing user create NAME"
    )


@user.command("password")
@click.argument("name")
@click.option(
    "--forget-second-factor",
    is_flag=True,
    help="Also turn off two-factor authentication, for users who lost the authenticator app and the recovery codes.",
)
@in_context
async def password(context: CommandContext, name: str, forget_second_factor: bool) -> Reply:
    """Print a one-time link with which a user sets a new password. Earlier links become invalid.

    \b
    Example:  homing user password ada
    """
    user = await admin.find_user(context.database, name)
    async with context.database.transaction() as transaction:
        token = await make_link(transaction, user.user_id)
        if forget_second_factor:
            await second_factor.forget(transaction, user.user_id)
    return _link(context, f"Password link for {user.name} created", user.name, token)


@user.command("role")
@click.argument("name")
@click.option("--role", type=ROLES, required=True, help="The new role of the user.")
@click.option("--account", help="The customer's account (name or ID).")
@in_context
async def change_role(context: CommandContext, name: str, role: str, account: str | None) -> Reply:
    """Change the role of a user.

    \b
    Example:  homing user role ada --role support
    """
    user = await admin.find_user(context.database, name)
    account_id = None if account is None else (await context.account(account)).account_id
    async with context.database.transaction() as transaction:
        await admin.set_role(transaction, user.user_id, UserRole[role.upper()], account_id)
    return Confirmation(
        f"User {user.name} now has the role {role}.", {"name": user.name, "role": role, "account": account}
    )


@user.command("disable")
@click.argument("name")
@in_context
async def disable(context: CommandContext, name: str) -> Reply:
    """Disable a user; sessions end immediately.

    \b
    Example:  homing user disable ada
    """
    return await _switch(context, name, True)


@user.command("enable")
@click.argument("name")
@in_context
async def enable(context: CommandContext, name: str) -> Reply:
    """Enable a disabled user.

    \b
    Example:  homing user enable ada
    """
    return await _switch(context, name, False)


async def _switch(context: CommandContext, name: str, is_disabled: bool) -> Reply:
    user = await admin.find_user(context.database, name)
    async with context.database.transaction() as transaction:
        await admin.set_disabled(transaction, user.user_id, is_disabled)
    state = "disabled" if is_disabled else "enabled"
    return Confirmation(f"User {user.name} {state}.", {"name": user.name, "disabled": is_disabled})


def _link(context: CommandContext, text: str, name: str, token: str) -> Reply:
    url = f"{config.load(context.data, DIALECTS).console.base_url}/welcome/{token}"
    hours = round(limits.CONSOLE_LINK_S / 3600)
    return Confirmation(f"{text}. One-time link, valid for {hours} hours: {url}", {"name": name, "link": url})
