"""Places where hardly anybody converted, and ranges that are attacked together."""

from math import inf

import pytest

from homing.aggregation.guard_listener import GuardListener
from homing.guard.active_verdicts import ActiveVerdicts
from homing.guard.conversions import ConversionRatios
from homing.guard.enforcement import Enforcer, GuardRequest
from homing.guard.linked_ranges import LINKED_RANGES_MAX, SHARE_MAX, attacked_share, update_linked_ranges
from homing.guard.model import FraudModel
from homing.guard.persistence import restore_verdict
from homing.guard.policy import GuardPolicy
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.guard.scattered import update_scattered
from homing.guard.snapshot import WHOLE_NETWORK, ClosedRanges, GuardSnapshot, NetworkLimits, UnseenPlaces, Verdict
from homing.guard.state import ModelState, NetworkState, RangeState
from homing.guard.strictness import Strictness, StrictnessSettings
from homing.guard.unseen_places import BEYOND_LIMIT_HALF_LIFE_S, QUICK_SHARE_MIN, forget_beyond_limit, unseen_places
from homing.guard.usual_shares import outage_weights, update_ratios
from homing.learning.learner import RoutingLearner
from homing.model import GENERAL, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.statistics.delta import Delta
from homing.store.statements.statistics import StatisticsCell
from homing.text.numbers import Destination

