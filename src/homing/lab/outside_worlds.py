"""Five worlds against guard and routing, written without knowledge of their rules.

What each is for, and why its bounds are fair, is in docs/internals/lab.md, "Outside worlds". The bounds
(hostile_figures.py) were written down before any of these worlds was run, and nothing was tuned to them.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from homing.lab.hostile_guard import BASE, SEEN
from homing.lab.hostile_routing import BASE as ROUTING_BASE
from homing.lab.scenario import (
    Attack,
    People,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioChange,
    ScenarioCountry,
    ScenarioEvent,
    ScenarioNetwork,
)

OWN_BLOCKS: Final = "62815777"
"""Ten blocks of a thousand numbers, all of which the insider's company holds."""
ISLAND: Final = ScenarioCountry(
    code="MV",
    share=0.1,
    price="0.25",
    networks=(ScenarioNetwork(prefix="96077", digits=10, people=20_000),),
)
"""A country of one operator: a hundred blocks, and real people in every one of them."""
DOWN: Final = ScenarioChange(from_h=2.5, until_h=3.25, countries=("PH",), delivered=0.05)
VALIDITY_S: Final = 3_600.0
"""How long carriers go on trying before a message is "undelivered", as customers of codes often leave it set."""


def outside_worlds() -> Iterator[Scenario]:
    """Three of fraud, one of routing, and one in which nothing bad happens and everything is unusual."""
    yield _insider()
    yield _only_operator()
    yield _vote_night()
    yield _late_failures()
    yield _unusual_day()


def _insider() -> Scenario:
    trusted = Attack(
        kind="bought",
        prefix=OWN_BLOCKS,
        digits=12,
        from_h=0.25,
        hours=2.25,
        rate_per_s=0.15,
        ranges=10,
        converts=0.85,
        converts_s_median=40.0,
    )
    cashed = msgspec.structs.replace(
        trusted, kind="burst", hours=0.25, rate_per_s=2.0, converts=0.0, converts_s_median=None
    )
    again = tuple(msgspec.structs.replace(trusted, from_h=from_h, hours=0.25) for from_h in (2.75, 3.25, 3.75))
    cashing = tuple(msgspec.structs.replace(cashed, from_h=from_h) for from_h in (2.5, 3.0, 3.5))
    return msgspec.structs.replace(
        BASE,
        name="insider",
        about="ten blocks convert like customers for two hours, then pay out a quarter of an hour at a time",
        attacks=(trusted, *again, *cashing),
    )


def _only_operator() -> Scenario:
    return msgspec.structs.replace(
        BASE,
        name="only-operator",
        about="a country's only operator: requests to numbers of the same blocks that its customers have",
        countries=(*SEEN, ISLAND),
        carriers=tuple(msgspec.structs.replace(carrier, prices={"MV": "0.15"}) for carrier in BASE.carriers),
        attacks=(
            Attack(kind="repeating", prefix="96077", digits=10, from_h=2.5, hours=1.5, rate_per_s=0.6, ranges=100),
        ),
    )


def _vote_night() -> Scenario:
    return msgspec.structs.replace(
        BASE,
        name="vote-night",
        about="a television show's vote by an app that reports nothing, and an attack that begins with it",
        apps=(*BASE.apps, ScenarioApp(name="vote", share=0.02, conversion=0.5, reports=False)),
        events=(
            ScenarioEvent(kind="launch", country="PH", from_h=2.5, hours=0.5, rate_per_s=12.0, ramp_h=0.05, app="vote"),
        ),
        attacks=(
            Attack(
                kind="rotating",
                prefix="63917",
                digits=12,
                from_h=2.5,
                hours=1.5,
                rate_per_s=1.5,
                ranges=30,
                rotate_min=15.0,
                app="vote",
            ),
        ),
    )


def _late_failures() -> Scenario:
    carriers = tuple(
        msgspec.structs.replace(carrier, failed_s_median=VALIDITY_S, failed_s_sigma=0.05)
        for carrier in ROUTING_BASE.carriers
    )
    alpha = msgspec.structs.replace(carriers[0], changes=(ScenarioChange(from_h=1.5, delivered=0.45),))
    return msgspec.structs.replace(
        ROUTING_BASE,
        name="late-failures",
        about="nothing is reported; the cheapest carrier loses half, and honestly says so an hour later",
        hours=4.0,
        watched="alpha",
        apps=(ScenarioApp(name="signin", reports=False),),
        carriers=(alpha, *carriers[1:]),
    )


def _unusual_day() -> Scenario:
    carriers: tuple[ScenarioCarrier, ...] = tuple(
        msgspec.structs.replace(carrier, changes=(DOWN,)) for carrier in BASE.carriers
    )
    return msgspec.structs.replace(
        BASE,
        name="unusual-day",
        about="no attack: an operator is down, an app asks again after 20 s, a school, a vote, a campaign",
        traits=("event",),
        apps=(
            ScenarioApp(name="signin", share=0.6),
            ScenarioApp(
                name="web",
                share=0.4,
                conversion=0.7,
                conversion_s_median=240.0,
                report_share=0.7,
                report_s_median=900.0,
            ),
        ),
        carriers=carriers,
        people=People(ask_again=0.95, ask_again_after_s=20.0),
        events=(
            ScenarioEvent(
                kind="office",
                prefix="628151112",
                people=300,
                from_h=2.25,
                hours=0.5,
                rate_per_s=0.2,
                conversion=0.9,
            ),
            ScenarioEvent(kind="launch", country="ID", from_h=2.75, hours=0.35, rate_per_s=6.0, conversion=0.5),
            ScenarioEvent(kind="campaign", country="VN", from_h=3.25, hours=0.5, rate_per_s=4.0, conversion=0.0),
        ),
    )
