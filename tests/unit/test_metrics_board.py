"""/metrics costs as much when everybody asks as when nobody does."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import Metric

from homing.observe import metrics
from homing.observe.metrics import MetricsExporter


async def test_what_many_ask_for_is_put_together_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "METRICS_AGE_S_MAX", 0.3)
    registry, times = CollectorRegistry(), 0
    Counter("asked", "How often", registry=registry)
    board = MetricsExporter(registry, tmp_path, "api-1")

    async def extra() -> Iterable[Metric]:
        nonlocal times
        times += 1
        if times == 2:
            raise OSError("away")
        return []

    texts = await asyncio.gather(*(board.render(extra) for _ in range(50)))
    assert times == 1
    assert all(b'asked_total{process="api-1"} 0.0' in text for text in texts)
    await asyncio.sleep(0.4)
    with pytest.raises(OSError, match="away"):
        await board.render(extra)
    await board.render(extra)
    assert times == 3, "a failure is not kept"
