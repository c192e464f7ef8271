"""`homing lab`. What it runs is imported when it runs: numpy and matplotlib are for nothing else."""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from homing.cli.context import CommandContext, CommandGroup, errors_in_one_line, in_context, json_option
from homing.cli.parameters import MOMENT, RealNumberType, WholeNumberType, account_option
from homing.cli.show import COUNT, MONEY, PROSE, TIME, Column, ColumnKind, Detail, Reply, Table, print_reply

LAB_SEEDS_MAX: Final = 1_000


if TYPE_CHECKING:
    from homing.lab.estimate import Estimate
    from homing.lab.report import LabReport
    from homing.lab.scenario import Scenario

FIGURES: Final = (
    Column("title", "Figure", PROSE),
    Column("target", "Must reach", ColumnKind(absent="", right=True)),
    Column("measured", "Measured", ColumnKind(absent="not measured", right=True)),
    Column("interval", "95 % interval", ColumnKind(absent="", right=True)),
    Column("met", "Met", ColumnKind(absent="-")),
    Column("decided_by", "Decided by"),
    Column("seeds", "Seeds", COUNT),
)
SAME_REFUSALS: Final = (
    Column("scenario", "Scenario"),
    Column("refused_max", "People refused at most", ColumnKind(right=True)),
    Column("homing", "Homing stops", ColumnKind(right=True)),
    Column("rival", "Best baseline", ColumnKind(absent="each refuses more")),
    Column("stopped", "It stops", ColumnKind(absent="", right=True)),
)
LISTED: Final = (
    Column("name", "Name"),
    Column("goal", "For"),
    Column("traits", "Traits"),
    Column("hours", "Hours", COUNT),
    Column("rate_per_s", "Messages/s", COUNT),
    Column("about", "About", PROSE),
)
RESENDS: Final = (
    Column("scenario", "Scenario"),
    Column("seed", "Seed", COUNT),
    Column("policy", "Second message"),
    Column("willing", "Who would answer", COUNT),
    Column("lost", "Lost", COUNT),
    Column("resent", "Sent again", COUNT),
    Column("extra_cents", "Extra cost, US cents", ColumnKind(right=True)),
    Column("saved_per_cent", "People saved a cent", ColumnKind(absent="-", right=True)),
    Column("right_share", "By the right carrier", ColumnKind(right=True)),
    Column("cents_per_verified", "US cents a person verified", ColumnKind(right=True)),
)
COURSE: Final = (
    Column("at_h", "Hour", ColumnKind(right=True)),
    Column("shares", "Shares"),
    Column("refused", "Refused", COUNT),
)
RUN: Final = (
    Column("scenario", "Scenario"),
    Column("policy", "Policy"),
    Column("seed", "Seed", COUNT),
    Column("people", "People", COUNT),
    Column("messages", "Messages", COUNT),
    Column("conversion", "Who converted"),
    Column("cost_per_conversion", "USD a conversion"),
    Column("refused", "Real people refused", COUNT),
    Column("shift_s", "Left the losing carrier after, s", ColumnKind(absent="not asked for")),
    Column("messages_per_s", "Simulated messages/s", COUNT),
)
ATTACKS: Final = (
    Column("kind", "Attack"),
    Column("messages", "Messages", COUNT),
    Column("stopped", "Spend stopped", ColumnKind(right=True)),
    Column("later_stopped", "After its first hour", ColumnKind(right=True)),
    Column("converted", "Conversions claimed", COUNT),
)
CROWDS: Final = (
    Column("kind", "People"),
    Column("people", "Distinct", COUNT),
    Column("refused", "Refused at least once", COUNT),
)

LIBRARIES: Final = ("numpy", "matplotlib")
"""Of the extra `lab`; nothing else uses them."""

