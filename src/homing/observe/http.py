"""Metrics of HTTP calls: integers on the hot path, turned into metrics at each scrape."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class HttpMetrics(Collector):
    """A Prometheus collector; a call costs one addition in each of two dictionaries."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def count(self, endpoint: str, status: int, took_s: float) -> None:
        key = (endpoint, status)
        self._calls[key] = self._calls.get(key, 0) + 1
        buckets = self._buckets.get(endpoint)
        if buckets is None:
            buckets = self._buckets[endpoint] = [0] * (len(BOUNDS_S) + 1)
            self._seconds[endpoint] = 0.0
        buckets[bisect_left(BOUNDS_S, took_s)] += 1
        self._seconds[endpoint] += took_s

    def collect(self) -> Iterable[Metric]:
        calls = CounterMetricFamily("homing_http_requests", "HTTP calls answered", labels=("endpoint", "status"))
        for (endpoint, status), count in self._calls.items():
            calls.add_metric((endpoint, str(status)), count)
        yield calls
        times = HistogramMetricFamily("homing_http_seconds", "Time to answer an HTTP call", labels=("endpoint",))
        for endpoint, buckets in self._buckets.items():
            total, cumulative = 0, []
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), buckets, strict=True):
                total += count
                cumulative.append((bound, total))
            times.add_metric((endpoint,), cumulative, self._seconds[endpoint])
        yield times
