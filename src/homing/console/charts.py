"""Charts as geometry for SVG: pure. A plot is drawn in a box of WIDTH x HEIGHT that the page stretches; words stand
beside it as HTML, so that they keep their size on a phone.
"""

from collections.abc import Sequence
from math import ceil, log10

import msgspec

WIDTH = 1000.0
HEIGHT = 200.0
GAP = 0.2
"""Of a bar's room, left free."""


class Series(msgspec.Struct, frozen=True):
    """`tone` is the class that colours it; a value of None is a gap."""

    label: str
    tone: str
    values: Sequence[float | None]


class Bar(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    tone: str


class PeriodSlot(msgspec.Struct, frozen=True):
    """A period's whole height: where the pointer finds what happened in it."""

    x: float
    width: float
    title: str


class ChartLine(msgspec.Struct, frozen=True):
    """`path` as SVG writes it; `dots` are values without a neighbour."""

    path: str
    dots: Sequence[tuple[float, float]]
    tone: str


class Plot(msgspec.Struct, frozen=True):
    """`top` is the value at the upper edge; the lower one is 0."""

    top: float
    series: Sequence[Series]
    titles: Sequence[str]
    bars: Sequence[Bar] = ()
    lines: Sequence[ChartLine] = ()
    slots: Sequence[PeriodSlot] = ()

    @property
    def is_empty(self) -> bool:
        return not any(value for line in self.series for value in line.values)


def round_top(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8 times a power of ten: a plot is at least half full."""
    if value <= 0:
        return 1.0
    power = 10.0 ** ceil(log10(value) - 1e-9)
    return next(power * step for step in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if power * step >= value * (1 - 1e-9))


def stacked(titles: Sequence[str], series: Sequence[Series]) -> Plot:
    """Bars of what adds up, the first series at the bottom. `titles`: what is told of each period."""
    sums = [sum(max(0.0, line.values[n] or 0) for line in series) for n in range(len(titles))]
    top, room = round_top(max(sums, default=0)), WIDTH / max(1, len(titles))
    bars = []
    for n in range(len(titles)):
        base = HEIGHT
        for line in series:
            height = max(0.0, line.values[n] or 0) / top * HEIGHT
            if height:
                base -= height
                bars.append(Bar(_r(room * (n + GAP / 2)), _r(base), _r(room * (1 - GAP)), _r(height), line.tone))
    return Plot(top, series, titles, bars=bars, slots=_slots(titles))


def lines(titles: Sequence[str], series: Sequence[Series], top: float | None = None) -> Plot:
    """Lines through the middle of each period."""
    highest = max((value for line in series for value in line.values if value is not None), default=0)
    top = top or round_top(highest)
    return Plot(top, series, titles, lines=[_line(line, top, len(titles)) for line in series], slots=_slots(titles))


def _line(series: Series, top: float, periods: int) -> ChartLine:
    room = WIDTH / max(1, periods)
    path, dots, run = [], [], 0
    for n, value in enumerate(series.values):
        if value is None:
            run = 0
            continue
        x, y = _r(room * (n + 0.5)), _r(HEIGHT - min(value, top) / top * HEIGHT)
        path.append(f"{'L' if run else 'M'}{x} {y}")
        run += 1
        is_last = n + 1 == len(series.values) or series.values[n + 1] is None
        if run == 1 and is_last:
            dots.append((x, y))
    return ChartLine("".join(path), dots, series.tone)


def _slots(titles: Sequence[str]) -> Sequence[PeriodSlot]:
    room = WIDTH / max(1, len(titles))
    return [PeriodSlot(_r(room * n), _r(room), title) for n, title in enumerate(titles)]


def _r(value: float) -> float:
    return round(value, 2)