NOW_S = 1_800_000_000.0
MINUTE = int(NOW_S // 60)
POLICY = GuardPolicy()
APP = (1, "app")
LIMITS = UnseenPlaces(limit=150.0, country_limit=60.0)


def state_of(quick_share: float = 1.0) -> ModelState:
    """An app with a known network in which a thousand people converted."""
    state = ModelState(POLICY)
    home = state.network(1, "app", "ID", "51010")
    home.conversions_total, home.messages_total, home.rate = 1_000.0, 1_250.0, 0.8
    app = home.app
    app.reports_conversions, app.known_conversions, app.known_rate, app.quick_share = True, 1_000.0, 0.8, quick_share
    return state


def visited(state: ModelState, country: str, network: str, submitted: int, converted: int = 0) -> None:
    place = state.network(1, "app", country, network)
    place.observe(Delta(MINUTE, 1, "app", country, network, "99", 1, "S", submitted=submitted, converted=converted))


def test_unverified_messages_to_all_unseen_places_are_added_up() -> None:
    state = state_of()
    for n in range(5):
        visited(state, f"A{n % 2}", f"7000{n}", submitted=10)
    places = unseen_places(state)[APP]
    assert (places.counted, places.countries) == (50.0, {"A0": 30.0, "A1": 20.0})
    assert places.limit == POLICY.unseen_conversions / 0.8


def test_conversions_verify_other_messages_of_their_place_and_raise_the_limit() -> None:
    state = state_of()
    visited(state, "KH", "45602", submitted=30, converted=12)
    places = unseen_places(state)[APP]
    assert places.counted == 0.0
    assert places.limit == POLICY.unseen_conversions / 0.8 + 12 * POLICY.unverified_factor


@pytest.mark.parametrize("quick_share", [0.5, 0.0])
def test_more_may_be_open_to_unseen_places_where_reports_come_late(quick_share: float) -> None:
    prompt, late = unseen_places(state_of())[APP], unseen_places(state_of(quick_share))[APP]
    assert late.limit == prompt.limit / max(QUICK_SHARE_MIN, quick_share)


def test_an_app_that_is_new_or_reports_nothing_has_no_unseen_places() -> None:
    new, silent = state_of(), state_of()
    new.app(*APP).known_conversions = 50.0
    silent.app(*APP).reports_conversions = False
    assert not unseen_places(new)
    assert not unseen_places(silent)


def test_messages_of_before_an_app_reports_conversions_are_not_open() -> None:
    state = state_of()
    app = state.app(*APP)
    app.reports_conversions = False
    visited(state, "KH", "45602", submitted=5_000)
    app.reports_conversions = True
    visited(state, "KH", "45602", submitted=3)
    assert unseen_places(state)[APP].counted == 3.0


def test_open_messages_beyond_the_limits_are_forgotten() -> None:
    """Of an outage, say: else nobody could convert for days."""
    state = state_of()
    for n in range(40):
        visited(state, f"A{n % 20}", f"7{n:04}", submitted=100)
    forget_beyond_limit(state, BEYOND_LIMIT_HALF_LIFE_S)
    places = unseen_places(state)[APP]
    assert places.counted == pytest.approx((4_000.0 + places.limit) / 2)
    for _hour in range(20):
        forget_beyond_limit(state, BEYOND_LIMIT_HALF_LIFE_S)
    assert unseen_places(state)[APP].counted == pytest.approx(places.limit, rel=0.01)
    visited(state, "A1", "70001", submitted=1_000)
    forget_beyond_limit(state, 20 * BEYOND_LIMIT_HALF_LIFE_S)
    assert unseen_places(state)[APP].countries["A1"] < places.country_limit * 1.01


def cell(minute: int, network: str, submitted: int, converted: int = 0) -> StatisticsCell:
    return StatisticsCell(
        minute=minute,
        grain=1,
        account_id=1,
        app_id="app",
        country="ID",
        network=network,
        prefix="62",
        carrier_id=1,
        sender="S",
        submitted=submitted,
        sent=submitted,
        delivered=0,
        undelivered=0,
        converted=converted,
        refused=0,
        cost_micro=0,
        revenue_micro=0,
        receipt_times=[],
        conversion_times=[],
    )


def test_what_is_restored_of_unseen_places_is_what_would_be_left_of_it() -> None:
    """Half of what was three days ago, and nothing of before the first conversion."""
    listener = GuardListener(RoutingLearner)
    days = int(POLICY.history_half_life_s // 60)
    listener.start(
        [
            cell(MINUTE - 2 * days, "45602", submitted=1_000),
            cell(MINUTE - days, "51010", submitted=400, converted=200),
            cell(MINUTE - days, "45602", submitted=400, converted=16),
            cell(MINUTE, "45602", submitted=10),
        ]
    )
    networks = listener.model.state.networks
    assert networks[1, "app", "45602"].messages_total == 210.0
    assert networks[1, "app", "45602"].conversions_total == 8.0
    assert networks[1, "app", "51010"].conversions_total == 100.0


def decisions(networks: list[tuple[str, str]], is_seen: bool = False) -> list[GuardAction]:
    """On a message to each of these (country, network)."""
    enforcer = Enforcer()
    enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))
    limits = {
        (*APP, mcc + "01"): NetworkLimits((50, 50, 50), None, None, is_seen=is_seen) for _country, mcc in networks
    }
    enforcer.use_snapshot(GuardSnapshot(NOW_S, limits, reporting_apps=frozenset({APP}), unseen={APP: LIMITS}))
    actions = []
    for n, (country, mcc) in enumerate(networks):
        request = GuardRequest(
            account_id=1,
            app_id="app",
            message_id=n,
            number=f"99{n:04}000001",
            destination=Destination(country, "99", mcc, "01", ""),
            charge_micro=1,
        )
        actions.append(enforcer.decide(request, NOW_S).action)
    return actions


def test_hopping_over_countries_ends_at_the_limit_of_all_of_them() -> None:
    places = [(f"{chr(65 + n % 20)}X", f"{700 + n % 20}") for n in range(200)]
    assert decisions(places).count(GuardAction.PASS) == LIMITS.limit
    assert decisions([("KH", "456")] * 200).count(GuardAction.PASS) == LIMITS.country_limit


def test_known_networks_have_no_part_in_it() -> None:
    assert set(decisions([("ID", "510")] * 200, is_seen=True)) == {GuardAction.PASS}


def network_with(silent: int, converting: int) -> tuple[ModelState, NetworkState]:
    """So many ranges with four messages of an hour ago each."""
    state = state_of()
    network = state.networks[1, "app", "51010"]
    for minute in range(MINUTE - 150, MINUTE + 1):
        network.app.ratios.add(minute, 100.0, 80.0, 0.8)
    network.app.ratios.update(MINUTE, network.app.delays)
    for n in range(silent + converting):
        key = (1, "app", "51010", f"62812{n:04}")
        range_state = state.ranges[key] = RangeState(key[3], 0)
        cohort = range_state.cohort(MINUTE - 60, True)
        cohort.messages, cohort.conversions = 4.0, 0.0 if n < silent else 3.0
        range_state.recount()
    return state, network


