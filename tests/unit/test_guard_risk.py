"""How risky destinations are: the closest word of an operator, or what an account's and everybody's people taught."""

from collections.abc import Sequence
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.guard.mind import Mind
from homing.guard.policy import GuardPolicy
from homing.guard.risk import ACCOUNT_CAP, LEARNT_MAX, NATS, STEADY, Learnt, Level, Risks, Spend, Told, learn
from homing.model import GENERAL
from homing.statistics.delta import Delta

ACCOUNT, OTHER = 7, 8


def nats(learnt: Sequence[Learnt], account_id: int, country: str) -> float:
    return Risks((), learnt).of(account_id, country, "51010")


def people(account_id: int, country: str = "ID", messages: int = 1_000, converted: int = 500) -> Spend:
    return Spend(account_id, f"app{account_id}", country, messages, converted)


def test_the_longest_match_counts_and_an_accounts_own_word_before_the_general_one() -> None:
    risks = Risks(
        [
            Told(GENERAL, "country", "ID", Level.HIGH),
            Told(GENERAL, "network", "51010", Level.LOW),
            Told(GENERAL, "prefix", "628121", Level.SEVERE),
            Told(ACCOUNT, "country", "ID", Level.USUAL),
        ]
    )
    assert risks.of(OTHER, "ID", "51011", "6281300") == NATS[Level.HIGH]
    assert risks.of(OTHER, "ID", "51010", "6281300") == NATS[Level.LOW]
    assert risks.of(OTHER, "ID", "51010", "6281219") == NATS[Level.SEVERE]
    assert risks.of(OTHER, "ID", "51010") == NATS[Level.LOW], "a network as a whole has no prefix"
    assert risks.of(ACCOUNT, "ID", "51010", "6281219") == NATS[Level.USUAL]
    assert risks.of(OTHER, "KE", "63902", "2547") == 0.0


def test_an_operators_word_stands_in_place_of_experience() -> None:
    learnt = learn([people(ACCOUNT), people(ACCOUNT, "LV", 1_000, 10)])
    assert nats(learnt, ACCOUNT, "LV") == LEARNT_MAX
    assert Risks([Told(GENERAL, "country", "LV", Level.USUAL)], learnt).of(ACCOUNT, "LV", "24701") == 0.0


def test_a_country_in_which_nobody_comes_back_is_risky_and_one_with_a_few_messages_hardly() -> None:
    learnt = learn([people(ACCOUNT), people(ACCOUNT, "LV", 400, 0), people(ACCOUNT, "KE", 10, 0)])
    assert nats(learnt, ACCOUNT, "LV") == LEARNT_MAX
    assert nats(learnt, ACCOUNT, "KE") == pytest.approx(log((10 * 0.5 + STEADY) / STEADY))
    assert nats(learnt, ACCOUNT, "ID") == 0.0


def test_theft_elsewhere_does_not_lower_what_is_expected_of_a_country() -> None:
    usual = learn([people(ACCOUNT), people(ACCOUNT, "LV", 100, 20)])
    attacked = learn([people(ACCOUNT), people(ACCOUNT, "LV", 100, 20), people(ACCOUNT, "TN", 50_000, 0)])
    assert nats(attacked, ACCOUNT, "LV") == pytest.approx(nats(usual, ACCOUNT, "LV"))


def test_an_app_that_reports_nothing_teaches_nothing() -> None:
    assert learn([people(ACCOUNT, converted=0), people(ACCOUNT, "LV", converted=0)]) == []


def test_who_is_new_to_a_country_begins_with_what_others_found_there() -> None:
    learnt = learn([people(OTHER), people(OTHER, "LV", 1_000, 0), people(ACCOUNT)])
    others = log((ACCOUNT_CAP + STEADY) / STEADY)
    assert nats(learnt, ACCOUNT, "LV") == pytest.approx(min(LEARNT_MAX, others))


def test_one_account_cannot_brand_a_country_for_those_who_know_it() -> None:
    """Whoever sends a million messages to nobody counts as fifty expected conversions."""
    learnt = learn([people(OTHER), people(OTHER, "LV", 1_000_000, 0), people(ACCOUNT), people(ACCOUNT, "LV")])
    assert nats(learnt, OTHER, "LV") == LEARNT_MAX
    assert nats(learnt, ACCOUNT, "LV") < 0.15


def test_forged_conversions_do_not_make_a_destination_safer_than_usual() -> None:
    learnt = learn([people(ACCOUNT), people(ACCOUNT, "LV", 1_000, 1_000)])
    assert nats(learnt, ACCOUNT, "LV") == 0.0


spends = st.builds(
    Spend,
    st.integers(1, 3),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["ID", "LV", ""]),
    st.integers(0, 10_000),
    st.integers(0, 12_000),
)


@given(st.lists(spends, max_size=12))
def test_whatever_came_the_risk_is_within_its_bounds(found: list[Spend]) -> None:
    for one in learn(found):
        assert 0.0 <= one.nats <= LEARNT_MAX
        assert one.expected > 0


def unjudged(level: Level | None) -> int:
    """How many messages pass to a range of a country before it is judged."""
    told = [] if level is None else [Told(GENERAL, "country", "LV", level)]
    mind = Mind(msgspec.structs.replace(GuardPolicy(), risks=Risks(told)))
    for n in range(200):
        mind.hear([Delta(30_000_000, 1, "a", "LV", "24701", f"37129{n:03d}", 1, "", submitted=1)])
    mind.think(30_000_000 * 60.0, lambda _cell, _carrier: 0.5, lambda _account, _app: "reporting")
    return mind.verdicts().cells[1, "a", "24701"].limits[0]


def test_fewer_messages_pass_unjudged_the_riskier_a_country_is() -> None:
    low, usual, high, severe = map(unjudged, (Level.LOW, None, Level.HIGH, Level.SEVERE))
    assert low >= usual >= high >= severe
    assert low > severe
