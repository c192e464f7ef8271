"""The commands of `homing webhook` that are about an account's endpoints."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import msgspec

from homing import config, errors
from homing.admin.signing_secrets import OVERLAP_DEFAULT, OVERLAP_MAX
from homing.admin.webhooks import (
    EVENT_TYPES,
    change_webhook,
    create_webhook,
    missing,
    remove_webhook,
    rotate_webhook_secret,
)
from homing.cli.context import CommandContext, in_context
from homing.cli.exit_status import status_of
from homing.cli.parameters import MOMENT, ROW_ID, WholeNumberType, limit_option
from homing.cli.show import COUNT, LIST, PROSE, TIME, URL, YES, Column, Confirmation, Detail, Reply, Table, enum_kind
from homing.delivery.endpoints import replay_event, replay_events, try_endpoint
from homing.delivery.safe_http import SafeHttpClient
from homing.dialects.base import Dialect
from homing.dialects.registry import DIALECTS
from homing.model import EVENT_PREFIX, PushOutcome
from homing.store import statements
from homing.store.statements.webhooks import WebhookRow

HOURS_MAX: Final = int(OVERLAP_MAX / timedelta(hours=1))
HOURS_DEFAULT: Final = int(OVERLAP_DEFAULT / timedelta(hours=1))
LISTED_MAX: Final = 10_000
ENDPOINTS: Final = (
    Column("webhook_id", "Endpoint", COUNT),
    Column("account_id", programs_only=True),
    Column("account", "Account"),
    Column("url", "URL", URL),
    Column("types", "Events", LIST),
    Column("description", "Description", PROSE),
    Column("is_enabled", "Enabled", YES),
    Column("failing_since", "Failing since (UTC)", TIME),
    Column("created_at", programs_only=True),
    Column("disabled_at", programs_only=True),
    Column("disabled_for_failures", programs_only=True),
)
NEW_ENDPOINT: Final = (*ENDPOINTS, Column("secret", "Secret"))
NEW_SECRET: Final = (
    Column("webhook_id", "Endpoint", COUNT),
    Column("secret", "Secret"),
    Column("previous_until", "Previous secret valid until (UTC)", TIME),
)
TRIAL: Final = (
    Column("event_id", "Event"),
    Column("is_acknowledged", "Acknowledged", YES),
    Column("status", "HTTP status", COUNT),
    Column("took_ms", "Milliseconds", COUNT),
    Column("answer", "Answer", PROSE),
)
DELIVERIES: Final = (
    Column("push_id", "Push", COUNT),
    Column("event", "Event"),
    Column("type", "Type"),
    Column("outcome", "Outcome", enum_kind(PushOutcome)),
    Column("attempts", "Attempts", COUNT),
    Column("created_at", "Created (UTC)", TIME),
    Column("due_at", "Next attempt (UTC)", TIME),
    Column("status", "HTTP", COUNT),
    Column("took_ms", programs_only=True),
    Column("at", programs_only=True),
    Column("answer", "Last answer", PROSE),
)
endpoint_argument: Final = click.argument("webhook_id", metavar="ENDPOINT", type=ROW_ID)
type_option: Final = click.option(
    "--type",
    "types",
    type=click.Choice(EVENT_TYPES),
    multiple=True,
    help="A type of events; repeatable.",
)


@click.command("add")
@click.argument("account")
@click.argument("url")
@type_option
@click.option("--description", default="", help="For people.")
@in_context
async def add(context: CommandContext, account: str, url: str, types: Sequence[str], description: str) -> Reply:
    """Add an endpoint. Without --type it gets all types of events.

    Its signing secret is shown this once.

    \b
    Example:  homing webhook add acme https://example.com/homing --type message.delivered --type message.failed
    """
    row = await context.account(account)
    vault = await context.vault()
    async with context.database.transaction() as transaction:
        made, secret = await create_webhook(
            transaction, vault, row.account_id, url=url, types=types or EVENT_TYPES, description=description
        )
    return Detail(
        NEW_ENDPOINT,
        {**msgspec.structs.asdict(made), "account": row.name, "secret": secret},
        note="\n".join(f"Warning: {warning}." for warning in context.push_warnings(url)),
    )


@click.command("list")
@click.argument("account", required=False)
@in_context
async def list_endpoints(context: CommandContext, account: str | None) -> Reply:
    """List the endpoints of all accounts or of one.

    \b
    Example:  homing webhook list acme
    """
    if account is not None:
        account_id = (await context.account(account)).account_id
        rows = await statements.webhooks.webhook_list(context.database, account_id=account_id)
    else:
        rows = await statements.webhooks.webhooks_all(context.database, rows_max=LISTED_MAX)
    names: dict[int, str] = {}
    for row in rows:
        if row.account_id not in names:
            names[row.account_id] = (await context.account(str(row.account_id))).name
    return Table(
        ENDPOINTS,
        [{**msgspec.structs.asdict(row), "account": names[row.account_id]} for row in rows],
        "No webhook endpoints.",
    )


@click.command("set")
@endpoint_argument
@click.option("--url", help="Another address.")
@type_option
@click.option("--description", help="For people.")
@click.option("--enable/--disable", "is_enabled", default=None, help="Push to it again, or no longer.")
@in_context
async def change(context: CommandContext, webhook_id: int, types: Sequence[str], **values: Any) -> Reply:
    """Change an endpoint, or enable it again.

    An endpoint that has only failed for five days is disabled. Once it is enabled again, `homing webhook replay`
    pushes what it has missed.

    \b
    Example:  homing webhook set 3 --enable
              homing webhook set 3 --type message.delivered --type message.failed
    """
    changes = {name: value for name, value in values.items() if value is not None}
    if types:
        changes["types"] = list(types)
    if not changes:
        raise errors.InvalidInput("nothing to change: give an option")
    row = await _endpoint(context, webhook_id)
    async with context.database.transaction() as transaction:
        changed = await change_webhook(transaction, row, changes)
    return Confirmation(
        f"Endpoint {webhook_id} changed.",
        {"webhook_id": webhook_id, "is_enabled": changed.is_enabled, "url": changed.url, "types": changed.types},
        context.push_warnings(changed.url),
    )


@click.command("remove")
@endpoint_argument
@in_context
async def remove(context: CommandContext, webhook_id: int) -> Reply:
    """Remove an endpoint. What still waits to be pushed to it is given up.

    \b
    Example:  homing webhook remove 3
    """
    row = await _endpoint(context, webhook_id)
    async with context.database.transaction() as transaction:
        await remove_webhook(transaction, row.account_id, webhook_id)
    return Confirmation(f"Endpoint {webhook_id} removed.", {"webhook_id": webhook_id, "account_id": row.account_id})


@click.command("rotate")
@endpoint_argument
@click.option(
    "--keep-hours",
    type=WholeNumberType(0, HOURS_MAX),
    default=HOURS_DEFAULT,
    show_default=True,
    help="Hours for which the previous secret signs as well; 0: it ends now.",
)
@in_context
async def rotate(context: CommandContext, webhook_id: int, keep_hours: int) -> Reply:
    """Replace an endpoint's signing secret. The new one is shown this once.

    \b
    Example:  homing webhook rotate 3
    """
    row = await _endpoint(context, webhook_id)
    vault = await context.vault()
    now, overlap = datetime.now(UTC), timedelta(hours=keep_hours)
    async with context.database.transaction() as transaction:
        secret = await rotate_webhook_secret(transaction, vault, row, now=now, overlap=overlap)
    until = now + overlap if keep_hours else None
    return Detail(NEW_SECRET, {"webhook_id": webhook_id, "secret": secret, "previous_until": until})


@click.command("test")
@endpoint_argument
@in_context
async def test(context: CommandContext, webhook_id: int) -> Reply:
    """Push a test event now, and show the answer. Exit status 3 if it was not acknowledged.

    \b
    Example:  homing webhook test 3
    """
    row = await _endpoint(context, webhook_id)
    vault = await context.vault()
    http_client = SafeHttpClient(config.networks(config.load(context.data, DIALECTS).push.allowed_networks))
    await http_client.open()
    try:
        trial = await try_endpoint(context.database, vault, http_client, _wording(), row, now=datetime.now(UTC))
    finally:
        await http_client.close()
    shown = {
        **msgspec.structs.asdict(trial.result),
        "event_id": trial.event_id,
        "is_acknowledged": trial.is_acknowledged,
    }
    return Detail(TRIAL, shown, status=status_of(trial.is_acknowledged))


@click.command("replay")
@endpoint_argument
@click.option("--from", "since", type=MOMENT, help="Events from this time on: 24h, or a date and time in UTC.")
@click.option("--to", "until", type=MOMENT, help="Events until then.  [default: now]")
@type_option
@click.option("--event", metavar="EVENT", help="One event: evt_1207.")
@in_context
async def replay(
    context: CommandContext,
    webhook_id: int,
    since: datetime | None,
    until: datetime | None,
    types: Sequence[str],
    event: str | None,
) -> Reply:
    """Push events of a time span, or one, again.

    They keep the IDs that they had.

    Without --type: those that the endpoint has chosen. Events are kept for 30 days.

    \b
    Example:  homing webhook replay 3 --from 2026-11-26T10:00 --to 2026-11-26T11:30
              homing webhook replay 3 --event evt_1207
    """
    if (event is None) == (since is None):
        raise click.UsageError("give --from, or --event")
    row, dialect = await _endpoint(context, webhook_id), _wording().number
    if event is not None:
        queued = await _replay_event(context, row, event, dialect)
    else:
        assert since is not None
        queued = await _replay_events(context, row, dialect, since, until or datetime.now(UTC), types)
    return Confirmation(f"Events that will be pushed again: {queued}.", {"webhook_id": webhook_id, "queued": queued})


async def _replay_event(context: CommandContext, row: WebhookRow, event: str, dialect: int) -> int:
    digits = event.removeprefix(EVENT_PREFIX)
    stored = None
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        stored = await statements.events.event_find(context.database, account_id=row.account_id, event_id=int(digits))
    if stored is None:
        raise errors.InvalidInput("the account has no event {event}", event=event)
    async with context.database.transaction() as transaction:
        replayed = await replay_event(transaction, row, dialect=dialect, event_id=stored.event_id, type=stored.type)
    return replayed.queued


async def _replay_events(
    context: CommandContext, row: WebhookRow, dialect: int, since: datetime, until: datetime, types: Sequence[str]
) -> int:
    """As many transactions as it takes."""
    queued, after_id = 0, 0
    while True:
        async with context.database.transaction() as transaction:
            replayed = await replay_events(
                transaction,
                row,
                dialect=dialect,
                since=since,
                until=until,
                types=types or row.types,
                after_id=after_id,
            )
        queued += replayed.queued
        if replayed.last_id is None:
            return queued
        after_id = replayed.last_id


@click.command("deliveries")
@endpoint_argument
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@limit_option
@in_context
async def deliveries(context: CommandContext, webhook_id: int, failed: bool, limit: int) -> Reply:
    """List what was pushed to an endpoint, with its last answer.

    \b
    Example:  homing webhook deliveries 3 --failed
    """
    row = await _endpoint(context, webhook_id)
    rows = await statements.webhooks.webhook_deliveries(
        context.database,
        account_id=row.account_id,
        webhook_id=webhook_id,
        before_id=2**63 - 1,
        outcome=int(PushOutcome.GIVEN_UP) if failed else None,
        rows_max=limit,
    )
    return Table(
        DELIVERIES,
        [{**msgspec.structs.asdict(each), "event": f"{EVENT_PREFIX}{each.event_id}"} for each in rows],
        "No deliveries.",
    )


async def _endpoint(context: CommandContext, webhook_id: int) -> WebhookRow:
    row = await statements.webhooks.webhook_named(context.database, webhook_id=webhook_id)
    if row is None:
        raise missing(webhook_id)
    return row


def _wording() -> Dialect:
    wording = DIALECTS.of_events
    assert wording is not None
    return wording


ENDPOINT_COMMANDS: Final = (add, list_endpoints, change, remove, rotate, test, replay, deliveries)
