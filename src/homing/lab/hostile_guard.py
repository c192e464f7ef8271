"""Worlds in which a guard has a hard time: customers who report little, attackers who look for their way, and genuine
crowds that look like an attack. docs/internals/lab.md, "Hostile worlds", says what each is for.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from homing.lab.scenario import (
    Attack,
    AttackNetwork,
    ReportOutage,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioCountry,
    ScenarioEvent,
    ScenarioNetwork,
)
from homing.text.numbers import Numbering

UNSEEN_COUNTRIES: Final = 40
UNSEEN_NETWORKS_EACH: Final = 4
DIGITS: Final = 12
PREFIX_DIGITS_MAX: Final = DIGITS - 4
APP: Final = ScenarioApp(name="signin")
SEEN: Final = (
    ScenarioCountry(
        code="ID",
        share=0.5,
        networks=(
            ScenarioNetwork(prefix="62812", digits=12, share=0.6),
            ScenarioNetwork(prefix="62815", digits=12, share=0.4),
        ),
    ),
    ScenarioCountry(
        code="PH",
        share=0.3,
        networks=(ScenarioNetwork(prefix="63917", digits=12), ScenarioNetwork(prefix="63918", digits=12)),
    ),
    ScenarioCountry(code="VN", share=0.2, networks=(ScenarioNetwork(prefix="8498", digits=11),)),
)
LAUNCHED: Final = ScenarioCountry(code="PK", share=0.0, networks=(ScenarioNetwork(prefix="92300", digits=12),))
BASE: Final = Scenario(
    name="base",
    goal="guard",
    traits=("attack",),
    hours=4.0,
    measure_from_h=2.0,
    rate_per_s=3.0,
    tick_s=2,
    countries=(*SEEN, LAUNCHED),
    apps=(APP,),
    carriers=(
        ScenarioCarrier(name="alpha", price="0.022"),
        ScenarioCarrier(name="bravo", price="0.024"),
        ScenarioCarrier(name="charlie", price="0.028", delivered=0.96),
    ),
)
"""Three countries at 3 messages a second; attacks begin half an hour after counting does."""

BURST: Final = Attack(kind="burst", prefix="62815", digits=12, from_h=2.5, hours=1.5, rate_per_s=10.0, ranges=3)
ROTATING: Final = Attack(
    kind="rotating", prefix="62815", digits=12, from_h=2.5, hours=1.5, rate_per_s=1.0, ranges=3, rotate_min=10.0
)
DRIP: Final = Attack(kind="drip", prefix="62815", digits=12, from_h=2.5, hours=1.5, rate_per_s=0.1, ranges=2)
HOPPING: Final = Attack(
    kind="hopping", prefix="62815", digits=12, from_h=2.5, hours=1.5, rate_per_s=1.0, ranges=20, hops=True
)
THIN: Final = Attack(
    kind="thin", prefix="62815", digits=12, from_h=2.5, hours=1.5, rate_per_s=1.0, messages_per_range=3
)


def unreported_worlds() -> Iterator[Scenario]:
    """Apps whose conversions are not reported, or of which nothing can be seen in time, each under three attacks."""
    replace = msgspec.structs.replace
    silent = replace(APP, reports=False)
    apps = {
        "silent": (silent,),
        "one-percent": (replace(APP, report_share=0.01),),
        "bulk": (replace(APP, report_bulk_min=120.0),),
        "stopped": (replace(APP, stops_reporting_at_h=2.25),),
        "beside": (APP, replace(silent, name="shop")),
    }
    for name, customers in apps.items():
        for attack in (BURST, ROTATING, DRIP):
            aimed = replace(attack, app="shop") if name == "beside" else attack
            yield replace(
                BASE,
                name=f"{name}-{attack.kind}",
                about=f"{ABOUT_REPORTS[name]} A {attack.kind} attack.",
                apps=customers,
                attacks=(aimed,),
            )


ABOUT_REPORTS: Final = {
    "silent": "The app reports no conversion.",
    "one-percent": "The app reports one conversion in a hundred.",
    "bulk": "The app reports every two hours.",
    "stopped": "The app stopped reporting a quarter of an hour before.",
    "beside": "One app of the account reports nothing and is attacked; the other reports.",
}


def late_worlds() -> Iterator[Scenario]:
    """New installations whose customers report in part and late, counted from the first minute."""
    replace = msgspec.structs.replace
    for share, delay_min, conversion in (
        (1.0, 10, 0.85),
        (1.0, 30, 0.85),
        (1.0, 60, 0.85),
        (0.4, 0, 0.85),
        (0.4, 30, 0.85),
        (0.4, 60, 0.85),
        (0.1, 30, 0.85),
        (0.4, 30, 0.34),
    ):
        app = replace(APP, report_share=share, report_s_median=delay_min * 60.0, conversion=conversion)
        poor = "-poor" if conversion < 0.5 else ""
        name = f"late-{delay_min}-reported-{share * 100:.0f}{poor}"
        about = f"{share:.0%} of conversions are reported, {delay_min} minutes late; {conversion:.0%} convert."
        quiet = replace(
            BASE, name=name, about=f"{about} No attack.", apps=(app,), measure_from_h=0.0, traits=("event",)
        )
        yield quiet
        if delay_min == 30:
            yield replace(quiet, name=f"{name}-rotating", about=about, attacks=(ROTATING,), traits=("attack",))
    reported_later = replace(APP, report_outages=(ReportOutage(from_h=2.25, until_h=3.0, reported_later=True),))
    yield replace(
        BASE,
        name="outage-rotating",
        about="Reports fail for 45 minutes, then come.",
        apps=(reported_later,),
        attacks=(ROTATING,),
    )


def adaptive_worlds(numbering: Numbering) -> Iterator[Scenario]:
    """Attackers who leave what is refused, stay nowhere long, or have more places than a guard has seen."""
    replace = msgspec.structs.replace

    def world(name: str, about: str, attack: Attack, base: Scenario = BASE) -> Scenario:
        return replace(base, name=name, about=about, attacks=(attack,))

    unseen = unseen_countries(numbering)
    networks = tuple(
        AttackNetwork(prefix=network.prefix, digits=network.digits)
        for n in range(UNSEEN_NETWORKS_EACH)
        for network in (country.networks[n] for country in unseen)
    )
    abroad = replace(BASE, countries=(*BASE.countries, *unseen))
    everywhere = replace(HOPPING, networks=networks, prefix=networks[0].prefix)
    yield world("unseen-hopping", "Never-seen countries; a refused range is left at once.", everywhere, abroad)
    thin = replace(everywhere, kind="thin", hops=False, ranges=1, messages_per_range=3)
    yield world("unseen-three-a-range", "Never-seen countries, three messages a range.", thin, abroad)
    touring = replace(everywhere, kind="touring", hops=False, ranges=20, networks=networks[:120], network_min=1.0)
    yield world("unseen-touring", "Another never-seen network each minute.", touring, abroad)
    small = replace(BASE, rate_per_s=0.1)
    yield world("three-a-range", "A fresh range after three messages.", THIN)
    yield world("three-a-range-small", "The same, at ten times the customer's own traffic.", THIN, small)
    busy = replace(THIN, prefix="62812")
    yield world("three-a-range-busy", "The same, in the busiest network.", busy)
    yield world("hopping", "A fresh range at the first refusal.", HOPPING)
    fast = replace(HOPPING, rate_per_s=5.0, ranges=50)
    yield world("hopping-fast", "The same at 5 a second from 50 slots.", fast)
    four = tuple(
        AttackNetwork(prefix=prefix, digits=digits)
        for prefix, digits in (("62812", 12), ("62815", 12), ("63917", 12), ("8498", 11))
    )
    wide = replace(HOPPING, rate_per_s=2.0, networks=four)
    yield world("hopping-wide", "The same at 2 a second over four networks.", wide)
    yield world(
        "hopping-small", "The same, at five times the customer's own traffic.", replace(HOPPING, rate_per_s=0.5), small
    )
    cold = replace(HOPPING, prefix="62812", from_h=0.0, hours=4.0, rate_per_s=2.0)
    yield world("hopping-cold", "The same from the first minute.", cold, replace(small, measure_from_h=0.0))
    flood = replace(BURST, from_h=0.0, hours=1.0)
    yield world("burst-cold", "A burst from the first minute.", flood, replace(BASE, measure_from_h=0.0, hours=2.0))
    longer = replace(BASE, hours=5.0)
    for ranges in (100, 500):
        repeating = Attack(
            kind="repeating",
            prefix="62812",
            digits=12,
            from_h=2.0,
            hours=3.0,
            rate_per_s=ranges * 3 / 3600,
            ranges=ranges,
        )
        yield world(f"repeating-{ranges}", f"The same {ranges} ranges, each three times an hour.", repeating, longer)
    ramp = replace(
        BURST, kind="ramp", rate_per_s=2.0, ranges=20, from_h=2.0, hours=2.0, ramp_h=1.5, rate_from_per_s=0.2 / 60
    )
    yield world("slow-ramp", "From one message in five minutes to two a second.", ramp)
    bought = replace(THIN, kind="bought", converts=0.4, converts_s_median=40.0)
    yield world("bought", "Two in five codes are bought and entered; a fresh range after three messages.", bought)


def crowd_worlds() -> Iterator[Scenario]:
    """Genuine traffic that is dense, in sequence or without conversions. The crowd is the scenario's event."""
    replace = msgspec.structs.replace
    base = replace(BASE, traits=("event",))

    def world(name: str, about: str, event: ScenarioEvent) -> Scenario:
        return replace(base, name=name, about=about, events=(event,))

    launch = ScenarioEvent(
        kind="launch", prefix="92300111", digits=12, people=5_000, from_h=2.5, hours=1.5, rate_per_s=0.3
    )
    yield world("launch-ten-blocks", "A launch at an operator of ten thousand numbers.", launch)
    wider = replace(launch, prefix="9230011", people=50_000, rate_per_s=2.0)
    yield world("launch-hundred-blocks", "A launch at an operator of a hundred thousand numbers.", wider)
    sequence = replace(launch, prefix="9230011", people=100_000, rate_per_s=0.5, in_sequence=True)
    yield world("launch-in-sequence", "A launch with numbers handed out one after another.", sequence)
    office = replace(launch, kind="office", prefix="628151112", people=40, hours=0.5, rate_per_s=27 / 1800, ramp_h=0.0)
    yield world("office", "Forty people of one thousand numbers, 27 messages in half an hour.", office)
    yield world(
        "school", "300 people of one thousand numbers, 15 a minute.", replace(office, people=300, rate_per_s=0.25)
    )
    tests = replace(office, kind="test-numbers", people=8)
    yield world("test-numbers", "Eight numbers of testers.", tests)
    yield world("test-numbers-silent", "Eight numbers of testers, who enter no code.", replace(tests, conversion=0.0))
    campaign = ScenarioEvent(kind="campaign", from_h=2.5, hours=0.75, rate_per_s=5.0, conversion=0.0, country="ID")
    yield world("campaign", "A campaign to one country, which nobody answers.", campaign)
    load = ScenarioEvent(
        kind="load-test",
        prefix="62815",
        digits=12,
        people=100_000,
        from_h=2.5,
        hours=0.5,
        rate_per_s=20.0,
        ramp_h=0.0,
        in_sequence=True,
        conversion=0.0,
    )
    yield world("load-test", "The customer's own load test, to numbers in sequence.", load)
    silent = replace(APP, reports=False)
    for quiet in (
        world("launch-ten-blocks-silent", "The same launch; the app reports nothing.", launch),
        world("office-silent", "The same office; the app reports nothing.", office),
    ):
        yield replace(quiet, apps=(silent,))


