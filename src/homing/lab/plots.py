"""The report's plots, as PNG. matplotlib is imported here alone."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from homing.lab.policies import BASELINES, GUARDS, HOMING, ORACLE
from homing.lab.report import LabReport, PolicyResult
from homing.lab.result import COURSE_MIN, SHIFTED_SHARE, shift_begins_s

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = {
    HOMING: "#0b7285",
    ORACLE: "#212529",
    "priority": "#ced4da",
    "least-cost": "#adb5bd",
    "round-robin": "#e599f7",
    "delivery-rate": "#f59f00",
    "government": "#74b816",
    "unverified-budget": "#f59f00",
    "hourly-threshold": "#74b816",
    "range-velocity": "#e599f7",
    "number-caps": "#adb5bd",
}
WIDTH_IN: Final = 11.0


def draw(report: LabReport) -> dict[str, bytes]:
    """PNG files by name, of what was run."""
    import matplotlib

    matplotlib.use("Agg")
    made = {
        "cost-per-conversion.png": _costs(report),
        "shares.png": _shares(report),
        "attacks.png": _attacks(report),
        "refused.png": _refused(report),
    }
    return {name: png for name, png in made.items() if png is not None}


def _new(height_in: float, rows: int = 1) -> tuple[Any, list["Axes"]]:
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(WIDTH_IN, height_in), dpi=110, layout="constrained")
    axes = canvas.subplots(rows, 1, squeeze=False)
    for axis in axes[:, 0]:
        axis.spines[["top", "right"]].set_visible(False)
    return canvas, [*axes[:, 0]]


def _png(canvas: Any) -> bytes:
    out = io.BytesIO()
    canvas.savefig(out, format="png")
    return out.getvalue()


def _bars(
    axis: "Axes", names: Sequence[str], policies: Sequence[str], lines: Sequence[PolicyResult], what: str
) -> None:
    """Grouped bars with 95 % intervals."""
    width = 0.8 / len(policies)
    for k, policy in enumerate(policies):
        for n, name in enumerate(names):
            line = next((result for result in lines if result.scenario == name and result.policy == policy), None)
            mean = None if line is None else getattr(line, what)
            if mean is None:
                continue
            low = mean.mean - (mean.mean if mean.low is None else mean.low)
            axis.bar(n + (k - len(policies) / 2 + 0.5) * width, mean.mean, width * 0.92, color=INK[policy], yerr=low)
        axis.bar(0, 0, color=INK[policy], label=policy)
    axis.set_xticks(range(len(names)), names, rotation=25, ha="right")
    axis.legend(frameon=False, ncols=len(policies), fontsize=8)


def _costs(report: LabReport) -> bytes | None:
    names = [scenario.name for scenario in report.scenarios if scenario.goal == "routing"]
    lines = [line for line in report.lines if line.against_oracle is not None]
    if not lines:
        return None
    canvas, (axis,) = _new(5.0)
    _bars(axis, names, (HOMING, *BASELINES), lines, "against_oracle")
    axis.axhline(1.0, color=INK[ORACLE], linewidth=1)
    axis.axhline(1.05, color=INK[ORACLE], linewidth=0.8, linestyle=":")
    highest = max(line.against_oracle.mean for line in lines if line.against_oracle is not None)
    axis.set_ylim(0.8, min(2.0, highest * 1.08))
    axis.set_ylabel("cost per conversion / the oracle's")
    axis.set_title("Cost per conversion against an oracle that knows the truth (dotted: 1.05)", loc="left")
    return _png(canvas)


def _shares(report: LabReport) -> bytes | None:
    watched = [scenario for scenario in report.scenarios if scenario.watched]
    chosen = watched or [scenario for scenario in report.scenarios if scenario.goal == "routing"][:3]
    shown = []
    for scenario in chosen:
        result = next((run for run in report.results if (run.scenario, run.policy) == (scenario.name, HOMING)), None)
        if result is not None:
            shown.append((scenario, result))
    if not shown:
        return None
    canvas, axes = _new(2.6 * len(shown), len(shown))
    for axis, (scenario, result) in zip(axes, shown, strict=True):
        hours = [n * COURSE_MIN / 60 for n in range(len(result.course))]
        for k, carrier in enumerate(scenario.carriers):
            axis.step(hours, [shares[k] for shares in result.course], where="post", label=carrier.name)
        begins_s = shift_begins_s(scenario)
        if begins_s is not None:
            axis.axvline(begins_s / 3600, color="#c92a2a", linewidth=1, linestyle="--")
        axis.axhline(SHIFTED_SHARE, color="#868e96", linewidth=0.8, linestyle=":")
        axis.set_ylim(0, 1.02)
        axis.set_title(f"{scenario.name}, seed {result.seed}: shares under Homing", loc="left", fontsize=10)
        axis.legend(frameon=False, ncols=len(scenario.carriers), fontsize=8)
    axes[-1].set_xlabel("hours")
    return _png(canvas)


def _attacks(report: LabReport) -> bytes | None:
    policies = (HOMING, *GUARDS)
    cells = [
        (scenario.name, kind)
        for scenario in report.scenarios
        for kind in dict.fromkeys(attack.kind for attack in scenario.attacks)
    ]
    if not cells or not any(line.stopped for line in report.lines):
        return None
    canvas, (axis,) = _new(4.2)
    width = 0.8 / len(policies)
    for k, policy in enumerate(policies):
        axis.bar(0, 0, color=INK[policy], label=policy)
        for n, (name, kind) in enumerate(cells):
            line = next((result for result in report.lines if (result.scenario, result.policy) == (name, policy)), None)
            if line is not None and kind in line.stopped:
                mean = line.stopped[kind]
                low = 0.0 if mean.low is None else mean.mean - mean.low
                at = n + (k - len(policies) / 2 + 0.5) * width
                axis.bar(at, mean.mean * 100, width * 0.92, color=INK[policy], yerr=low * 100)
    labels = [name if name == kind else f"{name}\n{kind}" for name, kind in cells]
    axis.set_xticks(range(len(cells)), labels, rotation=25, ha="right", fontsize=8)
    axis.set_ylim(0, 105)
    axis.set_ylabel("% of the attack's spend stopped")
    axis.set_title("Attacks", loc="left")
    axis.legend(frameon=False, ncols=len(policies), fontsize=8)
    return _png(canvas)


def _refused(report: LabReport) -> bytes | None:
    names = [scenario.name for scenario in report.scenarios if scenario.goal == "guard"]
    lines = [line for line in report.lines if line.refused is not None]
    if not lines:
        return None
    canvas, (axis,) = _new(4.2)
    _bars(axis, names, (HOMING, *GUARDS), lines, "refused")
    axis.axhline(0.005, color="#868e96", linewidth=0.8, linestyle=":")
    axis.set_yscale("symlog", linthresh=0.001)
    axis.set_ylabel("share of real people refused")
    axis.set_title("Real people refused (dotted: 0.5 %)", loc="left")
    return _png(canvas)
