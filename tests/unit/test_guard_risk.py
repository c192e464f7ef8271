"""The risk of destinations: an operator's closest setting, or what conversions taught."""

from collections.abc import Sequence
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.guard.model import FraudModel
from homing.guard.risk import (
    ACCOUNT_EXPECTED_MAX,
    LEARNED_NATS_MAX,
    LEVEL_NATS,
    PSEUDO_COUNT,
    CountryTraffic,
    DestinationRisks,
    LearnedRisk,
    RiskLevel,
    RiskSetting,
    learn_risks,
)
from homing.model import GENERAL
from homing.statistics.delta import Delta

ACCOUNT, OTHER = 7, 8


def nats(learnt: Sequence[LearnedRisk], account_id: int, country: str) -> float:
    return DestinationRisks((), learnt).nats(account_id, country, "51010")


def traffic(account_id: int, country: str = "ID", messages: int = 1_000, converted: int = 500) -> CountryTraffic:
    return CountryTraffic(account_id, f"app{account_id}", country, messages, converted)


def test_the_longest_match_counts_and_an_accounts_own_setting_precedes_the_general_one() -> None:
    risks = DestinationRisks(
        [
            RiskSetting(GENERAL, "country", "ID", RiskLevel.HIGH),
            RiskSetting(GENERAL, "network", "51010", RiskLevel.LOW),
            RiskSetting(GENERAL, "prefix", "628121", RiskLevel.SEVERE),
            RiskSetting(ACCOUNT, "country", "ID", RiskLevel.USUAL),
        ]
    )
    assert risks.nats(OTHER, "ID", "51011", "6281300") == LEVEL_NATS[RiskLevel.HIGH]
    assert risks.nats(OTHER, "ID", "51010", "6281300") == LEVEL_NATS[RiskLevel.LOW]
    assert risks.nats(OTHER, "ID", "51010", "6281219") == LEVEL_NATS[RiskLevel.SEVERE]
    assert risks.nats(OTHER, "ID", "51010") == LEVEL_NATS[RiskLevel.LOW], "a network as a whole has no prefix"
    assert risks.nats(ACCOUNT, "ID", "51010", "6281219") == LEVEL_NATS[RiskLevel.USUAL]
    assert risks.nats(OTHER, "KE", "63902", "2547") == 0.0


def test_an_operators_setting_replaces_the_learned_risk() -> None:
    learnt = learn_risks([traffic(ACCOUNT), traffic(ACCOUNT, "LV", 1_000, 10)])
    assert nats(learnt, ACCOUNT, "LV") == LEARNED_NATS_MAX
    assert (
        DestinationRisks([RiskSetting(GENERAL, "country", "LV", RiskLevel.USUAL)], learnt).nats(ACCOUNT, "LV", "24701")
        == 0.0
    )


def test_a_country_without_conversions_is_risky_and_one_with_few_messages_hardly() -> None:
    learnt = learn_risks([traffic(ACCOUNT), traffic(ACCOUNT, "LV", 400, 0), traffic(ACCOUNT, "KE", 10, 0)])
    assert nats(learnt, ACCOUNT, "LV") == LEARNED_NATS_MAX
    assert nats(learnt, ACCOUNT, "KE") == pytest.approx(log((10 * 0.5 + PSEUDO_COUNT) / PSEUDO_COUNT))
    assert nats(learnt, ACCOUNT, "ID") == 0.0


def test_an_attack_elsewhere_does_not_lower_the_conversions_expected_of_a_country() -> None:
    usual = learn_risks([traffic(ACCOUNT), traffic(ACCOUNT, "LV", 100, 20)])
    attacked = learn_risks([traffic(ACCOUNT), traffic(ACCOUNT, "LV", 100, 20), traffic(ACCOUNT, "TN", 50_000, 0)])
    assert nats(attacked, ACCOUNT, "LV") == pytest.approx(nats(usual, ACCOUNT, "LV"))


def test_an_app_without_conversions_teaches_nothing() -> None:
    assert learn_risks([traffic(ACCOUNT, converted=0), traffic(ACCOUNT, "LV", converted=0)]) == []


def test_an_account_new_to_a_country_begins_with_the_others_risk() -> None:
    learnt = learn_risks([traffic(OTHER), traffic(OTHER, "LV", 1_000, 0), traffic(ACCOUNT)])
    others = log((ACCOUNT_EXPECTED_MAX + PSEUDO_COUNT) / PSEUDO_COUNT)
    assert nats(learnt, ACCOUNT, "LV") == pytest.approx(min(LEARNED_NATS_MAX, others))


def test_one_account_cannot_make_a_country_risky_for_those_with_traffic_there() -> None:
    """Whoever sends a million messages to nobody counts as fifty expected conversions."""
    learnt = learn_risks([traffic(OTHER), traffic(OTHER, "LV", 1_000_000, 0), traffic(ACCOUNT), traffic(ACCOUNT, "LV")])
    assert nats(learnt, OTHER, "LV") == LEARNED_NATS_MAX
    assert nats(learnt, ACCOUNT, "LV") < 0.15


def test_forged_conversions_do_not_make_a_destination_safer_than_usual() -> None:
    learnt = learn_risks([traffic(ACCOUNT), traffic(ACCOUNT, "LV", 1_000, 1_000)])
    assert nats(learnt, ACCOUNT, "LV") == 0.0


spends = st.builds(
    CountryTraffic,
    st.integers(1, 3),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["ID", "LV", ""]),
    st.integers(0, 10_000),
    st.integers(0, 12_000),
)


@given(st.lists(spends, max_size=12))
def test_a_learned_risk_is_within_its_bounds(found: list[CountryTraffic]) -> None:
    for one in learn_risks(found):
        assert 0.0 <= one.nats <= LEARNED_NATS_MAX
        assert one.expected > 0


def range_limit(level: RiskLevel | None) -> int:
    """How many messages pass to a range of a country before it is flagged."""
    settings = [] if level is None else [RiskSetting(GENERAL, "country", "LV", level)]
    model = FraudModel()
    model.set_risks(DestinationRisks(settings))
    for n in range(200):
        model.observe([Delta(30_000_000, 1, "a", "LV", "24701", f"37129{n:03d}", 1, "", submitted=1)])
    model.update(30_000_000 * 60.0, lambda _cell, _carrier: 0.5, lambda _account, _app: "reporting")
    return model.snapshot.networks[1, "a", "24701"].ranges[0]


def test_the_riskier_a_country_is_the_fewer_messages_pass_before_a_verdict() -> None:
    low, usual, high, severe = map(range_limit, (RiskLevel.LOW, None, RiskLevel.HIGH, RiskLevel.SEVERE))
    assert low >= usual >= high >= severe
    assert low > severe
