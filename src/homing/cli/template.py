"""`homing template`."""

import click

from homing.admin import account_settings
from homing.admin.setting_warnings import template_warnings
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import COUNT, PROSE, TIME, Column, Confirmation, Reply, Table
from homing.store import statements

TEMPLATES = (
    Column("template_id", "ID", COUNT),
    Column("name", "Name"),
    Column("body", "Text", PROSE),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def template() -> None:
    """A customer's message templates.

    {V1} to {V5} stand for what differs. A call may name one and its variables; where an account must use
    templates, every text it sends has to match one.

    \b
    Example:  homing template add acme code "Your code is {V1}."
              homing account set acme --templates-required
    """


@template.command("add")
@click.argument("account")
@click.argument("name")
@click.argument("body")
@in_context
async def add(context: CommandContext, account: str, name: str, body: str) -> Reply:
    """Add a template.

    \b
    Example:  homing template add acme code "Your code is {V1}."
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        template_id = await account_settings.add_template(transaction, row.account_id, name, body)
    return Confirmation(
        f"Template {name} of {row.name} added with ID {template_id}.",
        {"template_id": template_id, "name": name, "body": body},
        [*map(str, template_warnings(body))],
    )


@template.command("list")
@click.argument("account")
@in_context
async def list_templates(context: CommandContext, account: str) -> Reply:
    """List an account's templates.

    \b
    Example:  homing template list acme
    """
    row = await context.account(account)
    return Table(
        TEMPLATES,
        await statements.admin.template_list(context.database, account_id=row.account_id),
        "No templates yet.",
    )


@template.command("remove")
@click.argument("account")
@click.argument("name_or_id")
@in_context
async def remove(context: CommandContext, account: str, name_or_id: str) -> Reply:
    """Remove a template.

    \b
    Example:  homing template remove acme code
    """
    row = await context.account(account)
    template_id = await account_settings.remove_template(context.database, row.account_id, name_or_id)
    return Confirmation(f"Template {name_or_id} of {row.name} removed.", {"template_id": template_id})
