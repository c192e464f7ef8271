"""What the elected process concludes from the traffic: the routing learner and the guard, and what each takes from the
other.
"""

import random
from collections.abc import Callable, Mapping

from homing.aggregation.aggregator import AggregateListener
from homing.aggregation.guard_listener import GuardListener
from homing.aggregation.routing_listener import RoutingListener
from homing.guard.snapshot import GuardSnapshot
from homing.learning.learner import RoutingLearner
from homing.routing.catalogue import Catalogue
from homing.store.alarms import GUARD, LEARNER


class LearnerAndGuard:
    """Makes both listeners, each anew whenever the aggregator asks, and lets the latest of each read the other's
    conclusions: the learner skips the messages of ranges that the guard takes for fraud, and the guard expects of
    genuine messages the conversion rates that the learner has found. Before there is another, the learner skips nothing
    and the guard expects what an empty learner does.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        """`catalogue`: gives the one in force."""
        self._catalogue = catalogue
        self._learning: RoutingListener | None = None
        self._guard: GuardListener | None = None

    def factories(self) -> Mapping[str, Callable[[], AggregateListener]]:
        """By the component's name in alarms."""
        return {LEARNER: self._new_learning, GUARD: self._new_guard}

    def _new_learning(self) -> RoutingListener:
        rng = random.Random()  # noqa: S311 - draws of posteriors, not secrets
        self._learning = RoutingListener(self._catalogue, rng, self._snapshot)
        return self._learning

    def _new_guard(self) -> GuardListener:
        self._guard = GuardListener(self._learner)
        return self._guard

    def _snapshot(self) -> GuardSnapshot:
        return self._guard.model.snapshot if self._guard else GuardSnapshot()

    def _learner(self) -> RoutingLearner:
        return self._learning.learner if self._learning else RoutingLearner()
