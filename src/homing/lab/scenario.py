"""A scenario: the definition of a simulated world, as a TOML file.

docs/internals/lab.md describes every field. Times are hours from the scenario's beginning, which is midnight UTC;
amounts are decimal strings in USD per segment; probabilities are 0..1.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal, TypeGuard

import msgspec

from homing import errors
from homing.common import money

LAB_HOURS_MAX: Final = 24.0 * 31
LAB_RATE_PER_S_MAX: Final = 2_000.0
LAB_TRIES_MAX: Final = 3  # messages that a person asks for in a row


Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+$", min_length=1, max_length=15)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=40)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
Receipts = Literal["honest", "fake", "none"]
Goal = Literal["routing", "guard"]
Trait = Literal["fake-receipts", "degrading", "steady", "attack", "event", "hostile"]
AttackKind = Literal[
    "burst",
    "drip",
    "rotating",
    "mimicry",
    "colluding",
    "forged",
    "hopping",
    "thin",
    "repeating",
    "touring",
    "ramp",
    "bought",
]
EventKind = Literal["flash-sale", "launch", "office", "test-numbers", "campaign", "load-test"]

KINDS: Final[tuple[AttackKind, ...]] = ("burst", "rotating", "drip", "mimicry", "colluding", "forged")
"""The kinds of attack that have a figure of their own, over all scenarios that have them."""

RANGE_DIGITS_MAX: Final = 10
HOURS: Final = 24


class _ScenarioPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ScenarioNetwork(_ScenarioPart, frozen=True, kw_only=True):
    """A range of numbers of one operator: their common prefix and their length in digits."""

    prefix: Digits
    digits: Annotated[int, msgspec.Meta(ge=8, le=15)]
    share: Positive = 1.0
    people: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 200_000


class ScenarioCountry(_ScenarioPart, frozen=True, kw_only=True):
    """A country and its networks. `price`: the customer's; None: 1.5 times that of the most expensive carrier."""

    code: Code
    networks: Annotated[tuple[ScenarioNetwork, ...], msgspec.Meta(min_length=1)]
    share: NotNegative = 1.0
    price: str | None = None


class ReportOutage(_ScenarioPart, frozen=True, kw_only=True):
    """A time in which the customer's reports do not come through. `reported_later`: at its end, else never."""

    from_h: NotNegative
    until_h: Positive
    reported_later: bool = False


class ScenarioApp(_ScenarioPart, frozen=True, kw_only=True):
    """`conversion`: the probability that a person who gets a code enters it, after a lognormal delay.

    `reports`: whether the customer reports conversions; `stops_reporting_at_h`: when it stops. Of the conversions
    `report_share` are reported, a lognormal time after they happened (median 0: at once), then held until the next
    multiple of `report_bulk_min` minutes (0: not held). `report_dated`: a report says when the conversion happened.
    `wrong_codes`: the probability that a person's first try is wrong, who then takes as long again.
    """

    name: Name
    share: Positive = 1.0
    conversion: Probability = 0.85
    conversion_s_median: Positive = 25.0
    conversion_s_sigma: NotNegative = 0.7
    reports: bool = True
    stops_reporting_at_h: NotNegative | None = None
    report_share: Probability = 1.0
    report_s_median: NotNegative = 0.0
    report_s_sigma: NotNegative = 0.3
    report_bulk_min: NotNegative = 0.0
    report_dated: bool = False
    report_outages: tuple[ReportOutage, ...] = ()
    wrong_codes: Probability = 0.0


class ScenarioChange(_ScenarioPart, frozen=True, kw_only=True):
    """A change of a carrier from `from_h` until `until_h` (None: the end). Fields that are None do not change.

    `delivered` replaces the delivery probability, `delivered_factor` multiplies it, gradually over `ramp_h`.
    """

    from_h: NotNegative
    until_h: Positive | None = None
    ramp_h: NotNegative = 0.0
    countries: tuple[Code, ...] = ()
    delivered: Probability | None = None
    delivered_factor: Probability | None = None
    latency_s_median: Positive | None = None
    receipts: Receipts | None = None
    price: str | None = None


