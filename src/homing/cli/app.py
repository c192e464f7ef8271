"""`homing app`."""

from collections.abc import Mapping
from typing import Final, Literal

import click
import msgspec

from homing.accounts.code_settings import send_limit_of
from homing.admin import account_settings, code_settings
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, SEND_LIMIT, WholeNumberType
from homing.cli.show import COUNT, MONEY, PROSE, TIME, YES, Column, ColumnKind, Confirmation, Reply, Table
from homing.model import SendLimit
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.admin import AppListRow

CodeLimit = SendLimit | Literal["none"]
EXPECTS: Final[Mapping[str, bool | None]] = {"yes": True, "no": False, "detect": None}


def limit_text(limit: SendLimit) -> str:
    """As it is entered: `5/hour`, `100/2days`."""
    return f"{limit.most}/{limit.unit}" if limit.period == 1 else f"{limit.most}/{limit.period}{limit.unit}s"


LIMIT: Final = ColumnKind(text=limit_text, json=msgspec.structs.asdict)
APPS = (
    Column("app_id", "App ID"),
    Column("name", "Name"),
    Column("report_url", "Receipt URL", PROSE),
    Column("inbound_url", "Inbound URL", PROSE),
    Column("expects", "Conversions", ColumnKind(json=lambda text: text.partition(":")[0])),
    Column("code_expiry_s", "Code expiry (s)", COUNT),
    Column("total_limit", "Codes", LIMIT),
    Column("number_limit", "Codes per number", LIMIT),
    Column("resend_messages", "Sent again if lost", COUNT),
    Column("resend_worth_micro", "Worth of a person", MONEY),
    Column("reports_conversions", kind=YES, programs_only=True),
    Column("sent", kind=COUNT, programs_only=True),
    Column("converted", kind=COUNT, programs_only=True),
    Column("created_at", "Created (UTC)", TIME),
)
report_option = click.option("--report-url", metavar="URL", help="URL for receipts (DLRs); '' for none.")
inbound_option = click.option("--inbound-url", metavar="URL", help="URL for inbound messages (MO); '' for none.")

expects_option = click.option(
    "--expects-conversions",
    type=click.Choice(list(EXPECTS)),
    help="Whether conversions are reported for its messages; detect: decided by the traffic.",
)


@click.group(cls=CommandGroup)
def app() -> None:
    """A customer's apps: where receipts and inbound messages are pushed.

    In some dialects every call names an app (appId); messages of the others belong to the account's first app.

    \b
    Example:  homing app create acme shop --report-url https://acme.example/sms/reports
    """


