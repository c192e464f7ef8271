"""What becomes of a tick's messages: who gets a code, who comes back, who asks again, what carriers say about it."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.counts import RunCounts, SentTick, enter
from homing.lab.event_queue import CONVERTED, DELIVERED, UNDELIVERED, EventQueue
from homing.lab.scenario import Scenario
from homing.lab.truth import RECEIPTS
from homing.lab.world import ASKS, LATENCY, LOST, PERSON, RECEIPT, RECEIPT_LOST, Needs, World

HONEST, FAKE, NONE = (RECEIPTS.index(kind) for kind in ("honest", "fake", "none"))


class _Carriers(msgspec.Struct, frozen=True):
    """What of the carriers never changes, by carrier; all float64."""

    sigma: NDArray[np.float64]
    failed_median: NDArray[np.float64]
    failed_sigma: NDArray[np.float64]
    fake_median: NDArray[np.float64]
    fake_sigma: NDArray[np.float64]
    lost: NDArray[np.float64]

    @classmethod
    def of(cls, scenario: Scenario) -> "_Carriers":
        names = (
            "latency_s_sigma",
            "failed_s_median",
            "failed_s_sigma",
            "fake_s_median",
            "fake_s_sigma",
            "receipts_lost",
        )
        return cls(*(np.array([getattr(carrier, name) for carrier in scenario.carriers]) for name in names))


class OutcomeModel:
    """Turns messages and their carriers into facts, and into the messages that people ask for next."""

    def __init__(self, world: World, tally: RunCounts, calendar: EventQueue | None) -> None:
        """`calendar` None: no policy listens, so what would be told is not worked out."""
        scenario = world.scenario
        self._world = world
        self._tally = tally
        self._calendar = calendar
        self._carriers = _Carriers.of(scenario)
        self._people = scenario.people
        self._conversion = np.array([app.conversion for app in scenario.apps])
        self._takes_median = np.array([app.conversion_s_median for app in scenario.apps])
        self._takes_sigma = np.array([app.conversion_s_sigma for app in scenario.apps])
        self._converts = np.array([0.0, *(attack.converts for attack in scenario.attacks)])
        self._forges = np.array([False, *(attack.kind == "forged" for attack in scenario.attacks)])
        names = [carrier.name for carrier in scenario.carriers]
        self._colluding = np.array(
            [-2, *(-2 if attack.carrier is None else names.index(attack.carrier) for attack in scenario.attacks)]
        )

    def settle(self, needs: Needs, carrier: NDArray[np.int64], tick: int) -> Needs:
        """Settles a tick's messages, `carrier` -1 where one was refused; gives the next messages of those who ask again
        (their `at_s` is when).
        """
        truth = self._world.truth
        minute = truth.minute(tick * self._world.scenario.tick_s)  # a tick does not span minutes
        now_s = needs["at_s"]
        country, app, source = needs["country"], needs["app"], needs["source"]
        which = country, np.maximum(carrier, 0)
        passed = carrier >= 0
        luck = needs["luck"][np.arange(len(needs)), needs["tries"]]
        reached = passed & (luck[:, LOST] < truth.delivered[minute][which])
        latency = truth.latency_s_median[minute][which] * np.exp(
            self._carriers.sigma[which[1]] * luck[:, LATENCY].astype(np.float64)
        )
        arrives = np.where(reached, now_s + latency, np.inf)
        enter(
            self._tally,
            SentTick(
                minute,
                tick,
                source,
                needs["tries"],
                needs["refused"],
                carrier,
                reached,
                truth.cost_micro[minute][which],
                truth.price_micro[country],
            ),
        )
        keys = None
        if self._calendar is not None:
            keys = self._calendar.keys(minute, app, needs["place"], which[1], self._calendar.blocks(needs["number"]))
            self._calendar.now(tick, keys[passed])
            self._tell_receipts(needs, which, passed, reached, arrives, luck, keys, minute, tick)
        return self._come_back(needs, carrier, arrives, luck, keys, minute, tick)

    def _tell_receipts(
        self,
        needs: Needs,
        which: tuple[NDArray[np.int16], NDArray[np.int64]],
        passed: NDArray[np.bool_],
        reached: NDArray[np.bool_],
        arrives: NDArray[np.float64],
        luck: NDArray[np.float32],
        keys: NDArray[np.int64],
        minute: int,
        tick: int,
    ) -> None:
        assert self._calendar is not None
        carriers, k = self._carriers, which[1]
        now_s = needs["at_s"]
        kind = self._world.truth.receipts[minute][which].astype(np.int64)
        kind = np.where(k == self._colluding[needs["source"]], FAKE, kind)
        spread = luck[:, RECEIPT].astype(np.float64)
        failed = now_s + carriers.failed_median[k] * np.exp(carriers.failed_sigma[k] * spread)
        faked = now_s + carriers.fake_median[k] * np.exp(carriers.fake_sigma[k] * spread)
        at = np.where(kind == FAKE, faked, np.where(reached, arrives, failed))
        told = passed & (kind != NONE) & (luck[:, RECEIPT_LOST] >= carriers.lost[k])
        good = told & ((kind == FAKE) | reached)
        bad = told & ~good
        self._calendar.later(DELIVERED, keys[good], at[good], at[good] - now_s[good], tick)
        self._calendar.later(UNDELIVERED, keys[bad], at[bad], at[bad] - now_s[bad], tick)

    def _come_back(
        self,
        needs: Needs,
        carrier: NDArray[np.int64],
        arrives: NDArray[np.float64],
        luck: NDArray[np.float32],
        keys: NDArray[np.int64] | None,
        minute: int,
        tick: int,
    ) -> Needs:
        people, calendar = self._people, self._calendar
        now_s = needs["at_s"]
        source, app = needs["source"], needs["app"]
        first = np.minimum(needs["first_s"], arrives)
        waits_until = now_s + people.ask_again_after_s
        real = source == PERSON
        again = (
            real
            & (first > waits_until)
            & (luck[:, ASKS] < people.ask_again)
            & (needs["tries"] + 1 < people.messages_max)
        )
        # They type what they have when they type it: the code that came last before that is credited.
        newest = np.isfinite(arrives) & ((arrives >= needs["last_s"]) | ~np.isfinite(needs["last_s"]))
        takes = self._takes_median[app] * np.exp(self._takes_sigma[app] * needs["takes"].astype(np.float64))
        chance = np.where(real, self._conversion[app], self._converts[source])
        forged = self._forges[source] & (carrier >= 0)
        at = np.where(np.isfinite(first), first, now_s) + takes
        valid = np.where(newest, arrives - now_s, 0) <= people.code_valid_s
        comes = ~again & (needs["comes"] < chance) & (np.isfinite(first) & valid | forged)
        own = comes & (newest & (arrives <= at) | forged)
        others = comes & ~own
        self._credit(source, np.where(own, minute, needs["last_minute"]), comes)
        if calendar is not None and keys is not None:
            told = own & calendar.reported(app, at)
            calendar.later(CONVERTED, keys[told], at[told], at[told] - now_s[told], tick)
            told = others & calendar.reported(app, at)
            if told.any():
                late = needs[told]
                kept = calendar.keys(
                    late["last_minute"].astype(np.int64),
                    late["app"],
                    late["place"],
                    late["last_carrier"].astype(np.int64),
                    calendar.blocks(late["number"]),
                )
                calendar.later(CONVERTED, kept, at[told], at[told] - late["last_minute"] * 60.0, tick)
        nexts: Needs = needs[again]
        nexts["at_s"] = waits_until[again]
        nexts["tries"] += 1
        nexts["refused"] |= carrier[again] < 0
        nexts["first_s"] = first[again]
        newer = newest[again]
        nexts["last_s"][newer] = arrives[again][newer]
        nexts["last_minute"][newer] = minute
        nexts["last_carrier"][newer] = carrier[again][newer]
        return nexts

    def _credit(self, source: NDArray[np.int16], minute: NDArray[np.int64], comes: NDArray[np.bool_]) -> None:
        mine = comes & (source == PERSON)
        np.add.at(self._tally.converted, minute[mine], 1)
        if len(self._tally.attack_converted) and (theirs := comes & (source != PERSON)).any():
            np.add.at(self._tally.attack_converted, (source[theirs] - 1, minute[theirs]), 1)
