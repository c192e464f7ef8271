"""Worlds in which routing has a hard time: carriers that play the learner, customers who report little or late, and
thin traffic. docs/internals/lab.md, "Hostile worlds", says what each is for.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from homing.lab.scenario import (
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioChange,
    ScenarioCountry,
    ScenarioNetwork,
)
from homing.text.numbers import Numbering

APP: Final = ScenarioApp(name="signin")
ALPHA: Final = ScenarioCarrier(name="alpha", price="0.020", delivered=0.96)
OTHERS: Final = (
    ScenarioCarrier(name="bravo", price="0.026", delivered=0.95),
    ScenarioCarrier(name="charlie", price="0.030", delivered=0.97, latency_s_median=3.0),
)
BASE: Final = Scenario(
    name="base",
    traits=("degrading",),
    hours=6.0,
    rate_per_s=3.0,
    countries=(
        ScenarioCountry(
            code="ID",
            share=0.6,
            networks=tuple(
                ScenarioNetwork(prefix=prefix, digits=12) for prefix in ("62811", "62812", "62813", "62815")
            ),
        ),
        ScenarioCountry(
            code="PH",
            share=0.4,
            networks=(ScenarioNetwork(prefix="63917", digits=12), ScenarioNetwork(prefix="63918", digits=12)),
        ),
    ),
    apps=(APP,),
    carriers=(ALPHA, *OTHERS),
)
"""The cheapest carrier, alpha, is the best one until something is wrong with it."""
WIDE_NETWORKS: Final = 227
WIDE_CARRIERS: Final = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")
WIDE_DIGITS: Final = 12
WIDE_LEARN_S: Final = 30.0


def carrier_worlds() -> Iterator[Scenario]:
    """Carriers whose quality depends on what they are sent, and when."""
    replace = msgspec.structs.replace

    def world(name: str, about: str, **fields: object) -> Scenario:
        return replace(BASE, name=name, about=about, carriers=(replace(ALPHA, **fields), *OTHERS))

    yield world(
        "load",
        "The cheapest carrier delivers well up to three tenths of the traffic.",
        load_share_max=0.3,
        load_factor=0.41,
    )
    night = (0.4,) * 3 + (1.0,) * 21
    yield world("by-hour", "The cheapest carrier is bad for three hours of each day.", hour_factors=night)
    prefixes = {"62": 0.4, "62812": 1.0, "63": 0.4}
    yield world("one-prefix", "The cheapest carrier is good for one prefix alone.", prefix_factors=prefixes)
    yield world(
        "first-message", "The cheapest carrier is bad for first messages, good for later ones.", first_factor=0.5
    )
    yield world("later-message", "The cheapest carrier is bad for later messages.", again_factor=0.3)


def reporting_worlds() -> Iterator[Scenario]:
    """A carrier with fake receipts, where conversions are not reported or come late."""
    replace = msgspec.structs.replace
    faking = replace(ALPHA, delivered=0.4, receipts="fake")
    yield replace(
        BASE,
        name="silent-faking",
        about="Nothing is reported; the cheapest carrier fakes receipts and delivers 40 %.",
        traits=("fake-receipts",),
        apps=(replace(APP, reports=False),),
        carriers=(faking, *OTHERS),
    )
    for name, about, app, from_h in (
        ("late-lying", "Conversions are reported an hour late", replace(APP, report_s_median=3_600.0), 2.0),
        ("bulk-lying", "Conversions are reported every two hours", replace(APP, report_bulk_min=120.0), 3.0),
    ):
        lying = replace(ALPHA, changes=(ScenarioChange(from_h=from_h, delivered=0.4, receipts="fake"),))
        yield replace(
            BASE,
            name=name,
            about=f"{about}; the cheapest carrier begins to lie and to lose.",
            watched="alpha",
            apps=(app,),
            carriers=(lying, *OTHERS),
        )


def thin_worlds(numbering: Numbering) -> Iterator[Scenario]:
    """Little traffic in each cell."""
    replace = msgspec.structs.replace
    dies = ScenarioChange(from_h=6.0, delivered=0.0, receipts="fake")
    yield replace(
        BASE,
        name="dead-favourite",
        about="One cell of one message a minute; its favourite carrier delivers nothing any more and lies.",
        hours=12.0,
        rate_per_s=1 / 60,
        rate_swing=0.0,
        watched="alpha",
        countries=(ScenarioCountry(code="ID", networks=(ScenarioNetwork(prefix="62812", digits=12),)),),
        carriers=(replace(ALPHA, changes=(dies,)), *OTHERS),
    )
    yield wide_world(numbering)


def wide_world(numbering: Numbering) -> Scenario:
    """Networks of many countries and six carriers, of which each is good in some countries."""
    draws = random.Random("wide")  # noqa: S311 - a simulation
    prefixes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for prefix, destination in numbering.assigned():
        if destination.mnc != "-1" and destination.country and len(prefix) <= WIDE_DIGITS - 4:
            prefixes[destination.country].setdefault(destination.mcc + destination.mnc, prefix)
    countries: list[ScenarioCountry] = []
    left = WIDE_NETWORKS
    for code in sorted(prefixes, key=lambda code: (-len(prefixes[code]), code)):
        networks = list(prefixes[code].values())[: min(8, left)]
        if not networks:
            break
        left -= len(networks)
        countries.append(
            ScenarioCountry(
                code=code,
                share=round(draws.paretovariate(1.2), 2),
                networks=tuple(
                    ScenarioNetwork(prefix=prefix, digits=WIDE_DIGITS, share=round(draws.uniform(0.2, 1.0), 2))
                    for prefix in networks
                ),
            )
        )
    codes = [country.code for country in countries]
    carriers = tuple(
        ScenarioCarrier(
            name=name,
            price=f"{draws.uniform(0.015, 0.03):.4f}",
            delivered=0.9,
            delivered_in={code: round(draws.choice((0.6, 0.85, 0.93, 0.97)), 2) for code in codes},
            latency_s_median=round(draws.uniform(2, 12), 1),
        )
        for name in WIDE_CARRIERS
    )
    return msgspec.structs.replace(
        BASE,
        name="wide",
        about=f"{WIDE_NETWORKS} networks and six carriers at four messages a second: the first three hours.",
        traits=("steady",),
        hours=3.0,
        rate_per_s=4.0,
        learn_s=WIDE_LEARN_S,
        countries=tuple(countries),
        carriers=carriers,
    )
