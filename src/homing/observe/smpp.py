"""Metrics of customers' binds and PDUs: integers, turned into metrics at each scrape."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from homing.observe.http import BOUNDS_S

KINDS: Final = ("transmitter", "receiver", "transceiver")


class SmppMetrics(Collector):
    """A Prometheus collector; counting a PDU is one or two additions."""

    def __init__(self) -> None:
        self._binds = dict.fromkeys(KINDS, 0)
        self._refused: dict[str, int] = {}
        self._pdus: dict[tuple[str, int], int] = {}
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._seconds = 0.0

    def bound(self, kind: str, change: int) -> None:
        """Counts a bind that begins (`change` 1) or ends (-1)."""
        self._binds[kind] += change

    def refused(self, reason: str) -> None:
        self._refused[reason] = self._refused.get(reason, 0) + 1

    def count(self, command: str, status: int) -> None:
        """Counts a request by the status of its response: a customer's, or (deliver_sm) ours."""
        key = command, status
        self._pdus[key] = self._pdus.get(key, 0) + 1

    def took(self, seconds: float, submits: int) -> None:
        """Counts submits by the time that they waited for their responses."""
        self._buckets[bisect_left(BOUNDS_S, seconds)] += submits
        self._seconds += seconds * submits

    def collect(self) -> Iterable[Metric]:
        binds = GaugeMetricFamily("homing_smpp_binds", "Customers' binds", labels=("kind",))
        for kind, count in self._binds.items():
            binds.add_metric((kind,), count)
        yield binds
        refused = CounterMetricFamily("homing_smpp_binds_refused", "Binds that were refused", labels=("reason",))
        for reason, count in self._refused.items():
            refused.add_metric((reason,), count)
        yield refused
        pdus = CounterMetricFamily("homing_smpp_pdus", "PDUs answered, by status", labels=("command", "status"))
        for (command, status), count in self._pdus.items():
            pdus.add_metric((command, f"0x{status:08X}"), count)
        yield pdus
        times = HistogramMetricFamily("homing_smpp_submit_seconds", "Time to answer a submit_sm")
        total, cumulative = 0, []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self._buckets, strict=True):
            total += count
            cumulative.append((bound, total))
        times.add_metric((), cumulative, self._seconds)
        yield times