scenario_option: Final = click.option(
    "--scenario",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Run this scenario in place of the shipped ones; can be repeated.",
)
hostile_option: Final = click.option(
    "--hostile", is_flag=True, help="The worlds in which guard and routing have a hard time."
)
REPLAYED: Final = (
    Column("since", "From (UTC)", TIME),
    Column("until", "To (UTC)", TIME),
    Column("messages", "Messages sent", COUNT),
    Column("unsent", "Never sent, left out", COUNT),
    Column("cost_micro", "Cost, at today's lists", MONEY),
    Column("would_cost_micro", "Would have cost", MONEY),
    Column("revenue_micro", "Revenue", MONEY),
    Column("would_revenue_micro", "Would have been", MONEY),
    Column("converted", "Converted", COUNT),
    Column("would_converted", "Would have converted"),
    Column("unknown", "Messages without data", COUNT),
    Column("thin", "With fewer than 30 messages of data", COUNT),
    Column("unroutable", "Would have been refused", COUNT),
    Column("uncosted", "Of unknown cost", COUNT),
    Column("would_uncosted", "Would be of unknown cost", COUNT),
    Column("would_conversions", programs_only=True),
    Column("interval", programs_only=True),
)
PARTS: Final = (
    Column("carrier", "Carrier"),
    Column("messages", "Messages", COUNT),
    Column("converted", "Converted", COUNT),
    Column("would_messages", "Would have had", COUNT),
    Column("would_converted", "Would have converted", ColumnKind(right=True)),
    Column("unknown", "Without data", COUNT),
    Column("thin", "Little data", COUNT),
)
CSV: Final = click.Path(path_type=Path, dir_okay=False)
STRATEGIES: Final = ("priority", "weighted", "least-cost", "adaptive")