class ScenarioCarrier(_ScenarioPart, frozen=True, kw_only=True):
    """`delivered`: the probability that a message reaches its person; `delivered_in` by country.

    Receipts: `honest` report the outcome when it is known; `fake` always report "delivered" after a delay of their own
    (`fake_s_median`, `fake_s_sigma`; a small sigma is regular); `none`: there are no receipts. `drift`: the standard
    deviation of the random walk of the log odds of delivery over a day.

    Factors multiply the probability: `hour_factors` by hour of the day (24 of them, or none); `first_factor` and
    `again_factor` for a person's first message and later ones; `prefix_factors` by the longest prefix of the number;
    `load_factor` while the carrier has more than `load_share_max` of the messages of the last five minutes.
    """

    name: Name
    price: str
    prices: dict[Code, str] = {}
    delivered: Probability = 0.95
    delivered_in: dict[Code, Probability] = {}
    latency_s_median: Positive = 4.0
    latency_s_sigma: NotNegative = 0.6
    receipts: Receipts = "honest"
    receipts_lost: Probability = 0.0
    failed_s_median: Positive = 20.0
    failed_s_sigma: NotNegative = 0.7
    fake_s_median: Positive = 3.0
    fake_s_sigma: NotNegative = 0.02
    drift: NotNegative = 0.0
    hour_factors: tuple[Probability, ...] = ()
    first_factor: Probability = 1.0
    again_factor: Probability = 1.0
    prefix_factors: dict[Digits, Probability] = {}
    load_share_max: Probability = 1.0
    load_factor: Probability = 1.0
    changes: tuple[ScenarioChange, ...] = ()


class People(_ScenarioPart, frozen=True, kw_only=True):
    """People without a code request another one with probability `ask_again`, up to `messages_max` messages in all."""

    ask_again: Probability = 0.6
    ask_again_after_s: Positive = 60.0
    messages_max: Annotated[int, msgspec.Meta(ge=1, le=LAB_TRIES_MAX)] = 3
    code_valid_s: Positive = 600.0


class AttackNetwork(_ScenarioPart, frozen=True, kw_only=True):
    """Where an attack has its blocks: under a prefix, of numbers of so many digits."""

    prefix: Digits
    digits: Annotated[int, msgspec.Meta(ge=8, le=15)]


class Attack(_ScenarioPart, frozen=True, kw_only=True):
    """Artificial traffic to `ranges` blocks of a thousand numbers under `prefix`.

    `rotate_min`: minutes after which other blocks are used (0: never). `converts`: the probability that a message is
    reported as converted (mimicry, forged, bought), `converts_s_median` after the code arrived (None: as the app's
    people). `carrier`: the colluding one, whose receipts of the attack's messages are always "delivered". The rate
    grows from `rate_from_per_s` to `rate_per_s` over `ramp_h`, by equal factors in equal times.

    An attack that looks for its way has `hops` (a block is left for a fresh one when a message to it is refused),
    `messages_per_range` (after so many messages, 0: never) or `networks`: then its blocks are in these in turn, or with
    `network_min` in one after another for so many minutes each.
    """

    kind: AttackKind
    prefix: Digits
    digits: Annotated[int, msgspec.Meta(ge=8, le=15)]
    from_h: NotNegative
    hours: Positive
    rate_per_s: Positive
    ranges: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    rotate_min: NotNegative = 0.0
    converts: Probability = 0.0
    converts_s_median: Positive | None = None
    carrier: Name | None = None
    app: Name | None = None
    ramp_h: NotNegative = 0.0
    rate_from_per_s: NotNegative = 0.0
    hops: bool = False
    messages_per_range: Annotated[int, msgspec.Meta(ge=0)] = 0
    networks: tuple[AttackNetwork, ...] = ()
    network_min: NotNegative = 0.0

    @property
    def is_adaptive(self) -> bool:
        """Whether its numbers depend on what happens, so that they cannot be drawn in advance."""
        return self.hops or bool(self.messages_per_range) or bool(self.networks)

    @property
    def targets(self) -> tuple[AttackNetwork, ...]:
        return self.networks or (AttackNetwork(prefix=self.prefix, digits=self.digits),)


class ScenarioEvent(_ScenarioPart, frozen=True, kw_only=True):
    """Genuine traffic above the usual rate. `flash-sale`: the rate times `factor`, in `country` or everywhere. All
    others have `rate_per_s` of their own, reached over `ramp_h`, in `country` (also one with share 0), everywhere, or
    to `people` numbers under `prefix`. `in_sequence`: there one number after the other. `conversion`: of these people
    (None: the app's).
    """

    kind: EventKind
    from_h: NotNegative
    hours: Positive
    country: Code | None = None
    factor: Annotated[float, msgspec.Meta(ge=1)] = 1.0
    rate_per_s: NotNegative = 0.0
    ramp_h: NotNegative = 0.25
    prefix: Digits | None = None
    digits: Annotated[int, msgspec.Meta(ge=8, le=15)] = 12
    people: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    in_sequence: bool = False
    conversion: Probability | None = None
    app: Name | None = None


