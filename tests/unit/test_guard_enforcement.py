"""The decision on one message, by the snapshot and the rules."""

import pytest

from homing.guard.enforcement import GUARD_PROBE_LOST_S, GUARD_REPEATS_MAX, PASS, Enforcer, GuardDecision, GuardRequest
from homing.guard.rules import RULES, CountryBudget, GuardRules, ListEntry, RuleMode
from homing.guard.snapshot import (
    Allowance,
    BudgetUsage,
    GuardSnapshot,
    NetworkLimits,
    Verdict,
    decode_snapshot,
    encode_snapshot,
)
from homing.model import GENERAL, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import Destination

NOW_S = 1_800_000_000.0
DESTINATION = Destination("ID", "62", "510", "10", "somebody")
NETWORK = (1, "app", "51010")
BLOCKING: dict[tuple[int, str], RuleMode] = {(GENERAL, rule): RuleMode.BLOCK for rule in RULES}
MONITORING = GuardRules({(GENERAL, rule): RuleMode.MONITOR for rule in RULES})
UNCONVERTED = Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=12.9, odds=1600.0)
FLAGGED = Verdict(UNCONVERTED, NOW_S - 60, NOW_S + 3600)
LIMITS = NetworkLimits((5, 20, 60), None, None)


def enforcer_of(snapshot: GuardSnapshot | None = None, rules: GuardRules | None = None) -> Enforcer:
    enforcer = Enforcer()
    enforcer.use_rules(rules or GuardRules(BLOCKING))
    limits_only = GuardSnapshot(NOW_S, {NETWORK: LIMITS}, reporting_apps=frozenset({(1, "app")}))
    enforcer.use_snapshot(snapshot or limits_only)
    return enforcer


def decide(
    enforcer: Enforcer, number: str = "628120001001", account: int = 1, charge: int = 20_000, at: float = NOW_S
) -> GuardDecision:
    request = GuardRequest(
        account_id=account,
        app_id="app",
        message_id=1,
        number=number,
        destination=DESTINATION,
        charge_micro=charge,
    )
    return enforcer.decide(request, at)


def test_a_flagged_range_is_blocked_and_others_are_not() -> None:
    enforcer = enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED}))
    decision = decide(enforcer)
    assert (decision.action, decision.rule, decision.reason, decision.scope) == (
        GuardAction.BLOCK,
        "range",
        UNCONVERTED,
        "628120001",
    )
    assert decide(enforcer, "628120002001") is PASS
    assert decide(enforcer, account=2) is PASS


def test_a_verdict_on_a_wider_range_holds_for_its_thousands() -> None:
    assert decide(enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "6281200"): FLAGGED}))).action is GuardAction.BLOCK


def test_one_message_to_a_flagged_range_passes_when_a_probe_is_due() -> None:
    name = (*NETWORK, "628120001")
    enforcer = enforcer_of(GuardSnapshot(NOW_S, {}, {name: FLAGGED}, due_probes=frozenset({name})))
    decision = [decide(enforcer, f"62812000100{n}", at=NOW_S + n).action for n in range(4)]
    assert decision == [GuardAction.PASS, *[GuardAction.BLOCK] * 3]
    enforcer.use_snapshot(GuardSnapshot(NOW_S + 5, {}, {name: FLAGGED}, due_probes=frozenset({name})))
    assert decide(enforcer, at=NOW_S + 5).action is GuardAction.BLOCK  # the model has not observed it yet
    assert decide(enforcer, at=NOW_S + 4 + GUARD_PROBE_LOST_S) is PASS


def test_a_probe_of_a_range_passes_its_networks_verdict_and_a_networks_probe_passes_no_flagged_range() -> None:
    name, whole = (*NETWORK, "628120001"), (*NETWORK, "")
    terms = {NETWORK: NetworkLimits((5, 20, 60), Allowance(10, 800), None, FLAGGED)}
    enforcer = enforcer_of(GuardSnapshot(NOW_S, terms, {name: FLAGGED}, due_probes=frozenset({name, whole})))
    decision = [decide(enforcer, f"62812000{n}001").action for n in (1, 1, 2, 3)]
    assert decision == [GuardAction.PASS, GuardAction.BLOCK, GuardAction.PASS, GuardAction.BLOCK]


def test_some_messages_pass_to_a_network_that_is_flagged_as_a_whole() -> None:
    """Nothing but silence speaks against it."""
    terms = {NETWORK: NetworkLimits((5, 20, 60), Allowance(7, 800), None, FLAGGED)}
    enforcer = enforcer_of(GuardSnapshot(NOW_S, terms))
    actions = [decide(enforcer, f"62812{n:04}001").action for n in range(5)]
    assert actions == [GuardAction.PASS] * 3 + [GuardAction.BLOCK] * 2


def test_no_message_is_a_probe_in_monitor_mode() -> None:
    name = (*NETWORK, "628120001")
    enforcer = enforcer_of(GuardSnapshot(NOW_S, {}, {name: FLAGGED}, due_probes=frozenset({name})), MONITORING)
    assert [decide(enforcer).action for _ in range(2)] == [GuardAction.MONITOR] * 2


def test_a_verdict_ends() -> None:
    enforcer = enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED}))
    assert decide(enforcer, at=FLAGGED.until_s + 1) is PASS


def test_by_default_all_rules_block() -> None:
    enforcer = enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED}), GuardRules())
    assert decide(enforcer).action is GuardAction.BLOCK
    denied = enforcer_of(rules=GuardRules(lists=[ListEntry(GENERAL, "country", "ID", False)]))
    assert decide(denied).action is GuardAction.BLOCK