def test_more_silent_ranges_than_chance_gives_are_a_prior() -> None:
    state, network = network_with(silent=100, converting=400)
    update_linked_ranges(state, MINUTE)
    assert -2.0 < network.attacked_nats[1] < -1.0, "a fifth of the ranges"
    assert {*network.attacked_nats[:1], *network.attacked_nats[2:]} == {-inf}, "of three messages, or of more"


def test_ranges_with_a_verdict_stay_part_of_the_evidence() -> None:
    """Else the more of an attack is refused, the less there seems to be of it."""
    state, network = network_with(silent=100, converting=400)
    for n in range(95):
        key = (1, "app", "51010", f"62812{n:04}")
        reason = Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=3.0, odds=20.0)
        state.verdicts.add(key, Verdict(reason, NOW_S, NOW_S + 7_200.0), 1)
    update_linked_ranges(state, MINUTE)
    assert -2.0 < network.attacked_nats[1] < -1.0


def test_few_silent_ranges_of_each_size_are_an_attack_together() -> None:
    state, network = network_with(silent=0, converting=100)
    for n in range(40):
        range_state = state.ranges[1, "app", "51010", f"62813{n:04}"] = RangeState(f"62813{n:04}", 0)
        range_state.cohort(MINUTE - 60, True).messages = (4.0, 5.0, 6.0, 8.0, 9.0)[n % 5]
        range_state.recount()
    update_linked_ranges(state, MINUTE)
    assert min(network.attacked_nats[1:]) > -3.0


def test_silent_ranges_on_which_a_campaign_falls_by_chance_are_none() -> None:
    """Of 7,000 messages to 10,000 ranges some sixty ranges have four or more, and nobody answers any."""
    state, network = network_with(silent=60, converting=100)
    network.range_counts[0] = 10_000.0
    network.cohort(MINUTE - 60, True).messages = 7_000.0
    update_linked_ranges(state, MINUTE)
    assert network.attacked_nats == ()


def test_an_attack_on_a_network_does_not_excuse_its_own_silence() -> None:
    """Its conversions are as many as ever, though few of its messages; in an outage of delivery they are not."""
    weights = {}
    for name, submitted, converted in (("attack", 500.0, 16.0), ("outage", 20.0, 0.0)):
        state = ModelState(POLICY)
        for network, of_network in (("51010", (submitted, converted)), ("51001", (80.0, 64.0))):
            place = state.network(1, "app", "ID", network)
            place.conversions_total, place.rate = {"51010": 1_000.0, "51001": 4_000.0}[network], 0.8
            for minute in range(MINUTE - 80, MINUTE + 1):
                for ratios in (place.ratios, place.app.ratios):
                    ratios.add(minute, *of_network, 0.8)
        update_ratios(state, MINUTE)
        weights[name] = outage_weights(state.networks[1, "app", "51010"], MINUTE)[30]
    assert weights["attack"] > 0.6
    assert weights["outage"] < 0.1


def test_a_network_beyond_its_usual_share_says_nothing_of_the_app_s_reports() -> None:
    state = ModelState(POLICY)
    for network, conversions, submitted in (("51010", 1_000.0, 500.0), ("51001", 4_000.0, 80.0)):
        place = state.network(1, "app", "ID", network)
        place.conversions_total, place.rate = conversions, 0.8
        for minute in range(MINUTE - 80, MINUTE + 1):
            for ratios in (place.ratios, place.app.ratios):
                ratios.add(minute, submitted, conversions * 0.016, 0.8)
    app = state.app(*APP)
    app.ratios.update(MINUTE, app.delays)
    assert app.ratios.ratio(MINUTE - 30) < 0.2
    update_ratios(state, MINUTE)
    assert app.ratios.ratio(MINUTE - 30) > 0.6


