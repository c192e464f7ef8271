"""A router with a guard beside it: both hear the same facts."""

from collections.abc import Sequence

from homing.lab.guards import Allows
from homing.lab.routers import Router
from homing.routing.tariff import Tariff
from homing.statistics.delta import Delta


class Guarded:
    def __init__(self, router: Router, guard: Allows | None) -> None:
        self._router = router
        self._guard = guard
        self.listens = router.listens or guard is not None

    def hear(self, deltas: Sequence[Delta]) -> None:
        if self._guard is not None:
            self._guard.hear(deltas)
        if self._router.listens:
            self._router.hear(deltas)

    def think(self, now_s: float) -> None:
        self._router.think(now_s)

    def tariff(self) -> Tariff:
        return self._router.tariff()
