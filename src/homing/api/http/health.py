"""Health and metrics, beside the dialects."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client.metrics_core import Metric

from homing import errors
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.observe.metrics import MetricsExporter
from homing.store.alarms import alarm_metric, read_alarms
from homing.store.database import Database
from homing.store.queue_depths import queue_depths

DISK_FREE_BYTES_MIN: Final = 64 * 2**20  # of the data folder; with less, health says so
DISK_FULL_S: Final = 10.0  # after a write that found the disk full, the process counts as unable to take traffic
GET = frozenset(("GET", "HEAD"))
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class HealthEndpoints:
    """`/healthz`: 200 while this process takes traffic, with the names of what is wrong elsewhere (`alarms`); 503 with
    the reason while it drains or has no database.
    """

    def __init__(
        self, *, database: Database, metrics: MetricsExporter, draining: Callable[[], bool], data: Path
    ) -> None:
        self._database = database
        self._metrics_exporter = metrics
        self._draining = draining
        self._data = data

    def endpoints(self) -> Mapping[str, HttpEndpoint]:
        return {
            "/healthz": HttpEndpoint("healthz", GET, self._health),
            "/metrics": HttpEndpoint("metrics", GET, self._metrics),
        }

    async def _health(self, _request: HttpRequest) -> HttpResponse:
        if self._draining():
            return HttpResponse(b'{"status":"draining"}', 503)
        try:
            alarms = await read_alarms(self._database)
        except errors.PlatformFailure:
            return HttpResponse(b'{"status":"unavailable","database":"away"}', 503)
        if time.monotonic() - self._database.full_at_s < DISK_FULL_S:
            return HttpResponse(b'{"status":"unavailable","database":"ok","disk":"full"}', 503)
        health: dict[str, object] = {"status": "ok", "database": "ok"}
        free_bytes = shutil.disk_usage(self._data).free
        if free_bytes < DISK_FREE_BYTES_MIN:
            health["disk"] = f"{free_bytes // 2**20} MiB free"
        if alarms:
            health["alarms"] = sorted({f"{alarm.component}.{alarm.code}" for alarm in alarms})
        return HttpResponse(msgspec.json.encode(health))

    async def _metrics(self, _request: HttpRequest) -> HttpResponse:
        return HttpResponse(await self._metrics_exporter.render(self._on_demand), 200, TEXT)

    async def _on_demand(self) -> list[Metric]:
        return [*await queue_depths(self._database), *await alarm_metric(self._database)]