@click.group(cls=CommandGroup)
def lab() -> None:
    """People, carriers and attackers on a virtual clock, under the real intake, router and guard.

    It needs no database and no running Homing, but for `replay`.

    \b
    Example:  homing lab report --quick
              homing lab run loss-lying
              homing lab report --hostile --seeds 2
              homing lab generate --seed 7
              homing lab report --scenario mine.toml --seeds 5
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"the lab needs {' and '.join(missing)}, which a gateway does not: `make lab`, or pip install 'homing[lab]'"
        )


@lab.command("report")
@scenario_option
@click.option("--only", multiple=True, metavar="NAME", help="These of the listed scenarios alone.")
@hostile_option
@click.option("--seeds", type=WholeNumberType(1, LAB_SEEDS_MAX), default=20, show_default=True)
@click.option("--hours", type=RealNumberType(0.25), help="Cut longer scenarios to so many hours.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write HTML, PNG and JSON here, and keep each run.",
)
@click.option(
    "--drawn-from", type=WholeNumberType(0), default=1, show_default=True, help="First seed of drawn scenarios."
)
@click.option("--workers", type=WholeNumberType(1, 256), help="Processes.  [default: the cores]")
@click.option("--quick", is_flag=True, help="A small form, within a minute.")
@click.option("--curve", is_flag=True, help="Guards at five strictnesses each; five times as long.")
@json_option
def report(
    files: tuple[Path, ...],
    only: tuple[str, ...],
    hostile: bool,
    seeds: int,
    hours: float | None,
    out: Path | None,
    drawn_from: int,
    workers: int | None,
    quick: bool,
    curve: bool,
    as_json: bool,
) -> None:
    """Run everything and say which figures are met.

    With --quick it is a few scenarios in a short form and as many seeds as fit; the whole takes hours on two cores.
    What routing and guard cost on the accept path is measured unless scenarios are chosen.
    Drawn scenarios are those of `homing lab generate`: --drawn-from takes seeds that nobody has seen.
    With --out each run is kept as it ends: the same command goes on where it was cut short, while the code is the same.

    \b
    Example:  homing lab report --quick --json
              homing lab report --seeds 20 --out lab
    """
    with errors_in_one_line():
        from homing.lab import plan as plans
        from homing.lab import report as reports
        from homing.lab.stored_runs import StoredRuns

        chosen = _chosen(files, only, drawn_from, hostile)
        if quick:
            plan = plans.quick(chosen, seeds, drawn_from)
        else:
            plan = plans.full(chosen, seeds, hours, drawn_from, with_curve=curve)
        stored_runs = None if out is None or quick else StoredRuns(out)
        with _progress(len(plan.tasks)) as watch:
            result = reports.make(plan, watch, workers, stored_runs)
        if out is not None:
            _write(result, out)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(reports.document(result)), indent=2).decode())
        return
    print_reply(_figures(result), False)
    if result.same_refusals:
        print_reply(_same_refusals(result), False)
    click.echo(
        f"\n{result.seeds} seeds, {result.messages:,} simulated messages in {result.took_s:.0f} s "
        f"({result.messages_per_s:,} a second and core) on {result.machine}."
    )
    if out is not None:
        click.echo(f"Written: {out / 'report.html'}, report.json and the plots.")


@lab.command("run")
@click.argument("scenario")
@click.option("--policy", default="homing", show_default=True, help="Who decides: `homing lab scenarios` lists them.")
@click.option("--seed", type=WholeNumberType(0), default=1, show_default=True)
@click.option("--hours", type=RealNumberType(0.25), help="Cut it to so many hours.")
@json_option
def run(scenario: str, policy: str, seed: int, hours: float | None, as_json: bool) -> None:
    """One run: where the traffic went, and what the guard did.

    SCENARIO is a shipped one's name or a file.

    \b
    Example:  homing lab run loss-honest --hours 4
    """
    with errors_in_one_line():
        from homing.lab.plan import shortened
        from homing.lab.worker_pool import RunTask, work

        (chosen,) = _chosen((Path(scenario),), ()) if Path(scenario).suffix == ".toml" else _chosen((), (scenario,))
        chosen = chosen if hours is None else shortened(chosen, hours)
        (result,) = work(RunTask(chosen, seed, (policy,)))
    row = {
        **msgspec.structs.asdict(result),
        "conversion": f"{result.conversion * 100:.2f} %",
        "cost_per_conversion": f"{result.cost_per_conversion / 1e6:.5f}",
        "messages_per_s": round((result.messages + sum(attack.messages for attack in result.attacks)) / result.cpu_s),
    }
    names = [carrier.name for carrier in chosen.carriers]
    course = [
        {
            "at_h": f"{n / 6:.2f}",
            "shares": "  ".join(f"{name} {share * 100:3.0f} %" for name, share in zip(names, shares, strict=True)),
            "refused": result.refused_course[n],
        }
        for n, shares in enumerate(result.course)
    ]
    attacks = [
        {
            **msgspec.structs.asdict(attack),
            "stopped": f"{attack.stopped * 100:.1f} %",
            "later_stopped": f"{attack.later_stopped * 100:.1f} %",
        }
        for attack in result.attacks
    ]
    parts = {"course": Table(COURSE, course)}
    if attacks:
        parts["attacks"] = Table(ATTACKS, attacks)
    if result.crowds:
        parts["crowds"] = Table(CROWDS, [msgspec.structs.asdict(crowd) for crowd in result.crowds])
    print_reply(Detail(RUN, row, parts), as_json)


@lab.command("resend")
@click.option("--only", multiple=True, metavar="NAME", help="Of the compared scenarios these alone.")
@click.option("--seeds", type=WholeNumberType(1, LAB_SEEDS_MAX), default=2, show_default=True)
@click.option("--hours", type=RealNumberType(1.25), default=2.5, show_default=True)
@click.option("--rate", "rate_per_s", type=RealNumberType(0.1), default=4.0, show_default=True, help="People a second.")
@json_option
def resend(only: tuple[str, ...], seeds: int, hours: float, rate_per_s: float, as_json: bool) -> None:
    """Compare rules for sending a code a second time.

    Never, after 30 s, and when it is likely lost: people who would have entered a code and got none, and what saving
    them costs. It takes minutes a seed.

    \b
    Example:  homing lab resend --only steady --seeds 1
    """
    with errors_in_one_line():
        from homing import errors
        from homing.lab.resend_report import COMPARED, chosen_scenarios, compare

        scenarios = chosen_scenarios(only)
        if not scenarios:
            raise errors.InvalidInput(f"none of these is compared: {', '.join(only)}")
        with _progress(len(scenarios) * seeds * len(COMPARED)) as watch:
            rows = compare(scenarios, seeds=seeds, hours=hours, rate_per_s=rate_per_s, progress=watch)
    print_reply(Table(RESENDS, [msgspec.structs.asdict(row) for row in rows]), as_json)


@lab.command("scenarios")
@hostile_option
@json_option
def scenarios(hostile: bool, as_json: bool) -> None:
    """The scenarios that a report runs.

    \b
    Example:  homing lab scenarios --hostile
    """
    from homing.lab.hostile import hostile_scenarios
    from homing.lab.plan import generated_scenarios
    from homing.lab.policies import CURVE, POLICIES
    from homing.lab.scenario import shipped

    fixed = hostile_scenarios() if hostile else shipped()
    listed = (*fixed, *generated_scenarios(hostile=hostile))
    rows = [{**msgspec.structs.asdict(row), "traits": ", ".join(row.traits)} for row in listed]
    print_reply(Table(LISTED, rows), as_json)
    if not as_json:
        click.echo(f"\nPolicies: {', '.join(name for name in POLICIES if name not in CURVE)}.")
        click.echo("Guards are stricter or more lenient as NAME@ROOM: homing@0.25, homing@0.5, homing@2, homing@4.")


@lab.command("generate")
@click.option("--seed", type=WholeNumberType(0), required=True)
@click.option("--goal", type=click.Choice(("routing", "guard")), default="routing", show_default=True)
@hostile_option
def generate(seed: int, goal: str, hostile: bool) -> None:
    """Draw a scenario and print its file.

    \b
    Example:  homing lab generate --seed 7 --goal guard
    """
    from homing.lab.generate import generated, generated_hostile
    from homing.lab.scenario import to_toml

    draw = generated_hostile if hostile else generated
    click.echo(to_toml(draw(seed, "guard" if goal == "guard" else "routing")), nl=False)


@lab.command("replay")
@click.option("--costs", type=CSV, metavar="CSV", help="What carriers would ask.")
@click.option("--prices", type=CSV, metavar="CSV", help="What customers would pay.")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="Of every route, in place of its own.")
@click.option("--since", type=MOMENT, help="24h, 7d, or a date and time in UTC.  [default: 24 hours before the end]")
@click.option("--until", type=MOMENT, help="Likewise.  [default: now]")
@account_option
@in_context
async def replay(
    context: CommandContext,
    costs: Path | None,
    prices: Path | None,
    strategy: str | None,
    since: datetime | None,
    until: datetime | None,
    account: str | None,
) -> Reply:
    """Stored traffic under other prices or another policy.

    What it would have cost follows from the price lists. What it would have converted is an estimate: each carrier
    keeps the rate that it had in each app and network, with a 95 % interval; where it had no messages there, nothing is
    known, and so many messages are told apart.

    \b
    CSV files have a header. --costs: carrier, prefix, price. --prices: prefix, price. They are laid over the lists.

    \b
    Example:  homing lab replay --strategy adaptive
              homing lab replay --costs new.csv --since 7d
    """
    from homing.lab.replay import ReplayChanges, read_costs, read_prices
    from homing.lab.replay import replay as replayed
    from homing.model import Strategy

    end = until or datetime.now(UTC)
    start = end - timedelta(hours=24) if since is None else since
    if start >= end:
        raise click.UsageError("--since is not before --until")
    changes = ReplayChanges(
        {} if costs is None else read_costs(costs),
        {} if prices is None else read_prices(prices),
        None if strategy is None else Strategy[strategy.upper().replace("-", "_")],
    )
    account_id = None if account is None else int((await context.account(account)).account_id)
    async with context.database.transaction("repeatable_read") as transaction:
        replay = await replayed(transaction, changes, start, end, account_id)
    would = replay.estimate
    row = {
        **msgspec.structs.asdict(replay),
        "since": start,
        "until": end,
        "would_converted": _estimate_text(would),
        "would_conversions": round(would.conversions, 2),
        "interval": [round(would.low, 2), round(would.high, 2)],
        "unknown": round(would.unknown, 2),
        "thin": round(would.thin, 2),
        "would_uncosted": round(replay.would_uncosted, 2),
    }
    parts = [
        {
            "carrier": row.carrier,
            "messages": row.messages,
            "converted": row.converted,
            "would_messages": round(row.estimate.messages, 1),
            "would_converted": _estimate_text(row.estimate),
            "unknown": round(row.estimate.unknown, 1),
            "thin": round(row.estimate.thin, 1),
        }
        for row in replay.carriers
    ]
    note = ""
    if would.unknown:
        note = f"Of {would.unknown:,.0f} messages nothing is known: their carrier had none in their app and network."
    return Detail(REPLAYED, row, {"carriers": Table(PARTS, parts, "No messages.")}, note)


def _estimate_text(estimate: "Estimate") -> str:
    return f"{estimate.conversions:,.0f} ({estimate.low:,.0f} to {estimate.high:,.0f})"


def _chosen(
    files: tuple[Path, ...], only: tuple[str, ...], drawn_from: int = 1, hostile: bool = False
) -> "tuple[Scenario, ...]":
    """The scenarios that were named, or those of the group; nothing: none was. Raises `InvalidInput`."""
    from homing import errors
    from homing.lab.hostile import hostile_scenarios
    from homing.lab.plan import generated_scenarios
    from homing.lab.scenario import load, shipped

    if files:
        return tuple(map(load, files))
    if not only:
        return (*hostile_scenarios(), *generated_scenarios(drawn_from, hostile=True)) if hostile else ()
    drawn = (*generated_scenarios(drawn_from), *generated_scenarios(drawn_from, hostile=True))
    listed = (*shipped(), *hostile_scenarios(), *drawn)
    scenarios = {scenario.name: scenario for scenario in listed}
    unknown = [name for name in only if name not in scenarios]
    if unknown:
        raise errors.InvalidInput(f"there is no scenario {unknown[0]!r}; `homing lab scenarios` lists them")
    return tuple(scenarios[name] for name in only)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """Shown on stderr: a bar in a terminal, else a line at every tenth."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        tenths = 0

        def tell(done: int, whole: int) -> None:
            nonlocal tenths
            if done * 10 // whole > tenths:
                tenths = done * 10 // whole
                click.echo(f"{done} of {whole} runs", err=True)

        yield tell
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=total)
        yield lambda done, _whole: progress.update(bar, completed=done)


