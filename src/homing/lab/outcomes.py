"""The outcomes of a tick's messages: delivery, receipts, conversions, and repeated requests."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.behaviour import CarrierBehaviour
from homing.lab.counts import RunCounts, SentTick, count_tick
from homing.lab.event_queue import CONVERTED, DELIVERED, UNDELIVERED, EventQueue
from homing.lab.repeated_requests import RepeatedRequests
from homing.lab.reporting import ReportingModel
from homing.lab.scenario import Scenario
from homing.lab.truth import RECEIPTS
from homing.lab.world import LATENCY, LOST, PERSON, RECEIPT, RECEIPT_LOST, RETRY, Demand, World

HONEST, FAKE, NONE = (RECEIPTS.index(kind) for kind in ("honest", "fake", "none"))


class CarrierParameters(msgspec.Struct, frozen=True):
    """The constant parameters of the carriers, each by carrier (index) as float64."""

    sigma: NDArray[np.float64]
    failed_median: NDArray[np.float64]
    failed_sigma: NDArray[np.float64]
    fake_median: NDArray[np.float64]
    fake_sigma: NDArray[np.float64]
    lost: NDArray[np.float64]

    @classmethod
    def of(cls, scenario: Scenario) -> "CarrierParameters":
        names = (
            "latency_s_sigma",
            "failed_s_median",
            "failed_s_sigma",
            "fake_s_median",
            "fake_s_sigma",
            "receipts_lost",
        )
        return cls(*(np.array([getattr(carrier, name) for carrier in scenario.carriers]) for name in names))


class _Tick(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of one tick, as arrays of one length."""

    tick: int
    minute: int
    demand: Demand
    carrier: NDArray[np.int64]  # -1: refused
    cell: tuple[NDArray[np.int16], NDArray[np.int64]]  # index of country and carrier, into the truth of a minute
    draws: NDArray[np.float32]  # of the message, see world.DRAWS
    reached: NDArray[np.bool_]  # whether the code reached the person
    arrives_s: NDArray[np.float64]  # when; inf: never
    event_keys: NDArray[np.int64] | None  # None: no policy observes


