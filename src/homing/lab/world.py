"""A scenario under one seed: who wants a code when, from which number, with what luck. No policy changes any of it.

Whatever is left to chance is drawn here, before any policy is asked, from a stream of its own for each source of
traffic and span of time: under two policies the same people come at the same moments, and their n-th message has the
same luck.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing import errors
from homing.lab import truth as truths
from homing.lab.scenario import LAB_TRIES_MAX, Attack, Scenario, ScenarioEvent, micro
from homing.text.numbers import Numbering

START_S: Final = 1_767_571_200  # 2026-01-05T00:00:00Z, a Monday; unix time has no summer time and no leap seconds
SPAN_MIN: Final = 15
"""Minutes that are drawn together: how much of the future is in memory."""
PERSON: Final = 0
"""The source of messages that people asked for; attacks count from 1."""
LUCK: Final = 5
LOST, LATENCY, ASKS, RECEIPT, RECEIPT_LOST = range(LUCK)
"""A message's draws: uniform, but LATENCY and RECEIPT, which are standard normal."""
BLOCK: Final = 1_000

NEED: Final = np.dtype(
    [
        ("at_s", np.float64),  # from the scenario's beginning
        ("number", np.int64),
        ("place", np.int16),
        ("country", np.int16),
        ("app", np.int16),
        ("source", np.int16),
        ("tries", np.int8),  # messages before this one
        ("refused", np.bool_),  # one of them was
        ("comes", np.float32),  # uniform: whether this person comes back when a code arrives
        ("takes", np.float32),  # standard normal: how long that takes
        ("luck", np.float32, (LAB_TRIES_MAX, LUCK)),
        ("first_s", np.float64),  # when the first of the codes arrived; inf: none did
        ("last_s", np.float64),  # the latest to arrive so far, and the message that conversions are credited to
        ("last_minute", np.int32),
        ("last_carrier", np.int8),
    ]
)
"""Somebody who wants a code: one row for each message, the same person's next one with what became of the last."""

Needs = NDArray[np.void]


class NetworkOfCountry(msgspec.Struct, frozen=True):
    """A network of a country, as the numbering table tells it."""

    country: str
    network: str
    country_index: int
    mcc: str
    mnc: str


class _Source(msgspec.Struct, frozen=True):
    """One kind of traffic: its rate by minute, and either people of networks or an attack."""

    rate_per_s: NDArray[np.float64]
    mix: tuple[tuple[int, float], ...]  # (index into World.networks, probability); empty for attacks
    attack: Attack | None = None
    number: int = PERSON


class _Network(msgspec.Struct, frozen=True):
    place: int
    first: int  # the number that all begin at
    room: int
    people: int
    step: int
    offset: int


