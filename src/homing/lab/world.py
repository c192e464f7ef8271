"""The demand of a scenario under one seed: who wants a code, when, at which number. No policy changes any of it.

All random draws are made here, before a policy decides anything, from a stream of its own for each source of traffic
and span of time (common random numbers): under all policies the same people come at the same times, and their n-th
message has the same draws.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing import errors
from homing.lab import truth as truths
from homing.lab.scenario import LAB_TRIES_MAX, Attack, Scenario, ScenarioEvent, micro
from homing.text.numbers import Numbering
from homing.text.prefix_table import PrefixTable

START_S: Final = 1_767_571_200  # 2026-01-05T00:00:00Z, a Monday; unix time has no summer time and no leap seconds
SPAN_MIN: Final = 15
"""Minutes whose demand is drawn at once and held in memory."""
PERSON: Final = 0
"""The source of genuine messages; attacks are numbered from 1."""
DRAWS: Final = 5
LOST, LATENCY, RETRY, RECEIPT, RECEIPT_LOST = range(DRAWS)
"""The draws of a message, by index: uniform, but LATENCY and RECEIPT, which are standard normal."""
BLOCK: Final = 1_000

DEMAND_DTYPE: Final = np.dtype(
    [
        ("at_s", np.float64),  # seconds from the scenario's beginning
        ("number", np.int64),
        ("destination", np.int16),  # index into World.destinations
        ("country", np.int16),  # index into Scenario.countries
        ("app", np.int16),  # index into Scenario.apps
        ("source", np.int16),
        ("event", np.int8),  # number of the scenario's event that it belongs to; 0: ordinary traffic or an attack
        ("tries", np.int8),  # earlier messages of the same person
        ("was_refused", np.bool_),  # whether one of them was refused
        ("conversion_draw", np.float32),  # uniform: whether the person enters a code that arrives
        ("conversion_delay_draw", np.float32),  # standard normal: how long that takes
        ("report_draw", np.float32),  # uniform: whether the customer reports the conversion
        ("report_delay_draw", np.float32),  # standard normal: how long that takes
        ("wrong_draw", np.float32),  # uniform: whether the first try of the code is wrong
        ("draws", np.float32, (LAB_TRIES_MAX, DRAWS)),
        ("first_s", np.float64),  # when the first code arrived; inf: none yet
        ("last_s", np.float64),  # when the last code arrived; a conversion is credited to its message
        ("last_minute", np.int32),
        ("last_carrier", np.int8),
    ]
)
"""One row per wanted message. A person's next message has the outcome of the previous ones."""

Demand = NDArray[np.void]
Indexes = TypeVar("Indexes", int, NDArray[np.int64])


class NetworkOfCountry(msgspec.Struct, frozen=True):
    """A network of a country by the numbering table. `country_index`: in Scenario.countries."""

    country: str
    network: str
    country_index: int
    mcc: str
    mnc: str


class _NumberRange(msgspec.Struct, frozen=True):
    """The numbers of a network: `size` from `first` on, of which `people` are in use (see `permute`)."""

    destination: int
    country_index: int
    share: float  # of the country's people
    first: int
    size: int
    people: int
    step: int
    offset: int


class _Source(msgspec.Struct, frozen=True):
    """A source of traffic: its rate by minute, and either the number ranges of its people or an attack. `event`: the
    number of the scenario's event, from 1; 0: none. `app`: the only one; None: all by their shares.
    """

    rate_per_s: NDArray[np.float64]
    mix: tuple[tuple[_NumberRange, float], ...]  # with the probability of each; empty for attacks
    attack: Attack | None = None
    number: int = PERSON
    event: int = 0
    app: int | None = None
    in_sequence: bool = False


