"""Homing itself: the real learner, decider, fraud model and enforcer, fed as in service, on the virtual clock."""

import random
from collections.abc import Sequence
from typing import Final

from homing import limits
from homing.guard.enforcement import Enforcer
from homing.guard.model import FraudModel
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.lab.catalogues import catalogue, one_rule
from homing.lab.event_queue import ACCOUNT_ID
from homing.lab.world import START_S, World, worth_micro
from homing.learning.adaptive import AdaptiveRouting
from homing.learning.learner import RoutingLearner
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.objective import Objective
from homing.routing.shares import ShareTable
from homing.statistics.delta import Delta

GUARDED_LEARN_S: Final = 30.0
"""Between the learner's thoughts where the guard is the subject: carriers stay as they are there, and it saves time."""


class HomingRouter:
    """One adaptive rule with all of the scenario's carriers. Thinks every `LEARN_S`, as the brain does.

    Apps are not declared: whether they report conversions is found out.
    """

    listens: bool = True
    learn_s: float = limits.LEARN_S

    def __init__(self, world: World) -> None:
        self._world = world
        self._learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(random.Random(f"homing {world.seed}"))  # noqa: S311 - draws of posteriors, repeatable
        self._rules = one_rule(world, Strategy.ADAPTIVE)
        terms = Objective(worth_micro=worth_micro(world.scenario), quality_floor=world.scenario.quality_floor)
        self._terms = {(ACCOUNT_ID, ""): terms}
        self._thought_s = -self.learn_s
        self._minute = -1
        self._plain: Catalogue | None = None
        self._catalogue: Catalogue | None = None

    def observe(self, deltas: Sequence[Delta]) -> None:
        self._learner.observe(deltas)

    def update(self, now_s: float) -> None:
        if now_s - self._thought_s < self.learn_s:
            return
        self._thought_s = now_s
        now = START_S + now_s
        plain = self._priced(int(now_s // 60))
        self._learner.update(now)
        decided = self._adaptive.decide(plain, self._learner, now)
        self._catalogue = plain.with_shares(ShareTable({key: decision.shares for key, decision in decided.items()}))

    def catalogue(self) -> Catalogue:
        assert self._catalogue is not None
        return self._catalogue

    def _priced(self, minute: int) -> Catalogue:
        """What carriers ask is no secret: it is in their price lists."""
        table = self._world.truth.cost_micro
        minute = min(minute, len(table) - 1)
        if self._plain is None or (minute != self._minute and (table[minute] != table[self._minute]).any()):
            self._plain = catalogue(self._world, self._rules, minute, self._terms)
        self._minute = minute
        return self._plain


class HomingGuardedRouter(HomingRouter):
    """With the guard, all of whose rules block. The model is updated at every tick, before the enforcer decides."""

    learn_s = GUARDED_LEARN_S

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._model = FraudModel()
        self.enforcer = Enforcer()
        self.enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))

    def observe(self, deltas: Sequence[Delta]) -> None:
        super().observe(self._model.snapshot.without_fraud(deltas))
        self._model.observe(deltas)

    def update(self, now_s: float) -> None:
        super().update(now_s)
        self._model.update(START_S + now_s, self._learner.expected_rate, self._learner.reporting)
        self.enforcer.use_snapshot(self._model.snapshot)
