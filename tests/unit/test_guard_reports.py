"""What conversions that are reported late, in part or not at all do to a verdict; and what conversions are worth."""

from collections.abc import Iterable

import pytest

from homing.common import histogram
from homing.guard.conversions import ConversionDelays, ConversionRatios
from homing.guard.model import FraudModel
from homing.guard.persistence import SavedNetwork, restore_network, restore_verdict
from homing.guard.scoring import Scorer
from homing.guard.snapshot import GuardSnapshot, RangeKey, Verdict
from homing.guard.state import RangeState
from homing.reasons import Reason, ReasonCode
from homing.statistics.delta import Delta

MINUTE = 29_460_000
RATE = 0.8
DENSE_KEY: RangeKey = (1, "app", "51010", "628129999")


def delta(minute: int, block: str, submitted: int = 0, converted: int = 0) -> Delta:
    bucket = histogram.bucket_of(20.0) if converted else -1
    return Delta(
        minute,
        1,
        "app",
        "ID",
        "51010",
        block,
        1,
        "S",
        submitted=submitted,
        converted=converted,
        conversion_bucket=bucket,
    )


def blocks(minute: int, count: int) -> Iterable[str]:
    """Each used once in a few hours."""
    return (f"62812{(minute * count + n) * 7919 % 10_000:04d}" for n in range(count))


def update(model: FraudModel, minute: int, reporting: str = "reporting") -> GuardSnapshot:
    model.update(minute * 60.0 + 59.0, lambda _cell, _carrier: RATE, lambda _account, _app: reporting)
    return model.snapshot


def observed(model: FraudModel, minutes: range, per_min: int, reporting: str = "reporting") -> GuardSnapshot:
    """Genuine messages, four of five of which convert within their minute."""
    snapshot = model.snapshot
    for minute in minutes:
        model.observe(delta(minute, block, submitted=1) for block in blocks(minute, per_min))
        if reporting == "reporting":
            model.observe(delta(minute, block, converted=1) for n, block in enumerate(blocks(minute, per_min)) if n % 5)
        snapshot = update(model, minute, reporting)
    return snapshot


def test_what_few_conversions_leave_in_doubt_is_not_due() -> None:
    """Half an hour late: of a minute's messages the first conversions are reported, and nobody else's is missing."""
    ratios, delays = ConversionRatios(), ConversionDelays()
    ratios.add(MINUTE, 100.0, 2.0, RATE)
    ratios.update(MINUTE + 30, delays)
    assert ratios.ratio(MINUTE) == 0.0
    assert ratios.ratio(MINUTE - 60) == 0.0, "nothing is known"
    ratios.add(MINUTE, 0.0, 78.0, RATE)
    ratios.update(MINUTE + 30, delays)
    assert 0.8 < ratios.ratio(MINUTE) < 1.0


def test_an_excuse_is_none_where_little_is_known() -> None:
    excuse = ConversionRatios(is_excuse=True)
    assert excuse.ratio(MINUTE) == 1.0


def test_a_network_of_which_nobody_is_reported_yet_is_not_flagged() -> None:
    """Of another network the first conversions came; a minute's share of them leaves much in doubt."""
    model = FraudModel()
    for minute in range(MINUTE, MINUTE + 25):
        model.observe(delta(minute, block, submitted=1) for block in blocks(minute, 30))
        other = [Delta(minute, 1, "app", "PH", "51502", f"6391{n:05d}", 1, "S", submitted=1) for n in range(60)]
        model.observe(other)
        if minute < MINUTE + 20:
            model.observe([Delta(minute, 1, "app", "PH", "51502", "639100001", 1, "S", converted=1)])
        snapshot = update(model, minute)
    assert all(limits.verdict is None for limits in snapshot.networks.values())


def test_an_app_that_reports_nothing_is_protected_once_its_networks_spread_is_known() -> None:
    model = FraudModel()
    observed(model, range(MINUTE, MINUTE + 20), 30, "silent")
    model.observe([delta(MINUTE + 20, DENSE_KEY[3], submitted=20)])
    snapshot = update(model, MINUTE + 20, "silent")
    assert snapshot.verdicts[DENSE_KEY].may_block
    assert snapshot.networks[DENSE_KEY[:3]].may_block


def test_an_app_that_reports_nothing_is_not_refused_in_a_network_of_unknown_spread() -> None:
    model = FraudModel()
    observed(model, range(MINUTE, MINUTE + 3), 30, "silent")
    model.observe([delta(MINUTE + 3, DENSE_KEY[3], submitted=40)])
    snapshot = update(model, MINUTE + 3, "silent")
    assert not snapshot.networks[DENSE_KEY[:3]].may_block
    assert not any(verdict.may_block for verdict in snapshot.verdicts.values())


def _score(model: FraudModel, key: RangeKey, minute: int) -> float:
    state = model.state
    return Scorer(state).score(state.networks[key[:3]], key, state.ranges[key], minute).density.nats


def test_conversions_at_the_genuine_rate_make_room_and_fewer_do_not() -> None:
    nats: list[float] = []
    for converted in (0, 6, 15):
        model = FraudModel()
        observed(model, range(MINUTE, MINUTE + 20), 30)
        model.observe([delta(MINUTE + 19, "628129999", submitted=18, converted=converted)])
        nats.append(_score(model, DENSE_KEY, MINUTE + 22))
    assert nats[0] > 10.0
    assert nats[1] == nats[0], "a third of the genuine rate"
    assert nats[2] < nats[0] / 2