class World:
    def __init__(self, scenario: Scenario, seed: int, numbering: Numbering) -> None:
        """Raises `InvalidInput` where a prefix is not in the country that lists it."""
        self.scenario = scenario
        self.seed = seed
        self.numbering = numbering
        self.ticks = int(scenario.hours * 3600 // scenario.tick_s)
        self.minutes = int(np.ceil(scenario.hours * 60))
        self.truth = truths.build(scenario, self._generator(0))
        self.places: list[NetworkOfCountry] = []
        self._place_of: dict[tuple[str, str], int] = {}
        self._samples: list[str] = []
        self._blocks: dict[int, int] = {}
        self._networks = self._read_networks(self._generator(1))
        self._sources = self._read_sources()
        self._apps = _normalised([app.share for app in scenario.apps])
        for attack in scenario.attacks:
            self._place_at(attack.prefix.ljust(attack.digits, "0"), f"the {attack.kind} attack")

    def needs(self, span: int) -> Needs:
        """Everybody who first asks in a span of `SPAN_MIN` minutes, in order of time."""
        found = [self._draw(source, index, span) for index, source in enumerate(self._sources)]
        whole = np.concatenate(found)
        return whole[np.argsort(whole["at_s"], kind="stable")]

    @property
    def spans(self) -> int:
        return -(-self.minutes // SPAN_MIN)

    def sample(self, place: int) -> str:
        """A number of a place."""
        return self._samples[place]

    def prefixes(self) -> dict[str, int]:
        """Each prefix in use with its country's index: what prices and costs are listed by."""
        found = {
            network.prefix: index
            for index, country in enumerate(self.scenario.countries)
            for network in country.networks
        }
        for attack in self.scenario.attacks:
            if attack.prefix not in found:
                place = self._place_at(attack.prefix.ljust(attack.digits, "0"), "")
                found[attack.prefix] = self.places[place].country_index
        return found

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64([self.seed, *stream]))

    # ---- places

    def _place_at(self, number: str, whose: str) -> int:
        found = self.numbering.locate(number)
        key = found.country, found.mcc + found.mnc
        if key not in self._place_of:
            codes = [country.code for country in self.scenario.countries]
            if found.country not in codes:
                raise errors.InvalidInput(
                    f"{self.scenario.name}: {whose} begins with {number[:8]}, which is in "
                    f"{found.country or 'no country'}; the scenario lists {', '.join(codes)}"
                )
            self._place_of[key] = len(self.places)
            self._samples.append(number)
            self.places.append(NetworkOfCountry(*key, codes.index(found.country), found.mcc, found.mnc))
        return self._place_of[key]

    def _read_networks(self, generator: np.random.Generator) -> list[tuple[int, float, _Network]]:
        networks = []
        for index, country in enumerate(self.scenario.countries):
            shares = _normalised([network.share for network in country.networks])
            for network, share in zip(country.networks, shares, strict=True):
                what = f"the network {network.prefix} of {country.code}"
                place = self._place_at(network.prefix.ljust(network.digits, "0"), what)
                if self.places[place].country_index != index:
                    raise errors.InvalidInput(
                        f"{self.scenario.name}: {what} is in {self.places[place].country} by its number"
                    )
                room = 10 ** (network.digits - len(network.prefix))
                step = (
                    int(generator.integers(room // 3, room)) // 10 * 10 + 7
                )  # no factor of ten: nobody shares a number
                people = min(network.people, room)
                offset = int(generator.integers(room))
                made = _Network(place, int(network.prefix) * room, room, people, step, offset)
                networks.append((index, share, made))
        return networks

    def _read_sources(self) -> list[_Source]:
        scenario = self.scenario
        hours = (np.arange(self.minutes) + 0.5) / 60
        day = scenario.rate_per_s * (
            1 + scenario.rate_swing * np.cos((hours - scenario.rate_peak_h) * (2 * np.pi / 24))
        )
        shares = _normalised([country.share for country in scenario.countries])
        everybody = self._mix(list(shares))
        sources = [_Source(day, everybody)]
        sources.extend(self._event(event, hours, day, list(shares)) for event in scenario.events)
        for number, attack in enumerate(scenario.attacks, 1):
            during = (hours >= attack.from_h) & (hours < attack.from_h + attack.hours)
            sources.append(_Source(np.where(during, attack.rate_per_s, 0.0), (), attack, number))
        return sources

    def _event(
        self, event: ScenarioEvent, hours: NDArray[np.float64], day: NDArray[np.float64], shares: Sequence[float]
    ) -> _Source:
        during = (hours >= event.from_h) & (hours < event.from_h + event.hours)
        codes = [country.code for country in self.scenario.countries]
        only = None if event.country is None else codes.index(event.country)
        ramp = np.clip((hours - event.from_h) / event.ramp_h, 0, 1) if event.ramp_h else np.ones_like(hours)
        mix = self._mix([float(index == only) for index in range(len(codes))] if only is not None else shares)
        if event.kind == "launch":
            return _Source(during * ramp * event.rate_per_s, mix)
        share = 1.0 if only is None else shares[only]
        return _Source(during * ramp * day * (event.factor - 1) * share, mix)

    def _mix(self, shares: Sequence[float]) -> tuple[tuple[int, float], ...]:
        return tuple((n, shares[index] * share) for n, (index, share, _network) in enumerate(self._networks))

    # ---- draws

    def _draw(self, source: _Source, index: int, span: int) -> Needs:
        generator = self._generator(2, index, span)
        first = span * SPAN_MIN
        rates = source.rate_per_s[first : first + SPAN_MIN]
        counts = generator.poisson(rates * 60)
        size = int(counts.sum())
        needs = np.zeros(size, NEED)
        if not size:
            return needs
        minute = np.repeat(np.arange(first, first + len(rates)), counts)
        needs["at_s"] = (minute + generator.random(size)) * 60
        needs["app"] = np.searchsorted(np.cumsum(self._apps)[:-1], generator.random(size), side="right")
        needs["comes"] = generator.random(size)
        needs["takes"] = generator.standard_normal(size)
        luck = generator.random((size, LAB_TRIES_MAX, LUCK))
        for normal in (LATENCY, RECEIPT):
            luck[:, :, normal] = generator.standard_normal((size, LAB_TRIES_MAX))
        needs["luck"] = luck
        needs["first_s"] = needs["last_s"] = np.inf
        needs["source"] = source.number
        if source.attack is not None:
            self._attacked(needs, source.attack, source.number, generator)
        else:
            self._called(needs, source, generator)
        return needs

    def _called(self, needs: Needs, source: _Source, generator: np.random.Generator) -> None:
        """Gives people their numbers: always the same ones, spread over their network's range."""
        which = np.array([n for n, _share in source.mix])
        edges = np.cumsum([share for _n, share in source.mix])
        drawn = which[
            np.searchsorted(edges / edges[-1], generator.random(len(needs)), side="right").clip(max=len(which) - 1)
        ]
        person = generator.random(len(needs))
        for n in np.unique(drawn):
            network = self._networks[n][2]
            mine = drawn == n
            someone = (person[mine] * network.people).astype(np.int64)
            needs["number"][mine] = network.first + _times(someone, network.step, network.offset, network.room)
            needs["place"][mine] = network.place
            needs["country"][mine] = self._networks[n][0]

    def _attacked(self, needs: Needs, attack: Attack, number: int, generator: np.random.Generator) -> None:
        """Numbers of an attack: so many ranges at a time, others after each turn."""
        if attack.app is not None:
            needs["app"] = [app.name for app in self.scenario.apps].index(attack.app)
        blocks = 10 ** (attack.digits - len(attack.prefix) - 3)
        layout = self._generator(3, number)
        step, offset = int(layout.integers(blocks // 3 + 1, blocks + 1)) // 10 * 10 + 7, int(layout.integers(blocks))
        turn = np.zeros(len(needs), np.int64)
        if attack.rotate_min:
            turn = ((needs["at_s"] / 60 - attack.from_h * 60) // attack.rotate_min).astype(np.int64)
        which = turn * attack.ranges + generator.integers(attack.ranges, size=len(needs))
        block = int(attack.prefix) * blocks + _times(which, step, offset, blocks)
        needs["number"] = block * BLOCK + generator.integers(BLOCK, size=len(needs))
        for one in np.unique(block).tolist():
            place = self._blocks.get(one)
            if place is None:
                place = self._blocks[one] = self._place_at(str(one) + "000", f"the {attack.kind} attack")
            mine = block == one
            needs["place"][mine] = place
            needs["country"][mine] = self.places[place].country_index


def _times(values: NDArray[np.int64], step: int, offset: int, room: int) -> NDArray[np.int64]:
    """A permutation of 0..room: `step` has no factor in common with a power of ten."""
    return (values % room * (step % room) + offset) % room


def _normalised(shares: Sequence[float]) -> NDArray[np.float64]:
    values = np.array(shares, np.float64)
    shared: NDArray[np.float64] = values / values.sum()
    return shared


def worth_micro(scenario: Scenario) -> int | None:
    return None if scenario.worth is None else micro(scenario.worth)
