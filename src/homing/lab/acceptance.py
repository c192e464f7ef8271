"""How a tick's messages are accepted: through the whole of the real intake, or by the same draws for all at once."""

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
from homing.lab.world import START_S, Needs, World
from homing.model import App, Recipient, Traffic
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteRequest

NODE: Final = 0
REFUSED: Final = -1
Chosen = NDArray[np.int64]


DIALECT: Final = 0
"""No dialect's number: the lab's messages come by none."""


class AcceptancePath(Protocol):
    """Gives each message's carrier (its place in the scenario's list), or `REFUSED`. Needs come in order of app."""

    def accept(self, needs: Needs, catalogue: Catalogue, now_s: float) -> Chosen: ...


class IntakePath:
    """Every message through `intake.prepare`: numbers located, priced, checked by the guard, routed, made into rows.

    `guard` is a baseline's, which knows countries alone and stands before the intake; `enforcer` is Homing's.
    """

    def __init__(self, world: World, guard: GuardBaseline | None = None, enforcer: Enforcer | None = None) -> None:
        self._world = world
        self._guard = guard
        self._enforcer = enforcer
        self._now_ms = 0
        self._ids = ids.IdSource(NODE, lambda: self._now_ms)
        apps = {app.name: App(app.name, app.name, None, None) for app in world.scenario.apps}
        self._profile = Profile(ACCOUNT_ID, "lab", False, (), 20, False, SENDER, frozenset((SENDER,)), apps, ())

    def accept(self, needs: Needs, catalogue: Catalogue, now_s: float) -> Chosen:
        if self._guard is None:
            return self._prepared(needs, catalogue, now_s)
        codes = [country.code for country in self._world.scenario.countries]
        minute = int(now_s // 60)
        allows = self._guard.allows
        allowed = np.array([allows(codes[country], minute) for country in needs["country"].tolist()], np.bool_)
        chosen = np.full(len(needs), REFUSED, np.int64)
        if allowed.any():
            chosen[allowed] = self._prepared(needs[allowed], catalogue, now_s)
        return chosen

    def _check(self, request: GuardRequest) -> GuardDecision:
        assert self._enforcer is not None
        return self._enforcer.decide(request, ids.id_time_ms(request.message_id) / 1000)

    def _prepared(self, needs: Needs, catalogue: Catalogue, now_s: float) -> Chosen:
        self._now_ms = int((START_S + now_s) * 1000)
        check = None if self._enforcer is None else self._check
        chosen: list[int] = []
        edges = np.searchsorted(needs["app"], np.arange(len(self._world.scenario.apps) + 1))
        for app, first, last in zip(self._world.scenario.apps, edges, edges[1:], strict=False):
            if first == last:
                continue
            numbers = map(str, needs["number"][first:last].tolist())
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
                next(messages).carrier_id - 1 if type(fate) is AcceptedMessage else REFUSED for fate in prepared.fates
            ]
        return np.array(chosen, np.int64)


class SharesPath:
    """The choice alone, for a whole tick at once: the tariff's offer for each app and network, and `choose`'s own draw
    by the ids that the intake would have given out. Chooses as `IntakePath` does (tests/simulation).
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._catalogue: Catalogue | None = None
        self._places = 0
        self._carriers = np.empty((0, 0), np.int64)
        self._edges = np.empty((0, 0), np.uint64)

    def accept(self, needs: Needs, catalogue: Catalogue, now_s: float) -> Chosen:
        places = len(self._world.places)
        if catalogue is not self._catalogue or places != self._places:
            self._read(catalogue, places)
        now_ms = int((START_S + now_s) * 1000) - ids.EPOCH_MS
        nth = np.arange(len(needs), dtype=np.int64)
        at_ms, sequence = now_ms + (nth >> ids.SEQUENCE_BITS), nth & ((1 << ids.SEQUENCE_BITS) - 1)
        draws = _mix((at_ms << ids.SHIFT) | (NODE << ids.SEQUENCE_BITS) | sequence)
        cell = needs["app"].astype(np.int64) * places + needs["place"]
        edges = self._edges[cell]
        weight = edges[:, -1]
        ticket = draws % np.maximum(weight, 1)
        picked = (ticket[:, None] >= edges).sum(axis=1).clip(max=edges.shape[1] - 1)
        return np.where(weight > 0, self._carriers[cell, picked], REFUSED)

    def _read(self, catalogue: Catalogue, places: int) -> None:
        """The first group of each offer, as edges of the tickets that pick its rows; all 0 where there is no route."""
        world = self._world
        shape = len(world.scenario.apps) * places, len(world.scenario.carriers)
        self._carriers, self._edges = np.full(shape, REFUSED, np.int64), np.zeros(shape, np.uint64)
        for a, app in enumerate(world.scenario.apps):
            for p, place in enumerate(world.places):
                number = self._world.sample(p)
                price = catalogue.price(ACCOUNT_ID, number)
                request = RouteRequest(
                    ACCOUNT_ID, app.name, SENDER, int(Traffic.TRANSACTIONAL), number, place.country, place.network
                )
                ranked = None if price is None else catalogue.rank(request, price.micro)
                if ranked is None or not ranked.tiers:
                    continue
                best = ranked.tiers[0]
                total = 0
                for k, row in enumerate(best.candidates):
                    total += row.weight
                    self._carriers[a * places + p, k] = row.carrier_id - 1
                    self._edges[a * places + p, k:] = total
        self._catalogue, self._places = catalogue, places


def _mix(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """kit.spread.mix, of many."""
    spread = values.astype(np.uint64)
    spread = (spread ^ (spread >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    spread = (spread ^ (spread >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return spread ^ (spread >> np.uint64(31))
