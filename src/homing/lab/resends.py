"""The comparison of resend policies: the same people under the same routing, with and without a second message that the
platform sends by itself.

Routing and its learner are the real ones; curves come from what was observed in the run. A check cannot say which of
the messages with one code a person read: a conversion is credited as in service (conversions/recorder.py).
"""

from collections import defaultdict
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.acceptance import SharesPath
from homing.lab.event_queue import CONVERTED, CONVERTED_AGAIN, DELIVERED, UNDELIVERED, EventQueue
from homing.lab.homing_policy import HomingRouter
from homing.lab.outcomes import FAKE, NONE, CarrierParameters
from homing.lab.reporting import ReportingModel
from homing.lab.resend_tables import OutlookTables
from homing.lab.scenario import LAB_TRIES_MAX, Scenario, micro
from homing.lab.world import DRAWS, LATENCY, LOST, RECEIPT, RECEIPT_LOST, RETRY, SPAN_MIN, Demand, World
from homing.model import ReceiptState

ResendPolicy = Literal["none", "fixed-30", "fixed-60", "likely-lost"]
Credit = Literal["checked", "reported"]
POLICIES: Final[tuple[ResendPolicy, ...]] = ("none", "fixed-30", "fixed-60", "likely-lost")
WAITS_S: Final = {"fixed-30": 30.0, "fixed-60": 60.0}
SLOTS: Final = LAB_TRIES_MAX + 1
"""Messages of a person: those that they ask for, and one that the platform sends by itself."""
RESENT: Final = SLOTS - 1  # the slot of the latter
PATIENCE_S_MEDIAN: Final = 120.0
PATIENCE_S_SIGMA: Final = 0.7
WORTH_FACTOR: Final = 10
"""The worth of a converted person over the highest price, where the scenario has none."""
TABLES_S: Final = 60.0
UPDATE_S: Final = 30.0  # between updates of the learner: it saves time, for all policies alike
LEFT_WINDOW_S: Final = 30.0
LEFT_SHARE: Final = 0.1
WARM_UP_S: Final = 3_600.0  # people who come earlier are not counted: nothing is learnt yet


class ResendRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run counted, of people who came after the first hour and whose codes expired before the end.

    `lost`: who would have entered a code and did not. `resent`: messages that the platform sent by itself. `right`: of
    the others, those by the carrier that the oracle would take. `left_s`: from the watched carrier's change until its
    share of half a minute was below a tenth; None: nothing is watched, or it never was.
    """

    scenario: str
    policy: str
    credit: str
    seed: int
    people: int
    willing: int
    lost: int
    messages: int
    resent: int
    right: int
    cost_micro: int
    left_s: float | None


PERSON_DTYPE: Final = np.dtype(
    [
        ("at_s", np.float64),
        ("app", np.int16),
        ("destination", np.int16),
        ("country", np.int16),
        ("willing", np.bool_),
        ("report_draw", np.float32),
        ("report_delay_draw", np.float32),
        ("types_s", np.float64),  # how long entering the code takes
        ("leaves_s", np.float64),  # a person without a code gives up then
        ("asks_s", np.float64),  # when the person asks for another code; inf: never
        ("tries", np.int8),
        ("first_s", np.float64),  # when the first code arrived
        ("carrier", np.int16, SLOTS),  # -1: no message
        ("sent_s", np.float64, SLOTS),
        ("arrives_s", np.float64, SLOTS),
        ("receipt_s", np.float64, SLOTS),
        ("receipt", np.int8, SLOTS),  # a ReceiptState, from `receipt_s` on
        ("superseded", np.bool_, SLOTS),  # the code has left again, in the message that the platform sends by itself
        ("draws", np.float32, (SLOTS, DRAWS)),
    ]
)
People = NDArray[np.void]


def run_resends(
    world: World, policy: ResendPolicy, credit: Credit = "checked", update_s: float = UPDATE_S
) -> ResendRun:
    """One run of a scenario without attacks."""
    return _ResendSimulation(world, policy, credit, update_s).run()


class _ResendSimulation:
    def __init__(self, world: World, policy: ResendPolicy, credit: Credit, update_s: float) -> None:
        scenario = world.scenario
        self._world, self._scenario, self._policy, self._credit = world, scenario, policy, credit
        self._router = HomingRouter(world, update_s)
        self._right = right_carriers(world)
        self._until_s = scenario.hours * 3600 - scenario.people.code_valid_s - scenario.tick_s
        self._sent = np.zeros((world.ticks, len(scenario.carriers)), np.int64)
        self._path = SharesPath(world)
        self._events = EventQueue(world, False)
        self._reporting = ReportingModel(scenario)
        self._parameters = CarrierParameters.of(scenario)
        self._conversion = np.array([app.conversion for app in scenario.apps])
        self._median_s = np.array([app.conversion_s_median for app in scenario.apps])
        self._sigma = np.array([app.conversion_s_sigma for app in scenario.apps])
        self._tables = OutlookTables(world)
        self._worth_micro = worth_of(world)
        self._people = np.zeros(0, PERSON_DTYPE)
        self._counts: defaultdict[str, int] = defaultdict(int)

    def run(self) -> ResendRun:
        world, scenario = self._world, self._scenario
        tick_s = scenario.tick_s
        span, waiting, tables_s = 0, np.zeros(0, PERSON_DTYPE), -TABLES_S
        for tick in range(world.ticks):
            now_s = float(tick * tick_s)
            while span < world.spans and span * SPAN_MIN * 60 < now_s + tick_s:
                waiting = np.concatenate((waiting, self._arrivals(world.demand(span), span)))
                span += 1
            self._router.observe(self._events.take(tick))
            self._router.update(now_s)
            if now_s - tables_s >= TABLES_S:
                tables_s = now_s
                self._tables.refresh(self._router.learner)
            last = int(np.searchsorted(waiting["at_s"], now_s + tick_s, side="left"))
            new, waiting = waiting[:last], waiting[last:]
            self._people = np.concatenate((self._people, new))
            first = len(self._people) - len(new)
            self._accept(np.arange(first, len(self._people)), np.zeros(len(new), np.int64), tick)
            self._answer(tick)
            self._ask_again(tick)
            self._resend(tick)
        counts = self._counts
        return ResendRun(
            scenario=scenario.name,
            policy=self._policy,
            credit=self._credit,
            seed=world.seed,
            people=counts["people"],
            willing=counts["willing"],
            lost=counts["lost"],
            messages=counts["messages"],
            resent=counts["resent"],
            right=counts["right"],
            cost_micro=counts["cost_micro"],
            left_s=left_after_s(scenario, self._sent),
        )

    def _is_counted(self, at_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (at_s >= WARM_UP_S) & (at_s < self._until_s)

    def _arrivals(self, demand: Demand, span: int) -> People:
        """People of a span, with all their draws. The draws of resent messages are a stream of their own."""
        demand = demand[demand["source"] == 0]
        generator = np.random.Generator(np.random.SFC64([self._world.seed, 9, span]))
        people = np.zeros(len(demand), PERSON_DTYPE)
        for name in ("at_s", "app", "destination", "country", "report_draw", "report_delay_draw"):
            people[name] = demand[name]
        app = demand["app"]
        people["willing"] = demand["conversion_draw"] < self._conversion[app]
        people["types_s"] = self._median_s[app] * np.exp(self._sigma[app] * demand["conversion_delay_draw"])
        patience = PATIENCE_S_MEDIAN * np.exp(PATIENCE_S_SIGMA * generator.standard_normal(len(demand)))
        people["leaves_s"] = people["at_s"] + np.minimum(patience, self._scenario.people.code_valid_s)
        people["first_s"] = np.inf
        people["arrives_s"] = people["receipt_s"] = np.inf
        people["asks_s"] = np.inf
        people["carrier"] = -1
        people["draws"][:, :LAB_TRIES_MAX] = demand["draws"]
        resent = generator.random((len(demand), DRAWS))
        for normal in (LATENCY, RECEIPT):
            resent[:, normal] = generator.standard_normal(len(demand))
        people["draws"][:, RESENT] = resent
        return people

    def _accept(self, rows: NDArray[np.int64], slots: NDArray[np.int64], tick: int) -> None:
        """Messages that people ask for, by the shares in force."""
        if not len(rows):
            return
        now_s = float(tick * self._scenario.tick_s)
        order = np.argsort(self._people["app"][rows], kind="stable")
        rows, slots = rows[order], slots[order]
        carrier = self._path.accept(self._people[rows], self._router.catalogue(), now_s)
        self._send(rows, slots, carrier, tick)
        people, asking = self._people, self._scenario.people
        asks = (people["draws"][rows, slots, RETRY] < asking.ask_again) & (
            people["tries"][rows] + 1 < asking.messages_max
        )
        people["asks_s"][rows] = np.where(asks, now_s + asking.ask_again_after_s, np.inf)

    def _send(self, rows: NDArray[np.int64], slots: NDArray[np.int64], carrier: NDArray[np.int64], tick: int) -> None:
        """Decides what becomes of messages, and queues their receipts."""
        people, truth, parameters = self._people, self._world.truth, self._parameters
        passed = carrier >= 0
        rows, slots, carrier = rows[passed], slots[passed], carrier[passed]
        if not len(rows):
            return
        sent_s = np.maximum(people["at_s"][rows], float(tick * self._scenario.tick_s))
        minute = truth.minute(float(tick * self._scenario.tick_s))
        cell = people["country"][rows], carrier
        draws = people["draws"][rows, slots].astype(np.float64)
        reached = draws[:, LOST] < truth.delivered[minute][cell]
        latency_s = truth.latency_s_median[minute][cell] * np.exp(parameters.sigma[carrier] * draws[:, LATENCY])
        arrives_s = np.where(reached, sent_s + latency_s, np.inf)
        kind = truth.receipts[minute][cell].astype(np.int64)
        spread = draws[:, RECEIPT]
        failed_s = sent_s + parameters.failed_median[carrier] * np.exp(parameters.failed_sigma[carrier] * spread)
        fake_s = sent_s + parameters.fake_median[carrier] * np.exp(parameters.fake_sigma[carrier] * spread)
        receipt_s = np.where(kind == FAKE, fake_s, np.where(reached, arrives_s, failed_s))
        is_reported = (kind != NONE) & (draws[:, RECEIPT_LOST] >= parameters.lost[carrier])
        is_delivered = (kind == FAKE) | reached
        people["carrier"][rows, slots] = carrier
        people["sent_s"][rows, slots] = sent_s
        people["arrives_s"][rows, slots] = arrives_s
        people["receipt_s"][rows, slots] = np.where(is_reported, receipt_s, np.inf)
        people["receipt"][rows, slots] = np.where(is_delivered, ReceiptState.DELIVERED, ReceiptState.LOST)
        people["first_s"][rows] = np.minimum(people["first_s"][rows], arrives_s)
        keys = self._keys(rows, sent_s, carrier)
        observed = slots != RESENT  # as in service, the learner does not observe messages that carry a code again
        is_reported &= observed
        self._events.add_sent(tick, keys[observed])
        for state, which in ((DELIVERED, is_reported & is_delivered), (UNDELIVERED, is_reported & ~is_delivered)):
            self._events.add(state, keys[which], receipt_s[which], receipt_s[which] - sent_s[which], tick)
        counted = self._is_counted(people["at_s"][rows])
        self._sent[tick] += np.bincount(carrier, minlength=self._sent.shape[1])
        right = self._right[minute, people["app"][rows], people["country"][rows]] == carrier
        self._counts["right"] += int(np.count_nonzero(counted & right & (slots != RESENT)))
        self._counts["messages"] += int(np.count_nonzero(counted))
        self._counts["resent"] += int(np.count_nonzero(counted & (slots == RESENT)))
        self._counts["cost_micro"] += int(truth.cost_micro[minute][cell][counted].sum())

    def _keys(
        self, rows: NDArray[np.int64], sent_s: NDArray[np.float64], carrier: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        people = self._people
        minute = (sent_s // 60).astype(np.int64)
        blocks = np.zeros(len(rows), np.int64)
        return self._events.event_keys(minute, people["app"][rows], people["destination"][rows], carrier, blocks)

    def _answer(self, tick: int) -> None:
        """People who enter their code by now convert; people who have left without one are lost."""
        people = self._people
        now_s = float((tick + 1) * self._scenario.tick_s)
        answers_s = people["first_s"] + people["types_s"]
        in_time = people["first_s"] <= people["leaves_s"]
        answers = people["willing"] & in_time & (answers_s <= now_s)
        # Whoever does not want to enter a code looks to the platform like a person without one, until the code expires.
        over = now_s >= people["at_s"] + self._scenario.people.code_valid_s
        lost = over & people["willing"] & ~answers
        rows = np.flatnonzero(answers)
        if len(rows):
            slot = self._credited(rows, answers_s[rows])
            carrier = people["carrier"][rows, slot].astype(np.int64)
            sent_s = people["sent_s"][rows, slot]
            known_s = self._reporting.known_s(people[rows], answers_s[rows])
            stated_s = self._reporting.stated_s(people[rows], answers_s[rows], known_s)
            shared = (slot == RESENT) | people["superseded"][rows, slot]
            reported, keys = np.isfinite(known_s), self._keys(rows, sent_s, carrier)
            for kind, which in ((CONVERTED, reported & ~shared), (CONVERTED_AGAIN, reported & shared)):
                took_s = np.maximum(0.0, stated_s[which] - sent_s[which])
                self._events.add(kind, keys[which], known_s[which], took_s, tick)
        done = answers | over
        if done.any():
            counted = done & self._is_counted(people["at_s"])
            self._counts["people"] += int(np.count_nonzero(counted))
            self._counts["willing"] += int(np.count_nonzero(counted & people["willing"]))
            self._counts["lost"] += int(np.count_nonzero(counted & lost))
            self._people = people[~done]

    def _credited(self, rows: NDArray[np.int64], at_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """The slot of the message that a conversion is credited to. `checked`: of those sent before it, the last one
        with a receipt that says delivered; without any, the last one. `reported`: the one whose code was entered, which
        a customer knows who has made a code of its own for each message.
        """
        people = self._people
        sent_s = people["sent_s"][rows]
        if self._credit == "reported":
            arrived = people["arrives_s"][rows]
            rank = np.where(arrived <= at_s[:, None], sent_s, -1.0)
            rank[people["carrier"][rows] < 0] = -2.0
            credited: NDArray[np.int64] = rank.argmax(axis=1)
            return credited
        there = (people["carrier"][rows] >= 0) & (sent_s <= at_s[:, None])
        delivered = (
            there & (people["receipt_s"][rows] <= at_s[:, None]) & (people["receipt"][rows] == ReceiptState.DELIVERED)
        )
        rank = np.where(there, sent_s, -1.0) + np.where(delivered, 1e9, 0.0)
        credited = rank.argmax(axis=1)
        return credited

    def _ask_again(self, tick: int) -> None:
        people = self._people
        now_s = float(tick * self._scenario.tick_s)
        due = people["asks_s"] <= now_s
        if not due.any():
            return
        asks = due & (people["first_s"] > people["asks_s"]) & (people["asks_s"] < people["leaves_s"])
        people["asks_s"][due] = np.inf
        rows = np.flatnonzero(asks)
        people["tries"][rows] += 1
        self._accept(rows, people["tries"][rows].astype(np.int64), tick)

    def _resend(self, tick: int) -> None:
        """Second messages that the policy decides on. Both kinds of policy choose the same carrier."""
        if self._policy == "none":
            return
        people = self._people
        now_s = float(tick * self._scenario.tick_s)
        rows = np.flatnonzero((people["carrier"][:, RESENT] < 0) & (people["carrier"][:, 0] >= 0))
        if not len(rows):
            return
        if self._policy == "likely-lost":
            price_micro = self._world.truth.price_micro[people["country"][rows]]
            due, carrier = self._tables.due(people[rows], now_s, price_micro, self._worth_micro)
        else:
            due = now_s - people["sent_s"][rows, 0] >= WAITS_S[self._policy]
            carrier = np.full(len(rows), -1, np.int64)
            carrier[due] = self._tables.next_carriers(people[rows[due]])
            due &= carrier >= 0
        rows, carrier = rows[due], carrier[due]
        self._supersede(rows, tick)
        self._send(rows, np.full(len(rows), RESENT, np.int64), carrier, tick)

    def _supersede(self, rows: NDArray[np.int64], tick: int) -> None:
        """The people's earlier messages, of which the learner is told, but not after a fixed wait."""
        people, now_s = self._people, float(tick * self._scenario.tick_s)
        for slot in range(RESENT):
            of_slot = rows[people["carrier"][rows, slot] >= 0]
            people["superseded"][of_slot, slot] = True
            if self._policy != "likely-lost":
                continue
            sent_s = people["sent_s"][of_slot, slot]
            known = people["receipt_s"][of_slot, slot] <= now_s
            receipt = np.where(known, people["receipt"][of_slot, slot], ReceiptState.NONE)
            keys = self._keys(of_slot, sent_s, people["carrier"][of_slot, slot].astype(np.int64))
            self._events.add_superseded(tick, keys, now_s - sent_s, receipt)


