"""Generates scenarios from a seed: carriers, people and attacks with random parameters."""

import random
from typing import Final, Literal

import msgspec

from homing.common.money import trimmed
from homing.lab.scenario import (
    Attack,
    AttackKind,
    AttackNetwork,
    People,
    Receipts,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioChange,
    ScenarioCountry,
    ScenarioEvent,
    ScenarioNetwork,
    Trait,
    micro,
)

RANGES: Final = {
    "ID": (("62812", 12), ("62815", 12), ("62817", 12)),
    "PH": (("63917", 12), ("63918", 12)),
    "VN": (("8490", 11), ("8498", 11), ("8491", 11)),
    "NG": (("2348030", 13), ("2348020", 13)),
    "PK": (("92300", 12), ("92345", 12)),
    "BD": (("88017", 13), ("88019", 13)),
    "KE": (("25471", 12), ("25473", 12)),
    "EG": (("201001", 12), ("201101", 12)),
    "GB": (("447400", 12), ("447900", 12)),
}
"""Countries -> (prefix, digits) of their operators, from public numbering plans."""
CARRIERS: Final = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
KINDS: Final[tuple[AttackKind, ...]] = ("burst", "rotating", "drip", "mimicry")


def generated(seed: int, goal: Literal["routing", "guard"]) -> Scenario:
    """The scenario of a seed; the same seed gives the same scenario."""
    rng = random.Random(f"{goal} {seed}")  # noqa: S311 - a simulation
    countries = _countries(rng)
    carriers, traits = _carriers(rng, goal)
    hours = 24.0 if goal == "routing" else 12.0
    apps = tuple(
        ScenarioApp(
            name=f"app{n}",
            share=round(rng.uniform(0.2, 1.0), 2),
            conversion=round(rng.uniform(0.6, 0.95), 3),
            conversion_s_median=round(rng.uniform(12, 60), 1),
            conversion_s_sigma=round(rng.uniform(0.4, 1.0), 2),
        )
        for n in range(1, rng.randint(1, 3) + 1)
    )
    attacks: tuple[Attack, ...] = ()
    events: tuple[ScenarioEvent, ...] = ()
    if goal == "guard":
        attacks = (_attack(rng, countries),)
        traits = ("attack",)
        if rng.random() < 0.5:
            events = (
                ScenarioEvent(
                    kind="flash-sale",
                    from_h=round(rng.uniform(6, 10), 2),
                    hours=round(rng.uniform(0.5, 2), 2),
                    factor=round(rng.uniform(2, 6), 1),
                ),
            )
            traits = ("attack", "event")
    return Scenario(
        name=f"generated-{goal}-{seed}",
        about="Drawn from a seed.",
        goal=goal,
        traits=traits,
        hours=hours,
        measure_from_h=6.0 if goal == "guard" else 0.0,
        rate_per_s=20.0 if goal == "routing" else round(rng.uniform(1, 4), 2),
        tick_s=5 if goal == "routing" else 2,
        rate_swing=round(rng.uniform(0.1, 0.8), 2),
        rate_peak_h=round(rng.uniform(0, 24), 1),
        countries=countries,
        apps=apps,
        carriers=carriers,
        people=People(ask_again=round(rng.uniform(0.3, 0.8), 2), ask_again_after_s=round(rng.uniform(45, 120), 0)),
        attacks=attacks,
        events=events,
    )