class Scenario(_ScenarioPart, frozen=True, kw_only=True):
    """`worth`: of a conversion to the customer; None: the objective is the cost per conversion, at `quality_floor`
    times the best carrier's conversion rate or more.

    `watched`: the carrier for which the time from its first change until its share is below a tenth is measured.
    `measure_from_h`: counting begins then (guards need a history before an attack). `learn_s`: between updates of
    Homing's learner (None: as in service, or in guard scenarios every half minute), to save time.
    """

    name: Name
    about: str = ""
    goal: Goal = "routing"
    watched: Name | None = None
    traits: tuple[Trait, ...] = ()
    hours: Annotated[float, msgspec.Meta(gt=0, le=LAB_HOURS_MAX)] = 24.0
    measure_from_h: NotNegative = 0.0
    rate_per_s: Annotated[float, msgspec.Meta(gt=0, le=LAB_RATE_PER_S_MAX)] = 20.0
    rate_swing: Probability = 0.5
    rate_peak_h: NotNegative = 19.0
    tick_s: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] = 5
    seed: int = 0
    learn_s: Positive | None = None
    worth: str | None = None
    quality_floor: Probability = 0.9
    text: str = "Your code is 123456. Do not share it."
    countries: Annotated[tuple[ScenarioCountry, ...], msgspec.Meta(min_length=1, max_length=250)]
    apps: Annotated[tuple[ScenarioApp, ...], msgspec.Meta(min_length=1, max_length=16)]
    carriers: Annotated[tuple[ScenarioCarrier, ...], msgspec.Meta(min_length=1, max_length=16)]
    people: People = People()
    attacks: tuple[Attack, ...] = ()
    events: tuple[ScenarioEvent, ...] = ()


