"""The report as one self-contained HTML page with tables and plots."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from homing.lab.figures import Figure
from homing.lab.means import Mean
from homing.lab.report import LabReport, PolicyResult
from homing.lab.scenario import Scenario

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #212529 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% } td, th { padding: .25rem .6rem; text-align: left }
th { border-bottom: 2px solid #dee2e6 } td { border-bottom: 1px solid #f1f3f5 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.met { color: #2b8a3e } .missed { color: #c92a2a; font-weight: 600 } .none, .about { color: #868e96 }
tr.homing { background: #e3fafc } img { max-width: 100% }
"""


def html_report(report: LabReport, plots: Mapping[str, bytes]) -> str:
    """The page. `plots`: PNG files by name."""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Homing: the lab</title>',
            f"<style>{STYLE}</style><h1>Homing: the lab</h1>",
            f"<p>{_head(report)}</p>",
            "<h2>Must show</h2>",
            _table(FIGURE_HEADS, map(_figure_row, report.figures)),
            *(
                f"<h2>{escape(name.removesuffix('.png').replace('-', ' ').capitalize())}</h2>"
                f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
                for name, png in plots.items()
            ),
            *_scenarios(report),
            "<p class=about>The method and its assumptions: docs/internals/lab.md.</p></html>",
        ]
    )


def _head(report: LabReport) -> str:
    return escape(
        f"{'Quick report' if report.quick else 'LabReport'} of {report.made_at}: {report.seeds} seeds, "
        f"{report.messages:,} simulated messages in {report.took_s:.0f} s on {report.machine}."
    )


STRICTNESS_HEADS: Final = (
    "Guard",
    ">Room",
    ">Stopped",
    ">Attacks cost the customer, USD",
    ">People refused",
    ">In number",
)
FIGURE_HEADS: Final = ("Figure", ">Must reach", ">Measured", ">95 % interval", "Met", "Decided by", ">Seeds", ">Hours")


def _figure_row(figure: Figure) -> Sequence[str]:
    words, css = {True: ("yes", "met"), False: ("no", "missed"), None: ("-", "none")}[figure.met]
    return (
        escape(figure.title),
        "" if figure.target is None else escape(f"{figure.relation} {shown(figure.target, figure.unit)}"),
        "not measured" if figure.measured is None else shown(figure.measured, figure.unit),
        "" if figure.interval is None else " … ".join(shown(value, figure.unit) for value in figure.interval),
        f"<span class={css}>{words}</span>",
        escape(figure.decided_by),
        str(figure.seeds),
        f"{figure.hours:g}",
    )


def shown(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "share":
        return f"{value * 100:.3g} %" if value < 0.1 else f"{value * 100:.2f} %"
    if unit == "s":
        return f"{value:.0f} s"
    return f"{value:.1f} us" if unit == "us" else f"{value:.3f}"


def _scenarios(report: LabReport) -> Iterable[str]:
    for scenario in report.scenarios:
        lines = [line for line in report.lines if line.scenario == scenario.name]
        yield f"<h2>{escape(scenario.name)}</h2><p class=about>{escape(scenario.about)}</p>"
        if scenario.goal == "routing":
            heads: tuple[str, ...] = (
                "Policy",
                ">USD a conversion",
                ">against the oracle",
                ">people who convert",
                ">shift",
            )
            yield _table(heads, map(_routing_row, lines), [line.policy for line in lines])
        else:
            kinds = [*dict.fromkeys(attack.kind for attack in scenario.attacks)]
            heads = ("Policy", *(f">{kind} stopped" for kind in kinds), ">real people refused")
            rows = [
                (
                    escape(line.policy),
                    *(_mean(line.stopped.get(kind), "share") for kind in kinds),
                    _mean(line.refused, "share"),
                )
                for line in lines
            ]
            yield _table(heads, rows, [line.policy for line in lines])
            yield from _strictness(report, scenario)


def _strictness(report: LabReport, scenario: Scenario) -> Iterable[str]:
    """What each guard would stop and whom it would refuse, where guards were run at several strictnesses."""
    points = [point for point in report.strictness if point.scenario == scenario.name]
    same = next((each for each in report.same_refusals if each.scenario == scenario.name), None)
    if same is not None:
        rival = f"{same.guard}: {shown(same.stopped, 'share')}" if same.guard else "every baseline refuses more people"
        yield (
            f"<p>Stopped at the same refusals ({shown(same.refused_max, 'share')} of people): "
            f"Homing {shown(same.homing_stopped, 'share')}, {escape(rival)}.</p>"
        )
    if len({(point.guard, point.room) for point in points}) > len({point.guard for point in points}):
        rows = [
            (
                escape(point.guard),
                f"{point.room:g}",
                "" if point.stopped is None else shown(point.stopped, "share"),
                f"{point.passed_micro / 1e6:.2f}",
                shown(point.refused, "share"),
                f"{point.refused_people:.1f}",
            )
            for point in points
        ]
        yield _table(STRICTNESS_HEADS, rows)


def _routing_row(line: PolicyResult) -> Sequence[str]:
    return (
        escape(line.policy) + (" (best baseline)" if line.is_best_baseline else ""),
        "" if line.cost_per_conversion is None else f"{line.cost_per_conversion.mean:.5f}",
        _mean(line.against_oracle, "ratio"),
        _mean(line.conversion, "share"),
        _mean(line.shift_s, "s"),
    )


def _mean(mean: Mean | None, unit: str) -> str:
    if mean is None:
        return ""
    margin = "" if mean.high is None else f" ± {shown(mean.high - mean.mean, unit)}"
    return shown(mean.mean, unit) + margin


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> str:
    """Cells are HTML; `>` at the start of a heading aligns its column to the right."""
    right = [' class="n"' if head.startswith(">") else "" for head in heads]
    head = "".join(f"<th{css}>{escape(text.removeprefix('>'))}</th>" for text, css in zip(heads, right, strict=True))
    body = []
    for n, row in enumerate(rows):
        css = f' class="{escape(classes[n])}"' if classes else ""
        body.append(f"<tr{css}>" + "".join(f"<td{c}>{cell}</td>" for cell, c in zip(row, right, strict=True)) + "</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"
