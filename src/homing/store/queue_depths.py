"""Queue lengths as metrics, read from the database at each scrape."""

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from homing import errors
from homing.store import statements
from homing.store.database import Database


async def queue_depths(database: Database) -> list[Metric]:
    """Waiting rows by kind, and unmatched receipts by carrier; nothing while the database is unavailable."""
    try:
        rows = await statements.observe.depths(database)
        carriers = await statements.receipts.unmatched_by_carrier(database)
    except errors.PlatformFailure:
        return []
    waiting = GaugeMetricFamily("homing_waiting", "Waiting rows by kind", labels=("kind",))
    for row in rows:
        waiting.add_metric((row.kind,), row.waiting)
    unmatched = GaugeMetricFamily(
        "homing_unmatched_receipts", "Receipts whose message was not found", labels=("carrier",)
    )
    for carrier in carriers:
        unmatched.add_metric((carrier.carrier,), carrier.unmatched)
    return [waiting, unmatched]