def test_votes_of_before_the_hour_say_nothing_of_what_is_usual_now() -> None:
    """Of a network without traffic nothing else forgets them."""
    state = ModelState(POLICY)
    silent, busy = (state.network(1, "app", "ID", network) for network in ("51001", "51010"))
    silent.ratios.add(MINUTE - 300, 900.0, 0.0, 0.8)
    busy.ratios.add(MINUTE - 30, 100.0, 0.0, 0.8)
    update_ratios(state, MINUTE)
    assert (silent.usual_share, busy.usual_share) == (0.0, 1.0)
    assert state.apps[APP].usual_votes.keys() == {(MINUTE - 30) // 10}


def test_a_slow_range_is_probed_by_one_message_in_four() -> None:
    verdicts = ActiveVerdicts(POLICY)
    key = (1, "app", "51010", "628120001")
    reason = Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=3.0, odds=20.0)
    verdicts.add(key, Verdict(reason, NOW_S, NOW_S + 20_000.0), 1, gap_s=1_200.0)
    assert key not in verdicts.due_probes(NOW_S + 4_700.0)
    assert key in verdicts.due_probes(NOW_S + 4_900.0)


def test_a_slow_range_is_probed_no_sooner_by_a_process_that_takes_over() -> None:
    state, key = ModelState(POLICY), (1, "app", "ID", "51010")
    state.network(*key)
    range_state = state.ranges[1, "app", "51010", "628120001"] = RangeState("628120001", 0)
    for age in range(0, 200, 20):
        range_state.cohort(MINUTE - age, True).messages = 1.0
    reason = Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=3.0, odds=20.0)
    restore_verdict(state, (1, "app", "51010", "628120001"), Verdict(reason, NOW_S, NOW_S + 20_000.0))
    assert not state.verdicts.due_probes(NOW_S + 3_600.0)
    assert state.verdicts.due_probes(NOW_S + 4_900.0)


def test_silent_ranges_that_chance_explains_are_none() -> None:
    state, network = network_with(silent=5, converting=1_000)
    update_linked_ranges(state, MINUTE)
    assert network.attacked_nats == ()


def test_where_all_ranges_are_attacked_the_prior_is_the_highest() -> None:
    assert attacked_share([4.0] * 100)[0] == SHARE_MAX


def test_an_attack_is_seen_in_a_network_with_more_old_ranges_than_are_scored() -> None:
    """Its ranges are the newest, and the last in order."""
    state, network = network_with(silent=0, converting=LINKED_RANGES_MAX + 500)
    for n in range(500):
        range_state = state.ranges[1, "app", "51010", f"62813{n:04}"] = RangeState(f"62813{n:04}", 0)
        range_state.cohort(MINUTE - 60, True).messages = 4.0
        range_state.recount()
    update_linked_ranges(state, MINUTE)
    assert -1.6 < network.attacked_nats[1] < -0.6, "a quarter of the ranges"


def scattered(silent: int, converting: int, others: int) -> NetworkState:
    """So many ranges with two messages of some minutes ago and no conversion, with two that converted, and with one."""
    state, network = network_with(0, 0)
    network.range_counts[0], network.price_micro = 10_000.0, 40_000.0
    for n in range(silent + converting + others):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        cohort = range_state.cohort(MINUTE - 10, True)
        cohort.messages = 2.0 if n < silent + converting else 1.0
        cohort.conversions = 0.0 if n < silent else cohort.messages * 0.8
    update_scattered(state, NOW_S, MINUTE)
    return network


def test_an_attack_that_leaves_each_range_after_few_messages_is_seen_and_priced() -> None:
    network = scattered(silent=150, converting=10, others=300)
    assert network.scattered_until_s == NOW_S + POLICY.scattered_s
    assert network.notice is not None
    assert not network.notice.may_block
    assert network.notice.reason.values["messages"] == 900
    assert network.notice.reason.values["spent_micro"] == 36_000_000


def test_a_crowd_that_converts_is_no_scattered_attack() -> None:
    network = scattered(silent=8, converting=300, others=600)
    assert network.notice is None


