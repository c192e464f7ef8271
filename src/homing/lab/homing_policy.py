"""Homing itself: the real learner, adaptive routing, fraud model and enforcer, on the virtual clock."""

import random
from collections.abc import Sequence
from typing import Final

from homing import limits
from homing.guard.enforcement import Enforcer
from homing.guard.model import FraudModel
from homing.guard.policy import GuardPolicy
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.lab.catalogues import catalogue, single_rule
from homing.lab.event_queue import ACCOUNT_ID
from homing.lab.world import START_S, World, worth_micro
from homing.learning.adaptive import AdaptiveRouting
from homing.learning.learner import RoutingLearner
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.objective import Objective
from homing.routing.shares import ShareTable
from homing.statistics.delta import Delta

GUARDED_UPDATE_S: Final = 30.0
"""Between updates of the learner in guard scenarios, to save time: carriers do not change there."""


class HomingRouter:
    """One adaptive rule with all of the scenario's carriers. The learner is updated every `LEARN_S`, as in service.

    Apps do not declare whether they report conversions.
    """

    listens: bool = True
    update_s: float = limits.LEARN_S

    def __init__(self, world: World, update_s: float | None = None) -> None:
        """`update_s`: between updates; None: as the scenario says, or as in service."""
        update_s = update_s or world.scenario.learn_s
        if update_s is not None:
            self.update_s = update_s
        self._world = world
        self.learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(random.Random(f"homing {world.seed}"))  # noqa: S311 - draws of posteriors, repeatable
        self._rules = single_rule(world, Strategy.ADAPTIVE)
        objective = Objective(worth_micro=worth_micro(world.scenario), quality_floor=world.scenario.quality_floor)
        self._objectives = {(ACCOUNT_ID, ""): objective}
        self._updated_s = -self.update_s
        self._minute = -1
        self._without_shares: Catalogue | None = None
        self._catalogue: Catalogue | None = None

    def observe(self, deltas: Sequence[Delta]) -> None:
        self.learner.observe(deltas)

    def update(self, now_s: float) -> None:
        if now_s - self._updated_s < self.update_s:
            return
        self._updated_s = now_s
        unix_s = START_S + now_s
        priced = self._priced(int(now_s // 60))
        self.learner.update(unix_s)
        decisions = self._adaptive.decide(priced, self.learner, unix_s)
        self._catalogue = priced.with_shares(ShareTable({key: decision.shares for key, decision in decisions.items()}))

    def catalogue(self) -> Catalogue:
        assert self._catalogue is not None
        return self._catalogue

    def _priced(self, minute: int) -> Catalogue:
        """The catalogue with the costs of a minute, which a policy may know: they are in the carriers' price lists."""
        table = self._world.truth.cost_micro
        minute = min(minute, len(table) - 1)
        if self._without_shares is None or (minute != self._minute and (table[minute] != table[self._minute]).any()):
            self._without_shares = catalogue(self._world, self._rules, minute, self._objectives)
        self._minute = minute
        return self._without_shares


class HomingGuardedRouter(HomingRouter):
    """With the guard, whose rules all block. The fraud model is updated in each tick, before the enforcer decides."""

    update_s = GUARDED_UPDATE_S

    def __init__(self, world: World, policy: GuardPolicy | None = None) -> None:
        super().__init__(world)
        self._model = FraudModel(policy)
        self.enforcer = Enforcer(policy)
        self.enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))

    def observe(self, deltas: Sequence[Delta]) -> None:
        super().observe(self._model.snapshot.without_fraud(deltas))
        self._model.observe(deltas)

    def update(self, now_s: float) -> None:
        super().update(now_s)
        self._model.update(START_S + now_s, self.learner.expected_rate, self.learner.reporting)
        self.enforcer.use_snapshot(self._model.snapshot)