def _figures(result: "LabReport") -> Table:
    from homing.lab.html_report import shown

    met_labels = {True: "yes", False: "NO", None: None}
    rows = [
        {
            "title": figure.title,
            "target": None if figure.target is None else f"{figure.relation} {shown(figure.target, figure.unit)}",
            "measured": None if figure.measured is None else shown(figure.measured, figure.unit),
            "interval": None
            if figure.interval is None
            else " … ".join(shown(value, figure.unit) for value in figure.interval),
            "met": met_labels[figure.met],
            "decided_by": figure.decided_by,
            "seeds": figure.seeds,
        }
        for figure in result.figures
    ]
    return Table(FIGURES, rows)


def _same_refusals(result: "LabReport") -> Table:
    rows = [
        {
            "scenario": each.scenario,
            "refused_max": f"{each.refused_max * 100:.3f} %",
            "homing": f"{each.homing_stopped * 100:.1f} %",
            "rival": each.guard or None,
            "stopped": f"{each.stopped * 100:.1f} %" if each.guard else None,
        }
        for each in result.same_refusals
    ]
    return Table(SAME_REFUSALS, rows)


def _write(result: "LabReport", out: Path) -> None:
    from homing import errors
    from homing.lab import plots
    from homing.lab.html_report import html_report
    from homing.lab.report import document

    try:
        out.mkdir(parents=True, exist_ok=True)
        images = plots.draw(result)
        for name, png in images.items():
            (out / name).write_bytes(png)
        (out / "report.html").write_text(html_report(result, images), encoding="utf-8")
        (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(document(result)), indent=2))
    except OSError as error:
        raise errors.InvalidInput(f"{out} cannot be written: {error.strerror}") from None
