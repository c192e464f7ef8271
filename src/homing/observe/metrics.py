"""One `GET /metrics` for all of an installation's processes.

Each process writes its metrics to a file every few seconds; the process that is scraped returns its own and those of
the others' files, a few seconds old. Every sample carries the label `process`.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from homing.common.private_files import make_private_folder, open_private

log = structlog.get_logger()
WRITE_INTERVAL_S: Final = 2.0
STALE_S: Final = 15.0
METRICS_AGE_S_MAX: Final = WRITE_INTERVAL_S


class MetricsExporter:
    """Writes this process's registry to `folder`, and renders those of all processes."""

    def __init__(self, registry: CollectorRegistry, folder: Path, process: str) -> None:
        self._registry = registry
        self._folder = folder
        self._process = process
        self._file = folder / f"{process}.prom"
        self._rendering: asyncio.Task[bytes] | None = None
        self._rendered_at_s = 0.0

    async def run(self) -> None:
        """A file that cannot be written (a full disk) hides this process from the others, and is logged once."""
        is_logged = False
        while True:
            try:
                self._write()
                is_logged = False
            except OSError as error:
                if not is_logged:
                    log.error("metrics_not_written", detail=str(error))
                    is_logged = True
            await asyncio.sleep(WRITE_INTERVAL_S)

    def _write(self) -> None:
        make_private_folder(self._folder)
        temporary = self._file.with_suffix(".new")
        temporary.unlink(missing_ok=True)  # left by a killed process, perhaps another user's
        with open(open_private(temporary, os.O_WRONLY | os.O_EXCL), "wb") as file:
            file.write(generate_latest(self._registry))
        os.replace(temporary, self._file)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    async def render(self, read_extra: Callable[[], Awaitable[Iterable[Metric]]]) -> bytes:
        """Prometheus text, at most `METRICS_AGE_S_MAX` old: it is rendered no more often than that, in a
        thread of its own. `read_extra` gives families that are read on demand.
        """
        now_s = asyncio.get_running_loop().time()
        if self._rendering is None or (self._rendering.done() and now_s - self._rendered_at_s >= METRICS_AGE_S_MAX):
            self._rendered_at_s = now_s
            self._rendering = asyncio.ensure_future(self._render(read_extra))
        try:
            return await asyncio.shield(self._rendering)
        except Exception:
            self._rendering = None
            raise

    async def _render(self, read_extra: Callable[[], Awaitable[Iterable[Metric]]]) -> bytes:
        extra = list(await read_extra())
        own = generate_latest(self._registry).decode()  # here, since this thread changes the counters
        return await asyncio.to_thread(self._merge, own, extra)

    def _merge(self, own: str, extra: list[Metric]) -> bytes:
        texts = {self._process: own}
        for file in self._folder.glob("*.prom"):
            with contextlib.suppress(OSError):
                if file.stem != self._process and time.time() - file.stat().st_mtime < STALE_S:
                    texts[file.stem] = file.read_text(encoding="utf-8")
        registry = CollectorRegistry()
        registry.register(_Merged(texts, extra))
        return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: dict[str, str], extra: list[Metric]) -> None:
        self._texts = texts
        self._extra = extra

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                into = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    into.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
        yield from families.values()
        yield from self._extra