def test_a_campaign_that_nobody_answers_is_no_scattered_attack() -> None:
    """Its messages fall on the same ranges by chance alone."""
    state, network = network_with(0, 0)
    network.range_counts[0] = 10_000.0
    for n in range(2_000):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - 10, True).messages = 2.0 if n < 200 else 1.0
    update_scattered(state, NOW_S, MINUTE)
    assert network.notice is None


def model_with_scattered_attack() -> tuple[FraudModel, NetworkState]:
    """Of a second ago."""
    model = FraudModel()
    network = model.state.network(1, "app", "ID", "51010")
    network.price_micro = 40_000.0
    network.range_counts_at[MINUTE] = [10_000.0, 1_000.0, 100.0]
    for minute in range(MINUTE - 150, MINUTE + 1):
        network.app.ratios.add(minute, 100.0, 80.0, 0.8)
    for n in range(300):
        block = f"62812{n:04}"
        model.observe([Delta(MINUTE - 10, 1, "app", "ID", "51010", block, 1, "S", submitted=2)])
        model.state.ranges[1, "app", "51010", block].observed_s = NOW_S
    updated(model, NOW_S)
    assert network.notice is not None
    return model, network


def updated(model: FraudModel, now_s: float, reporting: str = "reporting") -> GuardSnapshot:
    model.update(now_s, lambda _cell, _carrier: 0.8, lambda _account, _app: reporting)
    return model.snapshot


def test_a_notice_that_an_operator_lifted_does_not_come_back_of_the_same_messages() -> None:
    model, _network = model_with_scattered_attack()
    model.lift((1, "app", "51010", WHOLE_NETWORK))
    snapshot = updated(model, NOW_S + 61)
    assert snapshot.networks[1, "app", "51010"].notice is None


def test_ranges_of_an_app_that_no_longer_reports_do_not_wait_for_conversions() -> None:
    model, network = model_with_scattered_attack()
    block = "628129999"
    model.observe([Delta(MINUTE, 1, "app", "ID", "51010", block, 1, "S", submitted=1)])
    assert (1, "app", "51010", block) in updated(model, NOW_S + 2).allowances
    snapshot = updated(model, NOW_S + 40, "silent")
    assert (1, "app", "51010", block) not in snapshot.allowances
    assert network.notice is None


def test_a_range_that_converted_has_one_open_message_in_a_scattered_attack_and_more_where_more_is_usual() -> None:
    model, network = model_with_scattered_attack()
    quiet, busy = (1, "app", "51010", "628129998"), (1, "app", "51010", "628129999")
    for key in (quiet, busy):
        model.observe([Delta(MINUTE, 1, "app", "ID", "51010", key[3], 1, "S", submitted=3)])
        model.observe([Delta(MINUTE, 1, "app", "ID", "51010", key[3], 1, "S", converted=2)])
    model.state.ranges[busy].history, network.capped.archived_messages = 200.0, 2_000.0
    allowances = updated(model, NOW_S + 2).allowances
    assert (allowances[quiet].counted, allowances[quiet].limit) == (1.0, 1.0)
    assert allowances[busy].limit > 5.0


def test_people_who_ask_again_in_an_outage_are_no_scattered_attack() -> None:
    """Of three people of a network two get no code and ask for another: its conversions are missing."""
    alarms = {}
    for name, conversions in (("outage", 0.0), ("attack", 240.0)):
        state, network = network_with(0, 0)
        network.range_counts[0], network.usual_share = 10_000.0, 0.2
        other = state.network(1, "app", "ID", "51001")
        other.rate = 0.8
        for digits, messages, converted in (
            *((f"62812{n:04}", 2.0, 0.0) for n in range(200)),
            *((f"62813{n:04}", 1.0, conversions / 300) for n in range(300)),
            *((f"62815{n:04}", 1.0, 0.8) for n in range(1_200)),
        ):
            code = "51001" if digits.startswith("62815") else "51010"
            range_state = state.ranges[1, "app", code, digits] = RangeState(digits, 0)
            range_state.observed_s = NOW_S
            cohort = range_state.cohort(MINUTE - 8, True)
            cohort.messages, cohort.conversions = messages, converted
        update_scattered(state, NOW_S, MINUTE)
        alarms[name] = network.notice is not None
    assert alarms == {"outage": False, "attack": True}


