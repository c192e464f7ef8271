"""How a tick's messages are accepted: each through the real intake, or all at once with the same draws."""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from homing import errors
from homing.accounts.profile import Profile
from homing.common import ids
from homing.guard.enforcement import Enforcer, GuardDecision, GuardRequest
from homing.intake.prepare import prepare
from homing.intake.submission import AcceptedMessage, MessageGroup, Submission
from homing.lab.baseline_guards import GuardBaseline
from homing.lab.event_queue import ACCOUNT_ID, SENDER
from homing.lab.world import START_S, Demand, World
from homing.model import App, Recipient, Traffic
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteRequest

NODE: Final = 0
REFUSED: Final = -1
DIALECT: Final = 0
"""The number of no dialect."""
ChosenCarriers = NDArray[np.int64]
"""The index of each message's carrier in the scenario, or `REFUSED`."""


class AcceptancePath(Protocol):
    """A way to accept messages."""

    def accept(self, demand: Demand, catalogue: Catalogue, now_s: float) -> ChosenCarriers:
        """`demand` is in order of app; `now_s` counts from the scenario's beginning."""


class IntakePath:
    """Each message goes through `intake.prepare`: number, price, guard and route, as in service. `enforcer`: Homing's
    guard.
    """

    def __init__(self, world: World, enforcer: Enforcer | None = None) -> None:
        self._world = world
        self._enforcer = enforcer
        self._now_ms = 0
        self._ids = ids.IdSource(NODE, lambda: self._now_ms)
        apps = {app.name: App(app.name, app.name, None, None) for app in world.scenario.apps}
        self._profile = Profile(ACCOUNT_ID, "lab", False, (), 20, False, SENDER, frozenset((SENDER,)), apps, ())

    def _check(self, request: GuardRequest) -> GuardDecision:
        assert self._enforcer is not None
        return self._enforcer.decide(request, ids.id_time_ms(request.message_id) / 1000)

    def accept(self, demand: Demand, catalogue: Catalogue, now_s: float) -> ChosenCarriers:
        self._now_ms = int((START_S + now_s) * 1000)
        check = None if self._enforcer is None else self._check
        chosen: list[int] = []
        edges = np.searchsorted(demand["app"], np.arange(len(self._world.scenario.apps) + 1))
        for app, first, last in zip(self._world.scenario.apps, edges, edges[1:], strict=False):
            if first == last:
                continue
            numbers = map(str, demand["number"][first:last].tolist())
            recipients = [Recipient(number, number) for number in numbers]
            group = MessageGroup(self._world.scenario.text, SENDER, recipients)
            submission = Submission(self._profile, DIALECT, app.name, "lab", [group])
            try:
                prepared = prepare(submission, catalogue, self._world.numbering, self._ids.next, check)
            except errors.Refusal:
                chosen += [REFUSED] * len(recipients)
                continue
            messages = iter(prepared.messages)
            chosen += [
                next(messages).carrier_id - 1 if type(result) is AcceptedMessage else REFUSED
                for result in prepared.results
            ]
        return np.array(chosen, np.int64)


class GuardedPath:
    """A path behind a baseline guard, which decides on each message before it."""

    def __init__(self, world: World, path: AcceptancePath, guard: GuardBaseline) -> None:
        self._path = path
        self._guard = guard
        self._codes = [country.code for country in world.scenario.countries]

    def accept(self, demand: Demand, catalogue: Catalogue, now_s: float) -> ChosenCarriers:
        allows, codes = self._guard.allows, self._codes
        columns = demand["number"].tolist(), demand["country"].tolist(), demand["at_s"].tolist()
        allowed = np.array(
            [allows(number, codes[country], at_s) for number, country, at_s in zip(*columns, strict=True)], np.bool_
        )
        chosen = np.full(len(demand), REFUSED, np.int64)
        if allowed.any():
            chosen[allowed] = self._path.accept(demand[allowed], catalogue, now_s)
        return chosen


class SharesPath:
    """Routes all messages of a tick at once: the catalogue's ranking for each app and destination, and the draw of
    `choose` with the message ids that the intake would assign. Chooses as `IntakePath` does (tests/simulation).
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._catalogue: Catalogue | None = None
        self._destinations = 0
        self._carriers = np.empty((0, 0), np.int64)
        self._edges = np.empty((0, 0), np.uint64)

    def accept(self, demand: Demand, catalogue: Catalogue, now_s: float) -> ChosenCarriers:
        destinations = len(self._world.destinations)
        if catalogue is not self._catalogue or destinations != self._destinations:
            self._rank(catalogue, destinations)
        now_ms = int((START_S + now_s) * 1000) - ids.EPOCH_MS
        nth = np.arange(len(demand), dtype=np.int64)
        at_ms, sequence = now_ms + (nth >> ids.SEQUENCE_BITS), nth & ((1 << ids.SEQUENCE_BITS) - 1)
        draws = _mix64((at_ms << ids.SHIFT) | (NODE << ids.SEQUENCE_BITS) | sequence)
        cell = demand["app"].astype(np.int64) * destinations + demand["destination"]
        edges = self._edges[cell]
        weight = edges[:, -1]
        ticket = draws % np.maximum(weight, 1)
        picked = (ticket[:, None] >= edges).sum(axis=1).clip(max=edges.shape[1] - 1)
        return np.where(weight > 0, self._carriers[cell, picked], REFUSED)

    def _rank(self, catalogue: Catalogue, destinations: int) -> None:
        """Tabulates the first tier of each app and destination: its carriers, and the edges of the tickets that pick
        them; edges are 0 where there is no route.
        """
        world = self._world
        shape = len(world.scenario.apps) * destinations, len(world.scenario.carriers)
        self._carriers, self._edges = np.full(shape, REFUSED, np.int64), np.zeros(shape, np.uint64)
        for a, app in enumerate(world.scenario.apps):
            for d, destination in enumerate(world.destinations):
                number = self._world.sample_number(d)
                price = catalogue.price(ACCOUNT_ID, number)
                request = RouteRequest(
                    account_id=ACCOUNT_ID,
                    app_id=app.name,
                    sender=SENDER,
                    traffic=int(Traffic.TRANSACTIONAL),
                    number=number,
                    country=destination.country,
                    network=destination.network,
                )
                ranked = None if price is None else catalogue.rank(request, price.micro)
                if ranked is None or not ranked.tiers:
                    continue
                best = ranked.tiers[0]
                total = 0
                for k, row in enumerate(best.candidates):
                    total += row.weight
                    self._carriers[a * destinations + d, k] = row.carrier_id - 1
                    self._edges[a * destinations + d, k:] = total
        self._catalogue, self._destinations = catalogue, destinations


def _mix64(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """common.mixing.mix64 of an array."""
    mixed = values.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