def worth_of(world: World) -> int:
    """Of a converted person, in micro-units: the scenario's, or `WORTH_FACTOR` times the highest price."""
    worth = world.scenario.worth
    return int(world.truth.price_micro.max()) * WORTH_FACTOR if worth is None else micro(worth)


def right_carriers(world: World) -> NDArray[np.int64]:
    """By minute, app and country: the carrier that the oracle would take (docs/internals/lab.md, "Policies")."""
    scenario, truth = world.scenario, world.truth
    right = np.empty((len(truth.delivered), len(scenario.apps), len(scenario.countries)), np.int64)
    for a, app in enumerate(scenario.apps):
        rates = truth.delivered * app.conversion
        if scenario.worth is not None:
            right[:, a] = (micro(scenario.worth) * rates - truth.cost_micro).argmax(axis=2)
            continue
        cost = truth.cost_micro / np.maximum(rates, 1e-9)
        below = rates < scenario.quality_floor * rates.max(axis=2, keepdims=True)
        right[:, a] = np.where(below, np.inf, cost).argmin(axis=2)
    return right


def left_after_s(scenario: Scenario, sent: NDArray[np.int64]) -> float | None:
    """`sent`: messages by tick and carrier."""
    if scenario.watched is None:
        return None
    watched = [carrier.name for carrier in scenario.carriers].index(scenario.watched)
    changed_s = scenario.carriers[watched].changes[0].from_h * 3600
    window = int(LEFT_WINDOW_S // scenario.tick_s)
    first = int(changed_s // scenario.tick_s)
    for tick in range(first, len(sent) - window + 1):
        total = int(sent[tick : tick + window].sum())
        if total and sent[tick : tick + window, watched].sum() < LEFT_SHARE * total:
            return (tick + window) * scenario.tick_s - changed_s
    return None


def resend_scenario(scenario: Scenario, hours: float, rate_per_s: float) -> Scenario:
    """A routing scenario at the size of the comparison: its changes come at the same part of a shorter day."""
    factor = hours / scenario.hours
    carriers = tuple(
        msgspec.structs.replace(
            carrier,
            changes=tuple(
                msgspec.structs.replace(
                    change,
                    from_h=change.from_h * factor,
                    until_h=None if change.until_h is None else change.until_h * factor,
                    ramp_h=change.ramp_h * factor,
                )
                for change in carrier.changes
            ),
        )
        for carrier in scenario.carriers
    )
    return msgspec.structs.replace(
        scenario,
        hours=hours,
        rate_per_s=min(rate_per_s, scenario.rate_per_s),
        tick_s=5,
        carriers=carriers,
        attacks=(),
        events=(),
    )