def generated_hostile(seed: int, goal: Literal["routing", "guard"]) -> Scenario:
    """The scenario of a seed with something hostile added, from draws of its own."""
    base = generated(seed, goal)
    rng = random.Random(f"hostile {goal} {seed}")  # noqa: S311 - a simulation
    apps = tuple(_reporting(rng, app) for app in base.apps)
    scenario = msgspec.structs.replace(
        base,
        name=f"generated-hostile-{goal}-{seed}",
        about="Drawn from a seed, with reports, attackers, crowds or carriers that make it hard.",
        traits=(*base.traits, "hostile"),
        hours=min(base.hours, 8.0),
        apps=apps,
    )
    if goal == "routing":
        worst = min(range(len(base.carriers)), key=lambda k: micro(base.carriers[k].price))
        carriers = tuple(_playing(rng, each) if k == worst else each for k, each in enumerate(base.carriers))
        return msgspec.structs.replace(scenario, rate_per_s=3.0, carriers=carriers)
    attacks = tuple(_looking(rng, attack, base.countries) for attack in base.attacks)
    network = rng.choice(rng.choice(base.countries).networks)
    crowd = ScenarioEvent(
        kind=rng.choice(("launch", "office", "test-numbers", "load-test")),
        prefix=network.prefix
        + "".join(rng.choice("0123456789") for _ in range(network.digits - len(network.prefix) - 4)),
        digits=network.digits,
        people=rng.choice((10, 40, 300, 5_000)),
        from_h=round(rng.uniform(6.2, 7.0), 2),
        hours=round(rng.uniform(0.3, 1.0), 2),
        rate_per_s=round(rng.uniform(0.01, 0.5), 3),
        in_sequence=rng.random() < 0.3,
        conversion=rng.choice((None, None, 0.0)),
    )
    return msgspec.structs.replace(scenario, attacks=attacks, events=(*base.events, crowd))


def _reporting(rng: random.Random, app: ScenarioApp) -> ScenarioApp:
    """How its customer reports: nothing, in part, late, in bulk, or everything at once."""
    return msgspec.structs.replace(
        app,
        reports=rng.random() > 0.25,
        report_share=rng.choice((1.0, 1.0, round(rng.uniform(0.01, 0.9), 2))),
        report_s_median=rng.choice((0.0, 0.0, round(rng.uniform(60, 3_600)))),
        report_bulk_min=rng.choice((0.0, 0.0, 15.0, 120.0)),
        report_dated=rng.random() < 0.3,
    )


def _looking(rng: random.Random, attack: Attack, countries: tuple[ScenarioCountry, ...]) -> Attack:
    """An attack that leaves what is refused, stays nowhere long, or goes over all networks there are."""
    networks = tuple(
        AttackNetwork(prefix=network.prefix, digits=network.digits)
        for country in countries
        for network in country.networks
    )
    kind: AttackKind = rng.choice(("hopping", "thin", "touring", "bought"))
    return msgspec.structs.replace(
        attack,
        kind=kind,
        from_h=min(attack.from_h, 7.0),
        hours=min(attack.hours, 1.0),
        ranges=rng.randint(1, 30),
        rotate_min=0.0,
        hops=kind == "hopping" or rng.random() < 0.3,
        messages_per_range=0 if kind == "hopping" else rng.randint(1, 6),
        networks=networks if kind == "touring" or rng.random() < 0.3 else (),
        network_min=round(rng.uniform(1, 15), 1) if kind == "touring" else 0.0,
        converts=round(rng.uniform(0.1, 0.5), 2) if kind == "bought" else 0.0,
    )


def _playing(rng: random.Random, carrier: ScenarioCarrier) -> ScenarioCarrier:
    """The cheapest carrier, with one weakness that is hard to see."""
    bad = round(rng.uniform(0.2, 0.6), 2)
    night = rng.randrange(24)
    weaknesses: tuple[dict[str, object], ...] = (
        {"load_share_max": round(rng.uniform(0.1, 0.5), 2), "load_factor": bad},
        {"hour_factors": tuple(bad if (hour - night) % 24 < 4 else 1.0 for hour in range(24))},
        {"first_factor": bad},
        {"again_factor": bad},
        {"prefix_factors": {str(digit): bad for digit in rng.sample(range(1, 10), 3)}},
        {"receipts": "fake", "delivered": bad},
    )
    return msgspec.structs.replace(carrier, **rng.choice(weaknesses))