@app.command("create")
@click.argument("account")
@click.argument("name")
@click.option("--id", "app_id", help="The appId.  [default: generated]")
@report_option
@inbound_option
@in_context
async def create(
    context: CommandContext,
    account: str,
    name: str,
    app_id: str | None,
    report_url: str | None,
    inbound_url: str | None,
) -> Reply:
    """Create an app for an account.

    \b
    Example:  homing app create acme shop --report-url https://acme.example/sms/reports
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        app_id = await account_settings.create_app(
            transaction,
            row.account_id,
            name=name,
            app_id=app_id,
            report_url=report_url or None,
            inbound_url=inbound_url or None,
        )
    return Confirmation(
        f"App {name} of {row.name} created with ID {app_id}.",
        {"app_id": app_id, "name": name},
        context.push_warnings(report_url, inbound_url),
    )


@app.command("list")
@click.argument("account")
@in_context
async def list_apps(context: CommandContext, account: str) -> Reply:
    """List an account's apps.

    Conversions: whether the customer reports conversions for the app (yes, no), or, if that is not set, what the
    reports of today and yesterday show.

    \b
    Example:  homing app list acme
    """
    row = await context.account(account)
    rows = await statements.admin.app_list(context.database, account_id=row.account_id)
    return Table(APPS, [app_row(app) for app in rows], "No apps yet.")


def app_row(row: AppListRow) -> dict[str, object]:
    """A row of `app_list` with `expects`: what is set, and where the traffic decides, what it shows."""
    app = account_settings.shown_app(row)
    detected = {True: "detect: yes", False: "detect: no", None: "detect: not enough traffic"}[
        app["reports_conversions"]
    ]
    expected = {True: "yes", False: "no", None: detected}[row.expects_conversions]
    bounds = {name: send_limit_of(getattr(row, name)) for name in ("total_limit", "number_limit")}
    return {**app, **bounds, "expects": expected}


@app.command("set")
@click.argument("app_id")
@report_option
@inbound_option
@expects_option
@click.option(
    "--code-expiry",
    "code_expiry_s",
    metavar="SECONDS",
    type=WholeNumberType(*code_settings.EXPIRY_S),
    help="How long a verification code can be entered.",
)
@click.option("--total-limit", type=SEND_LIMIT, help="Codes that the app sends, such as 1000/day; or none.")
@click.option("--number-limit", type=SEND_LIMIT, help="Codes that it sends to one number, such as 5/hour; or none.")
@click.option(
    "--resend-messages",
    type=WholeNumberType(0, code_settings.RESEND_MESSAGES_MAX),
    help="How often a likely lost code goes out again, by another carrier and at the customer's price; 0: never.",
)
@click.option(
    "--resend-worth",
    "resend_worth_micro",
    type=AMOUNT,
    metavar="AMOUNT",
    help="What a converted person is worth: a code goes out again if that is likely to gain more than it costs.",
)
@in_context
async def change(
    context: CommandContext,
    app_id: str,
    *,
    expects_conversions: str | None,
    code_expiry_s: int | None,
    total_limit: CodeLimit | None,
    number_limit: CodeLimit | None,
    resend_messages: int | None,
    resend_worth_micro: int | None,
    **urls: str | None,
) -> Reply:
    """Change an app's addresses, code limits, conversion reports.

    A limit counts from the first code: 5/hour, 100/2days.

    \b
    Example:  homing app set 4luaKsL2 --report-url https://acme.example/sms/reports
              homing app set 4luaKsL2 --expects-conversions yes
              homing app set 4luaKsL2 --code-expiry 600 --number-limit 5/hour
              homing app set 4luaKsL2 --resend-messages 1 --resend-worth 0.50
    """
    changes: dict[str, str | bool | None] = {name: url or None for name, url in urls.items() if url is not None}
    if expects_conversions is not None:
        changes["expects_conversions"] = EXPECTS[expects_conversions]
    given = {
        "code_expiry_s": code_expiry_s,
        "total_limit": total_limit,
        "number_limit": number_limit,
        "resend_messages": resend_messages,
        "resend_worth_micro": resend_worth_micro,
    }
    codes = {name: None if value == "none" else value for name, value in given.items() if value is not None}
    if not changes and not codes:
        raise click.UsageError(
            "nothing to change: give --report-url, --inbound-url, --expects-conversions, --code-expiry, --total-limit,"
            " --number-limit, --resend-messages or --resend-worth"
        )
    async with context.database.transaction() as transaction:
        await account_settings.change_app(transaction, app_id, changes)
        if codes:
            await _change_codes(transaction, app_id, codes)
    return Confirmation(
        f"App {app_id} changed.", {"app_id": app_id, **changes, **codes}, context.push_warnings(*urls.values())
    )


async def _change_codes(connection: DatabaseConnection, app_id: str, changes: Mapping[str, object]) -> None:
    row = await statements.admin.app_find(connection, app_id=app_id)
    assert row is not None  # it was changed in this transaction, which keeps others out
    current = await code_settings.find_code_app(connection, row.account_id, app_id)
    assert current is not None
    changed = msgspec.structs.replace(current, **changes)
    await code_settings.change_code_app(
        connection,
        row.account_id,
        app_id,
        name=changed.name,
        code_expiry_s=changed.code_expiry_s,
        total_limit=changed.total_limit,
        number_limit=changed.number_limit,
        resend_messages=changed.resend_messages,
        resend_worth_micro=changed.resend_worth_micro,
    )