class OutcomeModel:
    """Decides the outcomes of messages and queues their events. Its draws come with the demand."""

    def __init__(self, world: World, counts: RunCounts, events: EventQueue | None) -> None:
        """`events` None: no policy observes, so no event is queued."""
        scenario = world.scenario
        self._world = world
        self._counts = counts
        self._events = events
        self._repeats = None if events is None else RepeatedRequests(events)
        self._carriers = CarrierParameters.of(scenario)
        self._people = scenario.people
        self._behaviour = CarrierBehaviour(scenario)
        self._reporting = ReportingModel(scenario)
        # Routing refuses nobody, and has millions of people.
        self._counted_from_min = scenario.measure_from_h * 60 if scenario.goal == "guard" else np.inf
        self._conversion = np.array([app.conversion for app in scenario.apps])
        self._delay_median_s = np.array([app.conversion_s_median for app in scenario.apps])
        self._delay_sigma = np.array([app.conversion_s_sigma for app in scenario.apps])
        self._attack_conversion = np.array([0.0, *(attack.converts for attack in scenario.attacks)])  # by source
        self._wrong = np.array([app.wrong_codes for app in scenario.apps])
        medians_s = [attack.converts_s_median for attack in scenario.attacks]
        self._attack_delay_median_s = np.array([np.nan, *(np.nan if each is None else each for each in medians_s)])
        self._event_conversion = np.array(
            [np.nan, *(np.nan if event.conversion is None else event.conversion for event in scenario.events)]
        )
        self._forges = np.array([False, *(attack.kind == "forged" for attack in scenario.attacks)])
        names = [carrier.name for carrier in scenario.carriers]
        self._colluding = np.array(
            [-2, *(-2 if attack.carrier is None else names.index(attack.carrier) for attack in scenario.attacks)]
        )

    def resolve(self, demand: Demand, carrier: NDArray[np.int64], tick: int) -> Demand:
        """Decides the outcomes of a tick's messages; `carrier` is -1 where one was refused. Returns the next messages
        of people who request another code, with `at_s` when they do.
        """
        truth = self._world.truth
        minute = truth.minute(tick * self._world.scenario.tick_s)  # a tick does not span minutes
        cell = demand["country"], np.maximum(carrier, 0)
        draws = demand["draws"][np.arange(len(demand)), demand["tries"]]
        delivered = truth.delivered[minute][cell] * self._behaviour.factors(demand, carrier)
        reached = (carrier >= 0) & (draws[:, LOST] < delivered)
        latency_s = truth.latency_s_median[minute][cell] * np.exp(
            self._carriers.sigma[cell[1]] * draws[:, LATENCY].astype(np.float64)
        )
        count_tick(
            self._counts,
            SentTick(
                minute=minute,
                tick=tick,
                has_numbers=minute >= self._counted_from_min,
                source=demand["source"],
                number=demand["number"],
                event=demand["event"],
                tries=demand["tries"],
                was_refused=demand["was_refused"],
                carrier=carrier,
                reached=reached,
                cost_micro=truth.cost_micro[minute][cell],
                price_micro=truth.price_micro[demand["country"]],
            ),
        )
        event_keys = None
        if self._events is not None:
            blocks = self._events.blocks(demand["number"])
            event_keys = self._events.event_keys(minute, demand["app"], demand["destination"], cell[1], blocks)
        messages = _Tick(
            tick=tick,
            minute=minute,
            demand=demand,
            carrier=carrier,
            cell=cell,
            draws=draws,
            reached=reached,
            arrives_s=np.where(reached, demand["at_s"] + latency_s, np.inf),
            event_keys=event_keys,
        )
        if self._events is not None and event_keys is not None:
            self._events.add_sent(tick, event_keys[carrier >= 0])
            lost_s = self._queue_receipts(messages, event_keys, self._events)
            if self._repeats is not None:
                self._repeats.observe(tick, demand, carrier >= 0, event_keys, lost_s)
        return self._convert_and_retry(messages)

    def _queue_receipts(
        self, messages: _Tick, event_keys: NDArray[np.int64], events: EventQueue
    ) -> NDArray[np.float64]:
        """Returns when each message is reported as lost; inf: never."""
        carriers, carrier = self._carriers, messages.cell[1]
        sent_s = messages.demand["at_s"]
        kind = self._world.truth.receipts[messages.minute][messages.cell].astype(np.int64)
        kind = np.where(carrier == self._colluding[messages.demand["source"]], FAKE, kind)
        spread = messages.draws[:, RECEIPT].astype(np.float64)
        failed_s = sent_s + carriers.failed_median[carrier] * np.exp(carriers.failed_sigma[carrier] * spread)
        fake_s = sent_s + carriers.fake_median[carrier] * np.exp(carriers.fake_sigma[carrier] * spread)
        at_s = np.where(kind == FAKE, fake_s, np.where(messages.reached, messages.arrives_s, failed_s))
        is_lost = messages.draws[:, RECEIPT_LOST] < carriers.lost[carrier]
        reported = (messages.carrier >= 0) & (kind != NONE) & ~is_lost
        delivered = reported & ((kind == FAKE) | messages.reached)
        undelivered = reported & ~delivered
        for state, rows in ((DELIVERED, delivered), (UNDELIVERED, undelivered)):
            events.add(state, event_keys[rows], at_s[rows], at_s[rows] - sent_s[rows], messages.tick)
        return np.where(undelivered, at_s, np.inf)

    def _convert_and_retry(self, messages: _Tick) -> Demand:
        people, demand, carrier = self._people, messages.demand, messages.carrier
        sent_s, source, app = demand["at_s"], demand["source"], demand["app"]
        arrives_s = messages.arrives_s
        first_s = np.minimum(demand["first_s"], arrives_s)
        waits_until_s = sent_s + people.ask_again_after_s
        is_person = source == PERSON
        retries = (
            is_person
            & (first_s > waits_until_s)
            & (messages.draws[:, RETRY] < people.ask_again)
            & (demand["tries"] + 1 < people.messages_max)
        )
        # A person enters the last code that has arrived by then: its message gets the credit.
        is_newest = np.isfinite(arrives_s) & ((arrives_s >= demand["last_s"]) | ~np.isfinite(demand["last_s"]))
        of_attack_s = self._attack_delay_median_s[source]
        median_s = np.where(np.isnan(of_attack_s), self._delay_median_s[app], of_attack_s)
        delay_s = median_s * np.exp(self._delay_sigma[app] * demand["conversion_delay_draw"].astype(np.float64))
        of_event = self._event_conversion[demand["event"]]
        of_people = np.where(np.isnan(of_event), self._conversion[app], of_event)
        delay_s = np.where(demand["wrong_draw"] < self._wrong[app], 2 * delay_s, delay_s)
        probability = np.where(is_person, of_people, self._attack_conversion[source])
        is_forged = self._forges[source] & (carrier >= 0)
        at_s = np.where(np.isfinite(first_s), first_s, sent_s) + delay_s
        is_valid = np.where(is_newest, arrives_s - sent_s, 0) <= people.code_valid_s
        converts = ~retries & (demand["conversion_draw"] < probability) & (np.isfinite(first_s) & is_valid | is_forged)
        by_this = converts & (is_newest & (arrives_s <= at_s) | is_forged)
        by_earlier = converts & ~by_this
        self._credit(source, np.where(by_this, messages.minute, demand["last_minute"]), converts)
        if self._events is not None and messages.event_keys is not None:
            self._queue_conversions(messages.event_keys, self._events, demand, by_this, by_earlier, at_s, messages.tick)
        nexts: Demand = demand[retries]
        nexts["at_s"] = waits_until_s[retries]
        nexts["tries"] += 1
        nexts["was_refused"] |= carrier[retries] < 0
        nexts["first_s"] = first_s[retries]
        has_newer = is_newest[retries]
        nexts["last_s"][has_newer] = arrives_s[retries][has_newer]
        nexts["last_minute"][has_newer] = messages.minute
        nexts["last_carrier"][has_newer] = carrier[retries][has_newer]
        return nexts

    def _queue_conversions(
        self,
        event_keys: NDArray[np.int64],
        events: EventQueue,
        demand: Demand,
        by_this: NDArray[np.bool_],
        by_earlier: NDArray[np.bool_],
        at_s: NDArray[np.float64],
        tick: int,
    ) -> None:
        """`by_this`: conversions credited to this tick's messages; `by_earlier`: to an earlier one of the person."""
        known_s = self._reporting.known_s(demand, at_s)
        stated_s = self._reporting.stated_s(demand, at_s, known_s)
        reported = np.isfinite(known_s)
        rows = by_this & reported
        events.add(CONVERTED, event_keys[rows], known_s[rows], stated_s[rows] - demand["at_s"][rows], tick)
        rows = by_earlier & reported
        if rows.any():
            earlier = demand[rows]
            earlier_keys = events.event_keys(
                earlier["last_minute"].astype(np.int64),
                earlier["app"],
                earlier["destination"],
                earlier["last_carrier"].astype(np.int64),
                events.blocks(earlier["number"]),
            )
            events.add(CONVERTED, earlier_keys, known_s[rows], stated_s[rows] - earlier["last_minute"] * 60.0, tick)

    def _credit(self, source: NDArray[np.int16], minute: NDArray[np.int64], converts: NDArray[np.bool_]) -> None:
        of_people = converts & (source == PERSON)
        np.add.at(self._counts.converted, minute[of_people], 1)
        if len(self._counts.attack_converted) and (of_attacks := converts & (source != PERSON)).any():
            np.add.at(self._counts.attack_converted, (source[of_attacks] - 1, minute[of_attacks]), 1)
