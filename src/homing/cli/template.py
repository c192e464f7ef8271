"""`homing template`."""

import click

from homing.accounts import admin
from homing.accounts.warnings import template_warnings
from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.show import COUNT, PROSE, TIME, Column, Reply, Said, Table

TEMPLATES = (
    Column("template_id", "Id", COUNT),
    Column("name", "Name"),
    Column("body", "Body", PROSE),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=Noun)
def template() -> None:
    """Texts with variables that a customer may send.

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
@at_desk
async def add(desk: Desk, account: str, name: str, body: str) -> Reply:
    """Store a text.

    \b
    Example:  homing template add acme code "Your code is {V1}."
    """
    row = await desk.account(account)
    async with desk.database.transaction() as transaction:
        template_id = await admin.add_template(transaction, row["account_id"], name, body)
    return Said(
        f"Template {name} of {row['name']} is stored, with id {template_id}.",
        {"template_id": template_id, "name": name, "body": body},
        [*map(str, template_warnings(body))],
    )


@template.command("list")
@click.argument("account")
@at_desk
async def list_templates(desk: Desk, account: str) -> Reply:
    """An account's templates.

    \b
    Example:  homing template list acme
    """
    row = await desk.account(account)
    return Table(TEMPLATES, await desk.database.fetch("template_list", row["account_id"]), "No templates yet.")


@template.command("remove")
@click.argument("account")
@click.argument("name_or_id")
@at_desk
async def remove(desk: Desk, account: str, name_or_id: str) -> Reply:
    """Remove a template.

    \b
    Example:  homing template remove acme code
    """
    row = await desk.account(account)
    template_id = await admin.remove_template(desk.database, row["account_id"], name_or_id)
    return Said(f"Template {name_or_id} of {row['name']} is removed.", {"template_id": template_id})