def test_a_rule_that_is_off_decides_nothing() -> None:
    off = GuardRules({(GENERAL, rule): RuleMode.OFF for rule in RULES})
    assert decide(enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED}), off)) is PASS


def test_an_accounts_mode_precedes_the_general_one() -> None:
    rules = GuardRules({**BLOCKING, (1, "range"): RuleMode.MONITOR})
    assert (
        decide(enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED}), rules)).action
        is GuardAction.MONITOR
    )


def test_nothing_is_blocked_for_an_app_whose_conversions_are_not_reported() -> None:
    unreported = Verdict(UNCONVERTED, NOW_S, NOW_S + 60, may_block=False)
    assert (
        decide(enforcer_of(GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): unreported}))).action
        is GuardAction.MONITOR
    )


def test_a_burst_meets_its_limit_between_two_snapshots() -> None:
    enforcer = enforcer_of()
    decision = [decide(enforcer, f"628120001{n:03}").action for n in range(20)]
    assert decision == [GuardAction.PASS] * 5 + [GuardAction.BLOCK] * 15


def test_messages_counted_in_the_snapshot_count() -> None:
    snapshot = GuardSnapshot(NOW_S, {NETWORK: LIMITS}, {}, {(*NETWORK, "628120001"): Allowance(8, 10)})
    enforcer = enforcer_of(snapshot)
    actions = [decide(enforcer, f"62812000100{n}").action for n in range(3)]
    assert actions == [GuardAction.PASS, GuardAction.PASS, GuardAction.BLOCK]


def test_repeated_messages_to_a_number_count_once() -> None:
    enforcer = enforcer_of()
    assert all(decide(enforcer) is PASS for _ in range(1 + GUARD_REPEATS_MAX))


def test_counts_are_dropped_when_no_new_snapshot_comes() -> None:
    enforcer = enforcer_of()
    for minute in range(30):
        assert decide(enforcer, f"628120001{minute:03}", at=NOW_S + 60 * minute) is PASS


def test_more_unverified_messages_than_allowed_are_a_flood() -> None:
    snapshot = GuardSnapshot(NOW_S, {NETWORK: NetworkLimits((50, 200, 600), Allowance(98, 100), Allowance(0, 1000))})
    enforcer = enforcer_of(snapshot)
    decision = [decide(enforcer, f"62812{n:04}001") for n in range(3)]
    assert [one.action for one in decision] == [GuardAction.PASS, GuardAction.PASS, GuardAction.BLOCK]
    assert decision[-1].rule == "flood"


@pytest.mark.parametrize(
    ("entries", "passes"),
    [
        ([("country", "ID", False)], False),
        ([("country", "ID", False), ("prefix", "62812", True)], True),
        ([("country", "ID", True), ("prefix", "62812", False)], False),
        ([("prefix", "62812", True), ("prefix", "62812", False)], True),
        ([("network", "51010", False), ("country", "ID", True)], False),
        ([("prefix", "628120001001", True), ("prefix", "62812", False)], True),
    ],
)
def test_the_longest_match_decides_and_allow_wins_ties(entries: list[tuple[str, str, bool]], passes: bool) -> None:
    enforcer = enforcer_of(rules=GuardRules(BLOCKING, [ListEntry(GENERAL, *entry) for entry in entries]))
    assert (decide(enforcer) is PASS) is passes


def test_an_accounts_list_is_its_own() -> None:
    enforcer = enforcer_of(rules=GuardRules(BLOCKING, [ListEntry(2, "country", "ID", False)]))
    assert decide(enforcer) is PASS
    assert decide(enforcer, account=2).action is GuardAction.BLOCK


def test_an_allowed_number_passes_a_verdict_on_its_range() -> None:
    snapshot = GuardSnapshot(NOW_S, {}, {(*NETWORK, "628120001"): FLAGGED})
    assert decide(enforcer_of(snapshot, GuardRules(BLOCKING, [ListEntry(1, "prefix", "62812", True)]))) is PASS


def test_messages_beyond_an_hourly_budget_are_blocked() -> None:
    rules = GuardRules(BLOCKING, budgets={(GENERAL, "ID"): CountryBudget(hour_messages=3)})
    enforcer = enforcer_of(rules=rules)
    decision = [decide(enforcer, f"62812{n:04}001") for n in range(4)]
    assert [one.action for one in decision] == [GuardAction.PASS] * 3 + [GuardAction.BLOCK]
    assert decision[-1].rule == "budget"


def test_usage_in_the_snapshot_counts_for_a_budget() -> None:
    hour, day = int(NOW_S // 3600), int(NOW_S // 86_400)
    snapshot = GuardSnapshot(NOW_S, usage={(1, "ID"): BudgetUsage(hour, 9, 180_000, day, 9, 180_000)})
    enforcer = enforcer_of(snapshot, GuardRules(BLOCKING, budgets={(1, "ID"): CountryBudget(day_micro=200_000)}))
    assert [decide(enforcer, f"62812{n:04}001").action for n in range(2)] == [GuardAction.PASS, GuardAction.BLOCK]


def test_a_snapshot_is_decoded_as_it_was_encoded() -> None:
    snapshot = GuardSnapshot(
        NOW_S,
        {NETWORK: NetworkLimits((5, 20, 60), Allowance(1, 2), None, FLAGGED)},
        {(*NETWORK, "628120001"): FLAGGED},
        {(*NETWORK, "628120002"): Allowance(3, 4)},
        {(1, "ID"): BudgetUsage(1, 2, 3, 4, 5, 6)},
        frozenset({(1, "app")}),
        frozenset({(*NETWORK, "628120001"), (*NETWORK, "")}),
    )
    assert decode_snapshot(encode_snapshot(snapshot, 10)) == snapshot
