"""Homing itself: the real learner, sharer, mind and judge, fed as the brain feeds them, on the virtual clock."""

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from homing import limits
from homing.lab.reports import ACCOUNT_ID
from homing.lab.tariffs import one_rule, tariff
from homing.lab.world import START_S, World, worth_micro
from homing.model import Strategy
from homing.routing.beliefs import CellKey, Learner
from homing.routing.book import SharesBook
from homing.routing.rules import Match
from homing.routing.shares import Sharer, Shares, Terms
from homing.routing.tariff import Tariff
from homing.statistics.delta import Delta

NOBODY_DOWN: Final[frozenset[int]] = frozenset()


class Homing:
    """One adaptive rule with all of the scenario's carriers. Thinks every `LEARN_S`, as the brain does."""

    listens: ClassVar[bool] = True
    judge = None

    def __init__(self, world: World) -> None:
        self._world = world
        self._learner = Learner()
        self._sharer = Sharer()
        (self._rule,) = one_rule(world, Strategy.ADAPTIVE)
        self._carriers = [row.carrier_id for row in self._rule.candidates]
        self._terms = Terms(worth_micro=worth_micro(world.scenario), quality_floor=world.scenario.quality_floor)
        self._chance = random.Random(f"homing {world.seed}")  # noqa: S311 - the posterior's draws, repeatable
        for app in world.scenario.apps:
            self._learner.declare(app.name, None)
        self._thought_s = -1.0e9
        self._minute = -1
        self._plain: Tariff | None = None
        self._tariff: Tariff | None = None
        self._prices: Sequence[object] = ()
        self._country = {(place.country, place.network): place.country_index for place in world.places}
        self._costs: Mapping[int, Mapping[int, int]] = {}

    def hear(self, deltas: Sequence[Delta]) -> None:
        self._learner.hear(deltas)

    def think(self, now_s: float) -> None:
        if now_s - self._thought_s < limits.LEARN_S:
            return
        self._thought_s = now_s
        now = START_S + now_s
        self._read_costs(int(now_s // 60))
        self._learner.think(now)
        shares: dict[tuple[Match, CellKey], Shares] = {}
        for cell in self._learner.active():
            beliefs = self._learner.beliefs(cell, self._carriers)
            costs = self._costs[self._country[cell.country, cell.network]]
            shares[self._rule.match, cell] = self._sharer.share(
                cell, self._rule, costs, NOBODY_DOWN, beliefs, self._terms, now, self._chance
            )
        assert self._plain is not None
        self._tariff = self._plain.with_shares(SharesBook(shares))

    def tariff(self) -> Tariff:
        assert self._tariff is not None
        return self._tariff

    def _read_costs(self, minute: int) -> None:
        """What carriers ask is no secret: it is in their price lists."""
        table = self._world.truth.cost_micro
        minute = min(minute, len(table) - 1)
        if self._plain is not None and (minute == self._minute or (table[minute] == table[self._minute]).all()):
            self._minute = minute
            return
        self._minute = minute
        self._plain = tariff(self._world, [self._rule], minute)
        for place in self._world.places:
            self._country[place.country, place.network] = place.country_index
        self._costs = {
            country: {k: int(table[minute, country, k - 1]) for k in self._carriers}
            for country in range(table.shape[1])
        }


__all__ = ["ACCOUNT_ID", "Homing"]
