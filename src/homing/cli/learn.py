"""`homing learn`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import msgspec

from homing import errors
from homing.admin import carriers
from homing.cli.alarm import component_note
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, RealNumberType, WholeNumberType, account_option
from homing.cli.show import (
    MONEY,
    PLAIN_MONEY,
    REASON,
    TIME,
    YES,
    Column,
    ColumnKind,
    Confirmation,
    CsvRows,
    Detail,
    Reply,
    Table,
    interval,
)
from homing.common.ids import first_id_at
from homing.common.money import trimmed
from homing.routing.catalogue_cache import objective_of
from homing.routing.explain import candidate_evidence
from homing.routing.objective import Objective
from homing.statistics.app_reporting import shows_conversions
from homing.store import statements
from homing.store.alarms import LEARNER
from homing.store.statements.admin import AppRow
from homing.store.statements.learning import AppKey, FakeMessageRow, LearnTermsRow

LEARN_MATURE_S: Final = 3_600.0  # then a message that nobody came back for is evidence
LEARN_CLAIM_MESSAGES_MAX: Final = 100_000  # of one list of evidence
SHARE: Final = ColumnKind(text=lambda share: f"{share / 100:.1f} %", json=lambda share: share / 10_000, right=True)
RATE: Final = ColumnKind(text=lambda rate: f"{rate:.1%}", json=lambda rate: rate, right=True)
ALL: Final = ColumnKind(absent="all")
RIGHT: Final = ColumnKind(right=True)

BELIEFS: Final = (
    Column("app_id", "App", is_key=True),
    Column("place", "Destination", people_only=True, is_key=True),
    Column("country", "Country", ALL, programs_only=True),
    Column("network", "Network", ALL, programs_only=True),
    Column("carrier", "Carrier", is_key=True),
    Column("share", "Share", SHARE),
    Column("counts", "Converted", RIGHT, people_only=True),
    Column("messages", programs_only=True),
    Column("conversions", programs_only=True),
    Column("rate", "Rate (90%)", RIGHT, people_only=True),
    Column("mean", programs_only=True),
    Column("low", programs_only=True),
    Column("high", programs_only=True),
    Column("delivered", "Receipts", RATE),
    Column("cost_micro", "Cost", PLAIN_MONEY),
    Column("source", "Source"),
    Column("version", programs_only=True),
    Column("made_at", kind=TIME, programs_only=True),
    Column("reason", kind=REASON, programs_only=True),
)
CANDIDATES: Final = tuple(
    column for column in BELIEFS if column.source not in ("app_id", "place", "country", "network")
)
TERMS: Final = (
    Column("account", "Account"),
    Column("app_id", "App", ALL),
    Column("worth_micro", "Conversion worth", ColumnKind(MONEY.text, MONEY.json, absent="least cost")),
    Column("quality_floor", "Quality floor", RATE),
    Column("explore_min", "Minimum share", RATE),
    Column("share_max", "Maximum share", RATE),
    Column("opted_out", "Opted out", YES),
)
FAKES: Final = (
    Column("carrier", "Carrier"),
    Column("kind", "Indicator"),
    Column("reason", "Reason", REASON),
    Column("found_at", "First (UTC)", TIME),
    Column("seen_at", "Last (UTC)", TIME),
)
EVIDENCE: Final = (
    "message_id",
    "account",
    "app_id",
    "submitted_at",
    "sent_at",
    "final_at",
    "receipt_s",
    "carrier_ref",
    "country",
    "mcc",
    "mnc",
    "sender",
    "segments",
    "cost",
)


@click.group(cls=CommandGroup)
def learn() -> None:
    """Adaptive routing: learned shares, settings, and carriers with fake receipts.

    A route learns when its strategy is adaptive: `homing route set CARRIER --strategy adaptive`.

    \b
    Example:  homing learn show
              homing learn set 4luaKsL2 --worth 0.40
              homing learn fakes
    """


@learn.command("set")
@click.argument("app_id", metavar="[APP]", required=False)
@click.option("--account", help="For all apps of this account (name or ID) without settings of their own.")
@click.option("--worth", type=AMOUNT, help="Value of a conversion: maximise profit.")
@click.option("--no-worth", is_flag=True, help="Minimise the cost per conversion again.")
@click.option(
    "--quality-floor",
    type=RealNumberType(0, 1),
    help="Without a worth: minimum fraction of the best carrier's conversion rate.  [default: 0.9]",
)
@click.option(
    "--explore", type=RealNumberType(0, 0.2), help="Minimum share of each carrier, for exploration.  [default: 0.01]"
)
@click.option("--share-max", type=RealNumberType(0.05, 1), help="Maximum share of one carrier.  [default: 1]")
@click.option(
    "--off/--on", "opted_out", default=None, help="Route by priority, ignoring what was learned; or learn again."
)
@in_context
async def change(
    context: CommandContext,
    app_id: str | None,
    account: str | None,
    worth: int | None,
    no_worth: bool,
    quality_floor: float | None,
    explore: float | None,
    share_max: float | None,
    opted_out: bool | None,
) -> Reply:
    """Set how adaptive routes of an app choose carriers.

    Options not given stay unchanged.

    \b
    Example:  homing learn set 4luaKsL2 --worth 0.40
              homing learn set --account acme --off
    """
    if (app_id is None) == (account is None):
        raise click.UsageError("give an app, or an account with --account")
    if worth is not None and worth <= 0:
        raise click.UsageError("the worth must be greater than 0; --no-worth removes it")
    row = await context.account(account) if account is not None else await _app(context, app_id or "")
    account_id, app_id = row.account_id, app_id or ""
    stored = {(row.account_id, row.app_id): row for row in await statements.learning.learn_terms(context.database)}
    current = stored.get((account_id, app_id)) or LearnTermsRow(
        account_id=account_id,
        app_id=app_id,
        worth_micro=None,
        quality_floor=None,
        explore_min=None,
        share_max=None,
        opted_out=False,
    )
    changes = {"quality_floor": quality_floor, "explore_min": explore, "share_max": share_max, "opted_out": opted_out}
    if worth is not None or no_worth:
        changes["worth_micro"] = worth
    elif all(value is None for value in changes.values()):
        raise click.UsageError("nothing to change: give --worth, --quality-floor, --explore, --share-max or --off")
    changes = {name: value for name, value in changes.items() if value is not None or name == "worth_micro"}
    changed = msgspec.structs.replace(current, **changes)
    await statements.learning.learn_terms_set(
        context.database,
        account_id=account_id,
        app_id=app_id,
        worth_micro=changed.worth_micro,
        quality_floor=changed.quality_floor,
        explore_min=changed.explore_min,
        share_max=changed.share_max,
        opted_out=changed.opted_out,
    )
    subject = f"app {app_id}" if app_id else f"account {row.name}"
    terms = objective_of(changed)
    return Confirmation(
        f"The {subject}: {_objective_text(terms)}.",
        {"account_id": account_id, "app_id": app_id or None, **_json(terms)},
    )


async def _app(context: CommandContext, app_id: str) -> AppRow:
    row = await statements.admin.app_find(context.database, app_id=app_id)
    if row is None:
        raise errors.InvalidInput(f"app {app_id!r} does not exist; `homing app list ACCOUNT` lists the account's apps")
    return row


def _objective_text(terms: Objective) -> str:
    if terms.opted_out:
        return "routes by priority, ignoring what was learned"
    aim = (
        f"lowest cost per conversion, with at least {terms.quality_floor:.0%} of the best carrier's rate"
        if terms.worth_micro is None
        else f"highest profit, with a conversion worth {trimmed(terms.worth_micro)}"
    )
    return f"{aim}; share of each carrier {terms.explore_min:.1%} to {terms.share_max:.0%}"


def _json(terms: Objective) -> dict[str, object]:
    values = msgspec.structs.asdict(terms)
    worth_micro = values.pop("worth_micro")
    return {"worth": None if worth_micro is None else trimmed(worth_micro), **values}


@learn.command("show")
@click.argument("app_id", metavar="[APP]", required=False)
@account_option
@in_context
async def show(context: CommandContext, app_id: str | None, account: str | None) -> Reply:
    """Show the estimated rate and the share of each carrier.

    By app and network. Recent messages count in part, because conversions can still arrive. A rate comes with its
    interval and its source: conversions, receipts where no conversions are reported, or data of other networks (prior).
    Cost is per segment.

    \b
    Example:  homing learn show 4luaKsL2
    """
    account_id = None if account is None else (await context.account(account)).account_id
    if app_id is not None:
        account_id = (await _app(context, app_id)).account_id
    names = await carrier_names(context)
    rows: list[dict[str, Any]] = []
    for row in await statements.learning.learn_shares_of(context.database, account_id=account_id, app_id=app_id):
        cell: dict[str, Any] = {
            "app_id": row.app_id or None,
            "country": row.country or None,
            "network": row.network or None,
        }
        cell["place"] = " ".join(filter(None, (row.country, row.network))) or "all"
        rows += [{**cell, **with_name(row, names)} for row in candidate_evidence(row)]
    accounts = {row.account_id: row.name for row in await statements.admin.account_list(context.database)}
    terms = [
        {
            "account": accounts[row.account_id],
            "app_id": row.app_id or None,
            **msgspec.structs.asdict(objective_of(row)),
        }
        for row in await statements.learning.learn_terms(context.database)
        if account_id in (None, row.account_id) and app_id in (None, row.app_id)
    ]
    empty = "No data yet: no adaptive route had traffic in the last hour."
    return Detail(
        (),
        {},
        {"beliefs": Table(BELIEFS, rows, empty), "terms": Table(TERMS, terms, "All by default.")},
        note=await component_note(context, LEARNER),
    )


async def carrier_names(context: CommandContext) -> Mapping[int, str]:
    return {row.carrier_id: row.name for row in await statements.admin.carrier_list(context.database)}


def with_name(candidate: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """A row of BELIEFS from a row of `candidate_evidence`."""
    return {
        **candidate,
        "carrier": names.get(candidate["carrier_id"], str(candidate["carrier_id"])),
        "counts": f"{candidate['conversions']:.0f} of {candidate['messages']:.0f}",
        "rate": interval(candidate["mean"], candidate["low"], candidate["high"]),
    }


@learn.command("fakes")
@click.option("--csv", "carrier", metavar="CARRIER", help="Export the evidence against one carrier as CSV.")
@click.option("--days", type=WholeNumberType(1, 90), default=7, show_default=True, help="Number of days to look back.")
@in_context
async def fakes(context: CommandContext, carrier: str | None, days: int) -> Reply:
    """List carriers with suspected fake receipts, and the evidence.

    Three indicators: messages reported as delivered convert far less often than those of other carriers in the same
    networks; receipts arrive within a second; or they all take equally long. The evidence lists messages reported as
    delivered but not converted, of apps that report conversions; every carrier has some.

    \b
    Example:  homing learn fakes
              homing learn fakes --csv cheap --days 14
    """
    if carrier is None:
        return Table(FAKES, await statements.learning.learn_fakes(context.database), "No suspected fake receipts.")
    row = await carriers.find_carrier(context.database, carrier)
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    apps = await _reporting_apps(context, since)
    messages = await statements.learning.learn_fake_messages(
        context.database,
        carrier_id=row.carrier_id,
        first_id=first_id_at(int(since.timestamp() * 1000)),
        beyond_id=first_id_at(int((until.timestamp() - LEARN_MATURE_S) * 1000)),
        rows_max=LEARN_CLAIM_MESSAGES_MAX,
        apps=[AppKey(account_id=account_id, app_id=app_id) for account_id, app_id in apps],
    )
    return CsvRows(EVIDENCE, [_evidence(message) for message in messages])


async def _reporting_apps(context: CommandContext, since: datetime) -> Sequence[tuple[int, str]]:
    """Apps whose messages are to lead to conversions: as set, or as their traffic shows."""
    day = int(since.timestamp()) // 86_400
    rows = await statements.learning.learn_apps(context.database, first_day=day)
    return [
        (row.account_id, row.app_id)
        for row in rows
        if row.expects_conversions or (row.expects_conversions is None and shows_conversions(row.sent, row.converted))
    ]


def _evidence(row: FakeMessageRow) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    for name in ("submitted_at", "sent_at", "final_at"):
        values[name] = None if values[name] is None else values[name].isoformat(timespec="milliseconds")
    values["receipt_s"] = None if values["receipt_s"] is None else round(values["receipt_s"], 3)
    values["cost"] = None if row.carrier_cost_micro is None else trimmed(row.carrier_cost_micro)
    return values