def test_ranges_that_are_used_over_and_over_are_no_scattered_attack() -> None:
    state, network = network_with(0, 0)
    network.range_counts[0] = 10_000.0
    for n in range(300):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - 10, True).messages = 2.0
        range_state.cohort(MINUTE - 40, True).messages = 1.0
    update_scattered(state, NOW_S, MINUTE)
    assert network.notice is None


def test_an_attack_on_a_new_network_does_not_make_it_look_small() -> None:
    """Of four messages to each range, as many coincide as in a network of some hundred; but none that are apart."""
    state, network = network_with(0, 0)
    network.range_counts[0] = 80.0
    for n in range(300):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - (3 if n < 100 else 14), True).messages = 4.0
    update_scattered(state, NOW_S, MINUTE)
    assert network.notice is not None


def test_a_scattered_attack_holds_while_it_goes_on_and_ends_with_conversions() -> None:
    state, network = network_with(0, 0)
    network.range_counts[0] = 10_000.0
    network.scattered_until_s = NOW_S + 60.0
    for n in range(400):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - 6, True).messages = 1.0
    update_scattered(state, NOW_S, MINUTE)
    assert network.scattered_until_s == NOW_S + POLICY.scattered_s
    for range_state in state.ranges.values():
        range_state.cohort(MINUTE - 6, True).conversions = 0.79
    update_scattered(state, NOW_S, MINUTE)
    assert network.scattered_until_s <= NOW_S


def swamped(usual_share: float, strictness: Strictness = Strictness.STANDARD) -> NetworkState:
    """A network with so much of the app's people and an attack of 30 messages a minute; the app has 10 people."""
    state, network = network_with(0, 0)
    state.strictness = StrictnessSettings({GENERAL: strictness})
    network.usual_share, network.range_counts[0], network.conversions_total = usual_share, 10_000.0, 100.0
    network.scattered_until_s = NOW_S + 900.0
    other = state.network(1, "app", "ID", "51001")
    other.rate = 0.8
    for n in range(600):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - 1 - n % 20, True).messages = 1.0
    for n in range(200):
        range_state = state.ranges[1, "app", "51001", f"62815{n:04}"] = RangeState(f"62815{n:04}", 0)
        range_state.observed_s = NOW_S
        cohort = range_state.cohort(MINUTE - 1 - n % 20, True)
        cohort.messages, cohort.conversions = 1.0, 0.8
    known = state.ranges[1, "app", "51010", "628149999"] = RangeState("628149999", 0)
    known.recent_conversions = 2.0
    update_scattered(state, NOW_S, MINUTE)
    return network


def test_as_many_ranges_are_closed_as_few_of_the_app_s_people_live_in() -> None:
    few, more = swamped(0.01), swamped(0.1)
    assert few.closed_share == 1.0
    assert more.closed_share == pytest.approx(POLICY.flooded_refused / 0.1)
    assert few.open_ranges == {"628149999"}
    assert swamped(0.4).closed_share == 0.0, "its people are more than a tenth of the attack"


def test_a_lenient_guard_closes_nothing_and_a_strict_one_more() -> None:
    assert swamped(0.01, Strictness.LENIENT).closed_share == 0.0
    assert swamped(0.1, Strictness.STRICT).closed_share == pytest.approx(2.0 * swamped(0.1).closed_share)


def test_a_scattered_attack_does_not_go_on_for_want_of_reports() -> None:
    state, network = network_with(0, 0)
    network.app.ratios = ConversionRatios()
    network.range_counts[0], network.scattered_per_min, network.conversions_total = 10_000.0, 50.0, 100.0
    network.scattered_until_s = NOW_S + 60.0
    for n in range(400):
        range_state = state.ranges[1, "app", "51010", f"62812{n:04}"] = RangeState(f"62812{n:04}", 0)
        range_state.observed_s = NOW_S
        range_state.cohort(MINUTE - 6, True).messages = 1.0
    update_scattered(state, NOW_S, MINUTE)
    assert network.scattered_until_s == NOW_S + 60.0
    assert network.closed_share == 0.0


