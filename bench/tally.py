"""What one run of the generator saw: every answer is checked, every fault is counted under its name."""

import math
from collections import Counter
from collections.abc import Callable

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Counts and times are of the measured window, unless they say otherwise."""

    ok: int
    """Answers with the right status and the expected bytes."""
    errors: int
    """All that went wrong, in the warm-up and the drain too: none of it is ever thrown away."""
    seconds: float
    rate: float
    """`ok` per second."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float
    """CPU of the generator's process, user and system. Near `seconds` it is the generator we measured."""
    accepted: int
    """Right answers over the whole run, warm-up and drain included: what the server must now account for."""
    reconnects: int
    """Connections that the server closed in order and that were opened again, on its time."""
    lag_p99_ms: float = 0.0
    """Open loop: how late requests left, by the tick or for want of a connection; part of the latencies."""
    faults: dict[str, int] = {}
    """Errors by kind."""
    first_fault: str = ""
    """The start of the first answer that was wrong."""

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_s / self.ok * 1e6 if self.ok else math.nan

    @property
    def saturated(self) -> bool:
        """Whether the generator was so busy that the rate says more about it than about the server."""
        return self.cpu_s > 0.9 * self.seconds


class Tally:
    """Checks answers and counts them while a run goes on; `result` sums it up."""

    __slots__ = (
        "_collect",
        "_expect",
        "_status",
        "accepted",
        "faults",
        "first_fault",
        "lags_s",
        "latencies_s",
        "reconnects",
    )

    def __init__(self, expect: bytes, status: int, collect: Callable[[bytes], None] | None) -> None:
        self._expect = expect
        self._status = b"%d" % status
        self._collect = collect
        self.accepted = 0
        self.reconnects = 0
        self.latencies_s: list[float] = []
        self.lags_s: list[float] = []
        self.faults: Counter[str] = Counter()
        self.first_fault = ""

    def right(self, data: bytes, body: int) -> bool:
        """Whether the response `data`, whose body begins at `body`, is the one that was asked for."""
        if data[9:12] != self._status:
            self.fault(f"status {data[9:12].decode('latin-1')}", data)
            return False
        if data.find(self._expect, body) < 0:
            self.fault("unexpected body", data)
            return False
        self.accepted += 1
        if self._collect is not None:
            self._collect(data[body:])
        return True

    def fault(self, kind: str, data: bytes = b"", count: int = 1) -> None:
        self.faults[kind] += count
        if not self.first_fault:
            self.first_fault = data[:300].decode("latin-1") or kind

    def result(self, seconds: float, cpu_s: float) -> Result:
        ordered = sorted(self.latencies_s)
        return Result(
            ok=len(ordered),
            errors=self.faults.total(),
            seconds=seconds,
            rate=len(ordered) / seconds if seconds else 0.0,
            p50_ms=percentile(ordered, 0.50) * 1e3,
            p99_ms=percentile(ordered, 0.99) * 1e3,
            max_ms=percentile(ordered, 1.0) * 1e3,
            cpu_s=cpu_s,
            accepted=self.accepted,
            reconnects=self.reconnects,
            lag_p99_ms=percentile(sorted(self.lags_s), 0.99) * 1e3 if self.lags_s else 0.0,
            faults=dict(self.faults),
            first_fault=self.first_fault,
        )


def percentile(ordered: list[float], share: float) -> float:
    """The nearest-rank percentile of an ascending list: a value that was measured; nan if there is none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