class World:
    """The simulated world: true rates of carriers, and the demand for codes."""

    def __init__(self, scenario: Scenario, seed: int, numbering: Numbering) -> None:
        """Raises `InvalidInput` where a prefix is not in the country that lists it."""
        self.scenario = scenario
        self.seed = seed
        self.numbering = numbering
        self.ticks = int(scenario.hours * 3600 // scenario.tick_s)
        self.minutes = int(np.ceil(scenario.hours * 60))
        self.truth = truths.build(scenario, self._generator(0))
        self.destinations: list[NetworkOfCountry] = []
        self._destination_ids: dict[tuple[str, str], int] = {}
        self._samples: list[str] = []
        self._blocks: dict[int, int] = {}
        self._ranges = self._read_ranges(self._generator(1))
        self._sources = self._read_sources()
        self._apps = _normalised([app.share for app in scenario.apps])
        for attack in scenario.attacks:
            for target in attack.targets:
                self._destination_of(target.prefix.ljust(target.digits, "0"), f"the {attack.kind} attack")

    def demand(self, span: int) -> Demand:
        """The first messages of people and attacks in a span of `SPAN_MIN` minutes, in order of time."""
        by_source = [self._draw(source, index, span) for index, source in enumerate(self._sources)]
        demand = np.concatenate(by_source)
        return demand[np.argsort(demand["at_s"], kind="stable")]

    @property
    def spans(self) -> int:
        return -(-self.minutes // SPAN_MIN)

    def sample_number(self, destination: int) -> str:
        """A number at a destination, by its index."""
        return self._samples[destination]

    def prefixes(self) -> dict[str, int]:
        """Each prefix in use, by which prices and costs are listed -> the index of its country."""
        countries = {
            network.prefix: index
            for index, country in enumerate(self.scenario.countries)
            for network in country.networks
        }
        others = [(target.prefix, target.digits) for attack in self.scenario.attacks for target in attack.targets]
        others += [(event.prefix, event.digits) for event in self.scenario.events if event.prefix is not None]
        for prefix, digits in others:
            if prefix not in countries:
                destination = self._destination_of(prefix.ljust(digits, "0"), "")
                countries[prefix] = self.destinations[destination].country_index
        return countries

    def prefix_factors(self) -> NDArray[np.float64]:
        """[destination, carrier]: the carriers' factors by number prefix, over the people of each destination."""
        factors = np.ones((len(self.destinations), len(self.scenario.carriers)))
        for k, carrier in enumerate(self.scenario.carriers):
            if not carrier.prefix_factors:
                continue
            table = PrefixTable(carrier.prefix_factors)
            for destination in range(len(self.destinations)):
                ranges = [numbers for numbers in self._ranges if numbers.destination == destination]
                if ranges:
                    by_range = [table.find(str(numbers.first)) for numbers in ranges]
                    of_ranges = [1.0 if factor is None else factor for factor in by_range]
                    factors[destination, k] = np.average(of_ranges, weights=[numbers.share for numbers in ranges])
        return factors

    def place(self, block: int, what: str) -> tuple[int, int]:
        """The index of the destination of a block of a thousand numbers, and of its country. `what` names it in an
        error.
        """
        destination = self._blocks.get(block)
        if destination is None:
            destination = self._blocks[block] = self._destination_of(f"{block}000", what)
        return destination, self.destinations[destination].country_index

    def layout(self, source: int, target: int, blocks: int) -> tuple[int, int]:
        """Step and offset of the order (`permute`) in which an attack uses the blocks of one of its targets, of which
        there is a power of ten.
        """
        layout = self._generator(3, source, target) if target else self._generator(3, source)
        return int(layout.integers(blocks // 3 + 1, blocks + 1)) // 10 * 10 + 7, int(layout.integers(blocks))

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64([self.seed, *stream]))

    # ---- destinations

    def _destination_of(self, number: str, what: str) -> int:
        """The index of a number's destination. `what` names the number in an error."""
        located = self.numbering.locate(number)
        key = located.country, located.mcc + located.mnc
        if key not in self._destination_ids:
            codes = [country.code for country in self.scenario.countries]
            if located.country not in codes:
                raise errors.InvalidInput(
                    f"{self.scenario.name}: {what} begins with {number[:8]}, which is in "
                    f"{located.country or 'no country'}; the scenario lists {', '.join(codes)}"
                )
            self._destination_ids[key] = len(self.destinations)
            self._samples.append(number)
            self.destinations.append(NetworkOfCountry(*key, codes.index(located.country), located.mcc, located.mnc))
        return self._destination_ids[key]

    def _read_ranges(self, generator: np.random.Generator) -> list[_NumberRange]:
        ranges = []
        for index, country in enumerate(self.scenario.countries):
            shares = _normalised([network.share for network in country.networks])
            for network, share in zip(country.networks, shares, strict=True):
                what = f"the network {network.prefix} of {country.code}"
                destination = self._destination_of(network.prefix.ljust(network.digits, "0"), what)
                if self.destinations[destination].country_index != index:
                    raise errors.InvalidInput(
                        f"{self.scenario.name}: {what} is in {self.destinations[destination].country} by its number"
                    )
                ranges.append(
                    self._number_range(generator, destination, network.prefix, network.digits, network.people, share)
                )
        return ranges

    def _number_range(
        self, generator: np.random.Generator, destination: int, prefix: str, digits: int, people: int, share: float
    ) -> _NumberRange:
        size = 10 ** (digits - len(prefix))
        step = int(generator.integers(size // 3, size)) // 10 * 10 + 7  # coprime to 10: no number is used twice
        return _NumberRange(
            destination=destination,
            country_index=self.destinations[destination].country_index,
            share=share,
            first=int(prefix) * size,
            size=size,
            people=min(people, size),
            step=step,
            offset=int(generator.integers(size)),
        )

    def _read_sources(self) -> list[_Source]:
        scenario = self.scenario
        hours = (np.arange(self.minutes) + 0.5) / 60
        day = scenario.rate_per_s * (
            1 + scenario.rate_swing * np.cos((hours - scenario.rate_peak_h) * (2 * np.pi / 24))
        )
        shares = _normalised([country.share for country in scenario.countries])
        sources = [_Source(day, self._mix(list(shares)))]
        sources.extend(
            self._event(event, number, hours, day, list(shares)) for number, event in enumerate(scenario.events, 1)
        )
        for number, attack in enumerate(scenario.attacks, 1):
            during = (hours >= attack.from_h) & (hours < attack.from_h + attack.hours)
            rate = np.full_like(hours, attack.rate_per_s)
            if attack.ramp_h:
                progress = np.clip((hours - attack.from_h) / attack.ramp_h, 0, 1)
                rate = attack.rate_from_per_s * (attack.rate_per_s / attack.rate_from_per_s) ** progress
            sources.append(_Source(np.where(during, rate, 0.0), (), attack, number))
        return sources

    def _event(
        self,
        event: ScenarioEvent,
        number: int,
        hours: NDArray[np.float64],
        day: NDArray[np.float64],
        shares: Sequence[float],
    ) -> _Source:
        during = (hours >= event.from_h) & (hours < event.from_h + event.hours)
        codes = [country.code for country in self.scenario.countries]
        only = None if event.country is None else codes.index(event.country)
        ramp = np.clip((hours - event.from_h) / event.ramp_h, 0, 1) if event.ramp_h else np.ones_like(hours)
        mix = self._mix([float(index == only) for index in range(len(codes))] if only is not None else shares)
        if event.prefix is not None:
            destination = self._destination_of(event.prefix.ljust(event.digits, "0"), f"the {event.kind}")
            generator = self._generator(5, number)
            numbers = self._number_range(generator, destination, event.prefix, event.digits, event.people, 1.0)
            if event.in_sequence:
                numbers = msgspec.structs.replace(numbers, step=1, offset=0)
            mix = ((numbers, 1.0),)
        share = 1.0 if only is None else shares[only]
        rate = event.rate_per_s if event.kind != "flash-sale" else day * (event.factor - 1) * share
        app = None if event.app is None else [app.name for app in self.scenario.apps].index(event.app)
        return _Source(during * ramp * rate, mix, event=number, app=app, in_sequence=event.in_sequence)

    def _mix(self, shares: Sequence[float]) -> tuple[tuple[_NumberRange, float], ...]:
        """The probability of each number range, from the countries' shares."""
        return tuple((numbers, shares[numbers.country_index] * numbers.share) for numbers in self._ranges)

    # ---- draws

    def _draw(self, source: _Source, index: int, span: int) -> Demand:
        generator = self._generator(2, index, span)
        first = span * SPAN_MIN
        rates = source.rate_per_s[first : first + SPAN_MIN]
        counts = generator.poisson(rates * 60)
        size = int(counts.sum())
        demand = np.zeros(size, DEMAND_DTYPE)
        if not size:
            return demand
        minute = np.repeat(np.arange(first, first + len(rates)), counts)
        demand["at_s"] = (minute + generator.random(size)) * 60
        demand["app"] = np.searchsorted(np.cumsum(self._apps)[:-1], generator.random(size), side="right")
        demand["conversion_draw"] = generator.random(size)
        demand["conversion_delay_draw"] = generator.standard_normal(size)
        draws = generator.random((size, LAB_TRIES_MAX, DRAWS))
        for normal in (LATENCY, RECEIPT):
            draws[:, :, normal] = generator.standard_normal((size, LAB_TRIES_MAX))
        demand["draws"] = draws
        of_reports = self._generator(4, index, span)  # their own stream: how a customer reports changes nothing else
        demand["report_draw"] = of_reports.random(size)
        demand["report_delay_draw"] = of_reports.standard_normal(size)
        demand["wrong_draw"] = of_reports.random(size)
        demand["first_s"] = demand["last_s"] = np.inf
        demand["source"] = source.number
        demand["event"] = source.event
        if source.attack is not None:
            self._assign_attack_numbers(demand, source.attack, source.number, generator)
        else:
            self._assign_numbers(demand, source, generator)
            if source.in_sequence:
                (numbers, _probability) = source.mix[0]
                wanted_before = int(source.rate_per_s[:first].sum() * 60)
                demand = demand[np.argsort(demand["at_s"], kind="stable")]
                demand["number"] = numbers.first + (wanted_before + np.arange(size)) % numbers.people
        if source.app is not None:
            demand["app"] = source.app
        return demand

    def _assign_numbers(self, demand: Demand, source: _Source, generator: np.random.Generator) -> None:
        """Assigns numbers to people: each person has one number, and they are spread over the network's range."""
        edges = np.cumsum([probability for _numbers, probability in source.mix])
        drawn = np.searchsorted(edges / edges[-1], generator.random(len(demand)), side="right")
        drawn = drawn.clip(max=len(source.mix) - 1)
        person = generator.random(len(demand))
        for n in np.unique(drawn):
            numbers = source.mix[n][0]
            rows = drawn == n
            person_index = (person[rows] * numbers.people).astype(np.int64)
            demand["number"][rows] = numbers.first + permute(person_index, numbers.step, numbers.offset, numbers.size)
            demand["destination"][rows] = numbers.destination
            demand["country"][rows] = numbers.country_index

    def _assign_attack_numbers(
        self, demand: Demand, attack: Attack, number: int, generator: np.random.Generator
    ) -> None:
        """Assigns numbers of `attack.ranges` blocks of a thousand, and of others after each rotation. Of an attack that
        looks for its way only the slot and the last digits are drawn here (lab/attackers.py).
        """
        if attack.app is not None:
            demand["app"] = [app.name for app in self.scenario.apps].index(attack.app)
        if attack.is_adaptive:
            demand["number"] = generator.integers(attack.ranges, size=len(demand)) * BLOCK
            demand["number"] += generator.integers(BLOCK, size=len(demand))
            return
        blocks = 10 ** (attack.digits - len(attack.prefix) - 3)
        step, offset = self.layout(number, 0, blocks)
        rotation = np.zeros(len(demand), np.int64)
        if attack.rotate_min:
            rotation = ((demand["at_s"] / 60 - attack.from_h * 60) // attack.rotate_min).astype(np.int64)
        index = rotation * attack.ranges + generator.integers(attack.ranges, size=len(demand))
        block = int(attack.prefix) * blocks + permute(index, step, offset, blocks)
        demand["number"] = block * BLOCK + generator.integers(BLOCK, size=len(demand))
        for value in np.unique(block).tolist():
            rows = block == value
            demand["destination"][rows], demand["country"][rows] = self.place(value, f"the {attack.kind} attack")


def permute(values: Indexes, step: int, offset: int, size: int) -> Indexes:
    """A permutation of 0..size - 1: `size` is a power of ten, and `step` coprime to it."""
    return (values % size * (step % size) + offset) % size


def _normalised(shares: Sequence[float]) -> NDArray[np.float64]:
    values = np.array(shares, np.float64)
    normalised: NDArray[np.float64] = values / values.sum()
    return normalised


def worth_micro(scenario: Scenario) -> int | None:
    return None if scenario.worth is None else micro(scenario.worth)