def test_nothing_passes_to_a_closed_range_at_any_try() -> None:
    closed = ClosedRanges(0.3, 12345, frozenset({"628120000"}))
    limits = {(*APP, "51010"): NetworkLimits((9_999, 9_999, 9_999), None, None, is_seen=True, closed=closed)}
    enforcer = Enforcer()
    enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))
    enforcer.use_snapshot(GuardSnapshot(NOW_S, limits, reporting_apps=frozenset({APP})))
    refused = set()
    for n in range(3_000):
        block = f"62812{n // 3:04}"
        request = GuardRequest(
            account_id=1,
            app_id="app",
            message_id=n,
            number=f"{block}001",
            destination=Destination("ID", "62", "510", "10", ""),
            charge_micro=1,
        )
        decision = enforcer.decide(request, NOW_S)
        if decision.action is GuardAction.BLOCK:
            assert decision.reason == Reason.of(ReasonCode.GUARD_CLOSED, percent=30)
            refused.add(block)
        else:
            assert block not in refused
    assert 250 < len(refused) < 350
    assert "628120000" not in refused


def test_an_office_is_released_once_its_first_messages_have_converted() -> None:
    model, office = FraudModel(), (1, "app", "51010", "628159999")
    minutes = range(MINUTE - 60, MINUTE)
    for n in range(1_800):
        sent = Delta(minutes[n % 60], 1, "app", "ID", "51010", f"62812{n:04}", 1, "S", submitted=1)
        converted = Delta(minutes[n % 60], 1, "app", "ID", "51010", f"62812{n:04}", 1, "S", converted=int(n % 5 > 0))
        model.observe([sent, converted])
    updated(model, NOW_S)
    for n in range(8):
        model.observe([Delta(MINUTE + n // 4, 1, "app", "ID", "51010", office[3], 1, "S", submitted=1)])
    assert office in updated(model, NOW_S + 60).verdicts
    for n in range(7):
        model.observe([Delta(MINUTE + n // 4, 1, "app", "ID", "51010", office[3], 1, "S", converted=1)])
    assert office not in updated(model, NOW_S + 120).verdicts


@pytest.mark.parametrize(("converted", "is_closed"), [(0, True), (15, False)])
def test_a_network_with_many_of_an_app_s_people_is_not_closed_as_a_whole(converted: int, is_closed: bool) -> None:
    """From an installation's first hour, under an attack that leaves its ranges: hardly any of its messages convert."""
    model = FraudModel()
    for code, messages, conversions in (("51001", 120, 100), ("51010", 600, converted)):
        model.observe([Delta(MINUTE - 40, 1, "app", "ID", code, f"62{code}99", 1, "S", submitted=1)])
        updated(model, NOW_S - 60.0)
        for n in range(messages):
            cohort = MINUTE - 20 - n % 20, 1, "app", "ID", code, f"62{code[-1]}{n * 160:06}", 1, "S"
            model.observe([Delta(*cohort, submitted=1), Delta(*cohort, converted=int(n < conversions))])
    assert (updated(model, NOW_S).networks[1, "app", "51010"].verdict is not None) == is_closed


def test_a_verdict_of_an_app_s_first_minute_blocks_once_conversions_are_reported() -> None:
    model, key = FraudModel(), (1, "app", "51010", "628159999")

    def flooded(at_s: float, reporting: str) -> bool | None:
        minute = int(at_s // 60)
        model.observe([Delta(minute, 1, "app", "ID", "51010", key[3], 1, "S", submitted=40)])
        verdict = updated(model, at_s, reporting).verdicts.get(key)
        return None if verdict is None else verdict.may_block

    assert flooded(NOW_S, "unknown") is False
    assert flooded(NOW_S + 60.0, "reporting") is None
    assert flooded(NOW_S + 120.0, "reporting") is True
