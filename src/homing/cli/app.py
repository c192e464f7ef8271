"""`homing app`."""

import click

from homing.accounts import admin
from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.show import PROSE, TIME, Column, Reply, Said, Table

APPS = (
    Column("app_id", "App id"),
    Column("name", "Name"),
    Column("report_url", "Reports to", PROSE),
    Column("inbound_url", "Replies to", PROSE),
    Column("created_at", "Made (UTC)", TIME),
)
report_option = click.option("--report-url", metavar="URL", help="Where delivery reports are pushed; '' for nowhere.")
inbound_option = click.option("--inbound-url", metavar="URL", help="Where people's replies are pushed; '' for nowhere.")


@click.group(cls=Noun)
def app() -> None:
    """A customer's SMS applications: where reports and replies are pushed.

    The laaffic dialect names one in every call (appId); messages of the lia dialect belong to the account's first.

    \b
    Example:  homing app create acme shop --report-url https://acme.example/sms/reports
    """


@app.command("create")
@click.argument("account")
@click.argument("name")
@click.option("--id", "app_id", help="The appId.  [default: a new one]")
@report_option
@inbound_option
@at_desk
async def create(
    desk: Desk, account: str, name: str, app_id: str | None, report_url: str | None, inbound_url: str | None
) -> Reply:
    """Make an app for an account.

    \b
    Example:  homing app create acme shop --report-url https://acme.example/sms/reports
    """
    row = await desk.account(account)
    async with desk.database.transaction() as transaction:
        app_id = await admin.create_app(
            transaction, row["account_id"], name, app_id, report_url or None, inbound_url or None
        )
    return Said(f"App {name} of {row['name']} is made, with id {app_id}.", {"app_id": app_id, "name": name})


@app.command("list")
@click.argument("account")
@at_desk
async def list_apps(desk: Desk, account: str) -> Reply:
    """An account's apps.

    \b
    Example:  homing app list acme
    """
    row = await desk.account(account)
    return Table(APPS, await desk.database.fetch("app_list", row["account_id"]), "No apps yet.")


@app.command("set")
@click.argument("app_id")
@report_option
@inbound_option
@at_desk
async def change(desk: Desk, app_id: str, **urls: str | None) -> Reply:
    """Change where an app's reports and replies are pushed.

    \b
    Example:  homing app set 4luaKsL2 --report-url https://acme.example/sms/reports
    """
    changes = {name: url or None for name, url in urls.items() if url is not None}
    if not changes:
        raise click.UsageError("nothing to change: name --report-url or --inbound-url")
    async with desk.database.transaction() as transaction:
        await admin.change_app(transaction, app_id, changes)
    return Said(f"App {app_id} is changed.", {"app_id": app_id, **changes})