def read(text: str, where: str) -> Scenario:
    """Parses TOML. `where` names the source in errors. Raises `InvalidInput` naming the field, or the inconsistency."""
    try:
        scenario = msgspec.toml.decode(text, type=Scenario)
    except msgspec.ValidationError as error:
        raise errors.InvalidInput(f"{where}: {error}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise errors.InvalidInput(f"{where} is not TOML: {error}") from None
    problems = list(_problems(scenario))
    if problems:
        raise errors.InvalidInput("\n".join(f"{where}: {problem}" for problem in problems))
    return scenario


def load(path: Path) -> Scenario:
    """Reads a file. Raises `InvalidInput`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise errors.InvalidInput(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise errors.InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    return read(text, str(path))


def shipped() -> tuple[Scenario, ...]:
    """The scenarios that are part of Homing, in order of name."""
    folder = resources.files(__package__).joinpath("scenarios")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(read(file.read_text(encoding="utf-8"), file.name) for file in files)


def micro(amount: str) -> int:
    """Micro-units of an amount that `read` has validated."""
    return money.parse(amount)


def _problems(scenario: Scenario) -> Iterable[str]:
    """Inconsistencies between fields, each as one sentence."""
    countries = {country.code for country in scenario.countries}
    carriers = {carrier.name for carrier in scenario.carriers}
    apps = {app.name for app in scenario.apps}
    for kind, names in (
        ("country", [country.code for country in scenario.countries]),
        ("carrier", [carrier.name for carrier in scenario.carriers]),
        ("app", [app.name for app in scenario.apps]),
    ):
        yield from (f"the {kind} {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1}))
    if not any(country.share for country in scenario.countries):
        yield "no country has a share above 0: nobody would send"
    if scenario.measure_from_h >= scenario.hours:
        yield f"measure_from_h {scenario.measure_from_h:g} is not before the end, {scenario.hours:g} h"
    if scenario.watched is not None and not any(
        carrier.name == scenario.watched and carrier.changes for carrier in scenario.carriers
    ):
        yield f"watched names {scenario.watched}, which is no carrier with changes"
    amounts: list[tuple[str, str | None]] = [("worth", scenario.worth)]
    for country in scenario.countries:
        amounts.append((f"the price of {country.code}", country.price))
        for network in country.networks:
            yield from _range_problems(
                f"the network {network.prefix} of {country.code}", network.prefix, network.digits
            )
    for carrier in scenario.carriers:
        amounts.append((f"the price of {carrier.name}", carrier.price))
        amounts += [(f"the price of {carrier.name} in {code}", price) for code, price in carrier.prices.items()]
        named = {
            *carrier.prices,
            *carrier.delivered_in,
            *(code for change in carrier.changes for code in change.countries),
        }
        if len(carrier.hour_factors) not in (0, HOURS):
            yield f"{carrier.name} has {len(carrier.hour_factors)} hour_factors: {HOURS} of them, or none"
        yield from (f"{carrier.name} names {code}, which is no country here" for code in sorted(named - countries))
        for change in carrier.changes:
            amounts.append((f"a changed price of {carrier.name}", change.price))
            if change.until_h is not None and change.until_h <= change.from_h:
                yield f"a change of {carrier.name} ends ({change.until_h:g} h) before it begins ({change.from_h:g} h)"
            if change.delivered is not None and change.delivered_factor is not None:
                yield f"a change of {carrier.name} has delivered and delivered_factor: one of them"
    for app in scenario.apps:
        for outage in app.report_outages:
            if outage.until_h <= outage.from_h:
                times = f"ends ({outage.until_h:g} h) before it begins ({outage.from_h:g} h)"
                yield f"a report outage of {app.name} {times}"
    for attack in scenario.attacks:
        for target in attack.targets:
            yield from _range_problems(f"the {attack.kind} attack", target.prefix, target.digits)
        if attack.carrier is not None and attack.carrier not in carriers:
            yield f"the {attack.kind} attack names the carrier {attack.carrier}, which is not there"
        if attack.app is not None and attack.app not in apps:
            yield f"the {attack.kind} attack names the app {attack.app}, which is not there"
        ranges_max = 10 ** max(0, attack.digits - len(attack.prefix) - 3)
        if attack.ranges > ranges_max and not attack.is_adaptive:
            yield f"the {attack.kind} attack wants {attack.ranges} ranges; under {attack.prefix} there are {ranges_max}"
        if attack.ramp_h and not 0 < attack.rate_from_per_s <= attack.rate_per_s:
            yield f"the {attack.kind} attack grows over ramp_h from a rate_from_per_s above 0, up to its rate_per_s"
        if attack.network_min and not attack.networks:
            yield f"the {attack.kind} attack has network_min and no networks"
    for event in scenario.events:
        if event.kind == "launch" and ((event.country is None and event.prefix is None) or not event.rate_per_s):
            yield "a launch names its country or prefix, and rate_per_s"
        if event.kind not in ("launch", "flash-sale") and not event.rate_per_s:
            yield f"a {event.kind} names its rate_per_s"
        if event.prefix is not None:
            yield from _range_problems(f"the {event.kind}", event.prefix, event.digits)
        if event.in_sequence and event.prefix is None:
            yield f"a {event.kind} in sequence names its prefix"
        if event.app is not None and event.app not in apps:
            yield f"a {event.kind} names the app {event.app}, which is not there"
        if event.country is not None and event.country not in countries:
            yield f"a {event.kind} names {event.country}, which is no country here"
    for subject, amount in amounts:
        if amount is not None:
            try:
                if money.parse(amount) < 0:
                    yield f"{subject} is below zero"
            except ValueError as error:
                yield f"{subject}: {error}"


def _range_problems(subject: str, prefix: str, digits: int) -> Iterable[str]:
    if not 3 <= digits - len(prefix) <= RANGE_DIGITS_MAX:
        yield f"{subject} has {digits} digits: beyond its prefix it needs 3 to {RANGE_DIGITS_MAX} of them"


def to_toml(scenario: Scenario) -> str:
    """The TOML of a scenario, without fields that have their default. `read` gives the scenario back."""
    set_fields = _set_fields(scenario)
    lines = [f"{name} = {_inline(value)}" for name, value in set_fields.items() if not _is_tables(value)]
    for name, value in set_fields.items():
        for table in value if _is_tables(value) else ():
            lines += ["", f"[[{name}]]", *(f"{field} = {_inline(inner)}" for field, inner in table.items())]
    return "\n".join(lines) + "\n"


def _is_tables(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_inline(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return msgspec.json.encode(value).decode()


def _set_fields(part: msgspec.Struct) -> dict[str, object]:
    set_fields = {}
    for field in msgspec.structs.fields(part):
        value = getattr(part, field.name)
        if value is None or value in ((), {}) or value == field.default:
            continue
        if isinstance(value, msgspec.Struct):
            value = _set_fields(value)
        elif isinstance(value, tuple):
            value = [_set_fields(item) if isinstance(item, msgspec.Struct) else item for item in value]
        set_fields[field.name] = value
    return set_fields