def _countries(rng: random.Random) -> tuple[ScenarioCountry, ...]:
    return tuple(
        ScenarioCountry(
            code=code,
            share=round(rng.uniform(0.1, 1.0), 2),
            networks=tuple(
                ScenarioNetwork(prefix=prefix, digits=digits, share=round(rng.uniform(0.2, 1.0), 2))
                for prefix, digits in RANGES[code]
            ),
        )
        for code in sorted(rng.sample(sorted(RANGES), rng.randint(1, 4)))
    )


def _carriers(rng: random.Random, goal: str) -> tuple[tuple[ScenarioCarrier, ...], tuple[Trait, ...]]:
    """Honest carriers that differ; in routing scenarios often also one with fake receipts, or one that degrades.

    These two are cheap: otherwise nobody would choose them. Carriers are in the order in which an operator would put
    them on the first day: by price over the delivery rate of their receipts.
    """
    base = rng.uniform(0.008, 0.05)
    carriers = [_carrier(rng, name, base * rng.uniform(1.0, 1.6)) for name in CARRIERS[: rng.randint(2, 4)]]
    traits: list[Trait] = []
    names = CARRIERS[len(carriers) :]
    if goal == "routing" and rng.random() < 0.5:
        faking = _carrier(rng, names[0], base * rng.uniform(0.6, 0.95), receipts="fake")
        carriers.append(msgspec.structs.replace(faking, delivered=round(rng.uniform(0.3, 0.75), 3)))
        traits.append("fake-receipts")
    if goal == "routing" and rng.random() < 0.6:
        change = ScenarioChange(
            from_h=round(rng.uniform(3, 16), 2),
            ramp_h=round(rng.choice((0.0, rng.uniform(0.5, 4))), 2),
            delivered_factor=round(rng.uniform(0.3, 0.7), 3),
            receipts=rng.choice((None, "fake")),
        )
        degrading = _carrier(rng, names[1], base * rng.uniform(0.7, 0.95))
        carriers.append(msgspec.structs.replace(degrading, changes=(change,)))
        traits.append("degrading")
    carriers.sort(key=lambda carrier: micro(carrier.price) / (1.0 if carrier.receipts == "fake" else carrier.delivered))
    return tuple(carriers), tuple(traits) or ("steady",)


def _carrier(rng: random.Random, name: str, price: float, receipts: Receipts = "honest") -> ScenarioCarrier:
    return ScenarioCarrier(
        name=name,
        price=trimmed(int(price * 1_000_000)),
        delivered=round(rng.uniform(0.85, 0.98), 3),
        latency_s_median=round(rng.uniform(2, 15), 1),
        latency_s_sigma=round(rng.uniform(0.3, 1.0), 2),
        receipts=receipts,
        receipts_lost=round(rng.choice((0.0, rng.uniform(0, 0.1))), 3),
        failed_s_median=round(rng.uniform(8, 45), 1),
        drift=round(rng.uniform(0, 0.3), 2),
    )


def _attack(rng: random.Random, countries: tuple[ScenarioCountry, ...]) -> Attack:
    """On ranges of a listed network: the hard case, since people use the same network."""
    kind = rng.choice(KINDS)
    network = rng.choice(rng.choice(countries).networks)
    from_h = round(rng.uniform(6.5, 9), 2)
    if kind in ("burst", "rotating"):
        return Attack(
            kind=kind,
            prefix=network.prefix,
            digits=network.digits,
            from_h=from_h,
            hours=round(rng.uniform(0.5, 3), 2),
            rate_per_s=round(rng.uniform(1, 10), 2),
            ranges=rng.randint(1, 8),
            rotate_min=float(rng.randint(5, 20)) if kind == "rotating" else 0.0,
        )
    return Attack(
        kind=kind,
        prefix=network.prefix,
        digits=network.digits,
        from_h=from_h,
        hours=round(12 - from_h, 2),
        rate_per_s=round(rng.uniform(0.02, 0.2) if kind == "drip" else rng.uniform(0.3, 2), 3),
        ranges=rng.randint(1, 4) if kind == "drip" else rng.randint(4, 40),
        converts=0.0 if kind == "drip" else round(rng.uniform(0.1, 0.35), 2),
    )
