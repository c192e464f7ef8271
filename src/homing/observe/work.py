"""Counters of submits, receipts and pushes, incremented once a batch."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from homing.model import Answer, Outcome


class WorkMetrics:
    """Submits by carrier and outcome, receipts by carrier and effect, pushes by outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._submits = Counter(
            "homing_submits", "Messages submitted to carriers", ("carrier", "outcome"), registry=registry
        )
        self._receipts = Counter("homing_receipts", "Receipts from carriers", ("carrier", "effect"), registry=registry)
        self._pushes = Counter("homing_pushes", "Push attempts to customers", ("outcome",), registry=registry)

    def submitted(self, carrier: str, answers: Sequence[Answer]) -> None:
        for outcome in Outcome:
            count = sum(1 for answer in answers if answer.outcome is outcome)
            if count:
                self._submits.labels(carrier, outcome.name.lower()).inc(count)

    def received(self, carrier: str, effect: str, count: int) -> None:
        """`effect`: applied, repeated, intermediate, parked, or unmatched once it is given up."""
        if count:
            self._receipts.labels(carrier, effect).inc(count)

    def pushed(self, outcome: str, count: int) -> None:
        if count:
            self._pushes.labels(outcome).inc(count)
