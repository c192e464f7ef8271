"""A router beside a baseline guard: both observe the same deltas."""

from collections.abc import Sequence

from homing.lab.baseline_guards import GuardBaseline
from homing.lab.routers import Router
from homing.routing.catalogue import Catalogue
from homing.statistics.delta import Delta


class GuardedRouter:
    def __init__(self, router: Router, guard: GuardBaseline | None) -> None:
        self._router = router
        self._guard = guard
        self.listens = router.listens or guard is not None

    def observe(self, deltas: Sequence[Delta]) -> None:
        if self._guard is not None:
            self._guard.observe(deltas)
        if self._router.listens:
            self._router.observe(deltas)

    def update(self, now_s: float) -> None:
        self._router.update(now_s)

    def catalogue(self) -> Catalogue:
        return self._router.catalogue()