def test_a_range_has_its_share_again_after_a_verdict_and_hours_later() -> None:
    """Its network's messages of the time of the verdict become history; so does what the range would have had."""
    model = FraudModel()
    observed(model, range(MINUTE, MINUTE + 30), 30)
    model.observe([delta(MINUTE + 30, "628129999", submitted=40)])
    snapshot = update(model, MINUTE + 30)
    assert DENSE_KEY in snapshot.verdicts
    until = int(snapshot.verdicts[DENSE_KEY].until_s // 60) + 1
    observed(model, range(MINUTE + 31, MINUTE + 40), 30)
    update(model, until)
    assert DENSE_KEY not in model.snapshot.verdicts
    kept = sum(cohort.capped_messages for cohort in model.state.ranges[DENSE_KEY].cohorts.values())
    assert kept > 1.0
    assert model.state.ranges[DENSE_KEY].messages_since(0) == 0.0


def test_a_range_with_thirty_conversions_of_thirty_due_is_not_crowded() -> None:
    """A hundred thousand numbers in which a wrong verdict ended: a hundred messages where one is usual."""
    model = FraudModel()
    observed(model, range(MINUTE, MINUTE + 20), 30)
    wide: RangeKey = (1, "app", "51010", "6281299")
    for n in range(36):
        model.observe([delta(MINUTE + 19, f"62812990{n % 10}", submitted=1, converted=1 if n % 6 else 0)])
    snapshot = update(model, MINUTE + 22)
    assert wide not in snapshot.verdicts


def flagged(model: FraudModel, minute: int) -> RangeState:
    """A range that is flagged by a burst, in a network of which others converted."""
    observed(model, range(minute, minute + 20), 30)
    model.observe([delta(minute + 20, DENSE_KEY[3], submitted=30)])
    assert DENSE_KEY in update(model, minute + 20).verdicts
    return model.state.ranges[DENSE_KEY]


def test_what_comes_to_a_flagged_range_is_no_history_of_it() -> None:
    """In monitor mode an attack goes on under its verdict, and must not seem usual after it."""
    model = FraudModel()
    range_state = flagged(model, MINUTE)
    before = sum(cohort.capped_messages for cohort in range_state.cohorts.values())
    pairs = model.state.networks[DENSE_KEY[:3]].pairs[0]
    for minute in range(MINUTE + 21, MINUTE + 81):
        model.observe([delta(minute, DENSE_KEY[3], submitted=10)])
    assert sum(cohort.capped_messages for cohort in range_state.cohorts.values()) == before
    assert model.state.networks[DENSE_KEY[:3]].pairs[0] == pairs
    assert range_state.recent_messages > 600


def test_a_cleared_range_has_four_times_its_usual_messages() -> None:
    """Those that wait to be history are counted once."""
    model = FraudModel()
    range_state = flagged(model, MINUTE)
    network = model.state.networks[DENSE_KEY[:3]]
    range_state.history = 3.0
    range_state.cohort(MINUTE, True).capped_messages = 5.0
    network.horizon = MINUTE + 1
    usual = model.state.policy.range_pseudo_count + range_state.history_before(network.horizon)
    model._clear(DENSE_KEY, range_state, network)
    cleared = model.state.policy.range_pseudo_count + range_state.history_before(network.horizon)
    assert cleared == pytest.approx(usual * model.state.policy.cleared_range_factor, abs=1.0)


def test_a_restored_verdict_of_a_network_without_statistics_runs_out() -> None:
    """As of an account that a listener skipped, or of one beyond the statistics that are read at the start."""
    model, since_s = FraudModel(), MINUTE * 60.0
    saved = SavedNetwork(
        country="ID",
        capped_total=10.0,
        pairs=[1.0, 1.0, 1.0],
        range_counts_at={},
        flagged={},
        archived_capped=0.0,
        capped={MINUTE: (10.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
        ranges=[],
    )
    restore_network(model.state, DENSE_KEY[:3], saved)
    reason = Reason.of(ReasonCode.GUARD_BURST, messages=9, limit=8)
    restore_verdict(model.state, DENSE_KEY, Verdict(reason, since_s, since_s + 3_600.0))
    assert DENSE_KEY in update(model, MINUTE + 1).verdicts
    assert update(model, MINUTE + 30).networks, "not idle"
    assert not update(model, MINUTE + 61).verdicts


def test_a_sum_of_fractions_that_ends_below_nothing_is_no_conversions() -> None:
    """An outage after conversions of which a part each voted."""
    ratios, delays = ConversionRatios(), ConversionDelays()
    for n, conversions in enumerate((0.1, 0.7, 0.2, 0.3, 0.6, 0.4)):
        ratios.add(MINUTE + n, 10.0, conversions, RATE)
    for minute in range(MINUTE + 6, MINUTE + 30):
        ratios.add(minute, 10.0, 0.0, RATE)
    ratios.update(MINUTE + 60, delays)
    assert ratios.ratio(MINUTE + 20) == 0.0