def verified_worlds() -> Iterator[Scenario]:
    """An app that only verifies, whose conversions are checks of codes, and the same app that reports by hand."""
    replace = msgspec.structs.replace
    for name, about, app in (
        ("verified", "The app only verifies: each right code is a conversion.", replace(APP, wrong_codes=0.05)),
        (
            "by-hand",
            "The same app reports by hand, most conversions and a little later.",
            replace(APP, wrong_codes=0.05, report_share=0.9, report_s_median=20.0, report_s_sigma=1.0),
        ),
    ):
        for attack in (
            BURST,
            ROTATING,
            DRIP,
            replace(THIN, kind="mimicry", messages_per_range=0, ranges=20, converts=0.3),
        ):
            yield replace(
                BASE,
                name=f"{name}-{attack.kind}",
                about=f"{about} A {attack.kind} attack.",
                apps=(app,),
                attacks=(attack,),
            )


def unseen_countries(numbering: Numbering) -> tuple[ScenarioCountry, ...]:
    """Countries without ordinary traffic, each with some of its mobile networks."""
    prefixes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    seen = {country.code for country in BASE.countries}
    for prefix, destination in numbering.assigned():
        if destination.mnc != "-1" and destination.country not in {*seen, ""} and len(prefix) <= PREFIX_DIGITS_MAX:
            prefixes[destination.country].setdefault(destination.mcc + destination.mnc, prefix)
    wide_enough = [code for code in sorted(prefixes) if len(prefixes[code]) >= UNSEEN_NETWORKS_EACH]
    return tuple(
        ScenarioCountry(
            code=code,
            share=0.0,
            networks=tuple(
                ScenarioNetwork(prefix=prefix, digits=DIGITS)
                for prefix in list(prefixes[code].values())[:UNSEEN_NETWORKS_EACH]
            ),
        )
        for code in wide_enough[:UNSEEN_COUNTRIES]
    )
