"""Every reason has a wording in every language, and a place that makes it."""

import ast
import functools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter

import msgspec
import pytest

import homing
from homing.console.languages import Languages
from homing.guard.density import Density
from homing.guard.enforcement import Enforcer, GuardDecision, GuardRequest
from homing.guard.rules import RULES, CountryBudget, GuardRules, ListEntry, RuleMode
from homing.guard.scoring import RangeScore
from homing.guard.snapshot import Allowance, GuardSnapshot, NetworkLimits, UnseenPlaces
from homing.i18n.phrases import english, render_phrases
from homing.i18n.reasons import TITLES, WORDINGS, failure_text, reason_phrase, reason_text, reason_title
from homing.learning.fake_receipts import ReceiptYield, find_fakes
from homing.learning.posterior import Posterior
from homing.learning.shares import SOURCE_REASONS, ShareCalculator
from homing.messages.route_choice import route_phrases, route_reasons
from homing.model import GENERAL, Strategy
from homing.reasons import Reason, ReasonCode, decode_reason, encode_reason
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.text.numbers import Destination

PLACE = Destination("ID", "62", "510", "10", "")
NUMBER = "628123456789"
MODES: dict[tuple[int, str], RuleMode] = {(GENERAL, rule): RuleMode.MONITOR for rule in RULES}
NOW_S = 1_800_000_000.0
SOURCE = Path(homing.__file__).parent
CHINESE = ("zh-Hans", "zh-Hant")
LATIN = {"SMS", "AIT", "USD", "ID"}
"""Words that stay as they are in Chinese."""


@functools.cache
def made_in_the_code() -> Sequence[tuple[ReasonCode, frozenset[str], str]]:
    """Each `Reason.of(ReasonCode.X, name=…)`: its code, its values' names, where it stands."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_reason_of(node.func):
                code = node.args[0]
                assert isinstance(code, ast.Attribute), f"{file}:{node.lineno} does not name its code"
                assert ast.unparse(code.value) == "ReasonCode", f"{file}:{node.lineno} does not name its code"
                names = frozenset(keyword.arg or "**" for keyword in node.keywords)
                found.append((ReasonCode[code.attr], names, f"{file.name}:{node.lineno}"))
    return found


def _is_reason_of(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "of"
        and isinstance(function.value, ast.Name)
        and function.value.id == "Reason"
    )


@functools.cache
def languages() -> Languages:
    return Languages()


def names_in_order(text: str) -> list[str]:
    return [name for _literal, name, _spec, _conversion in Formatter().parse(text) if name]


def placeholders(text: str) -> set[str]:
    return set(names_in_order(text))


def said(reason: Reason, language: str) -> str:
    """As a page says it of what is stored."""
    return render_phrases(
        [reason_phrase(decode_reason(encode_reason(reason)))], languages().choose(language, "").translate, str
    )


def left_in_english(reason: Reason, language: str) -> set[str]:
    """Words of the English wording that stand in another language's too."""
    words = said(reason, language).replace("（", " ").replace("）", " ").replace("，", " ").replace("；", " ").split()
    english = {word.strip(",.;:()") for word in reason_text(reason).split()}
    return {word for word in words if word in english and word.isascii() and word.isalpha()} - LATIN


def check(reason: Reason) -> None:
    assert "{" not in reason_text(reason)
    for language in CHINESE:
        assert said(reason, language) != reason_text(reason)
        assert not left_in_english(reason, language), said(reason, language)


# ---- Codes, wordings and places


def test_every_code_has_a_wording_and_a_place_that_makes_it() -> None:
    assert set(WORDINGS) == set(ReasonCode)
    assert {code for code, _names, _place in made_in_the_code()} == set(ReasonCode)


def test_a_wording_has_the_values_of_every_place_that_makes_its_reason() -> None:
    for code, names, place in made_in_the_code():
        assert placeholders(WORDINGS[code].text) == names, place


@pytest.mark.parametrize("language", CHINESE)
def test_every_wording_and_title_is_in_the_catalogue_with_the_same_values(language: str) -> None:
    texts = languages().choose(language, "").texts
    for phrase in (*WORDINGS.values(), *TITLES.values()):
        assert placeholders(texts[phrase.text]) == placeholders(phrase.text)


def test_decisions_of_every_reason_can_be_counted_by_a_title() -> None:
    guards = {code for code in ReasonCode if code.startswith("guard.") and code is not ReasonCode.GUARD_MONITORED}
    assert set(TITLES) == guards | {ReasonCode.LEGACY_TEXT}
    assert reason_title("guard.burst") is TITLES[ReasonCode.GUARD_BURST]
    assert reason_title("later.release") is TITLES[ReasonCode.LEGACY_TEXT]


def test_the_reference_lists_every_code_with_its_values_and_wording() -> None:
    """A row a code, in their order."""
    page = (SOURCE.parent.parent / "docs" / "reference" / "reasons.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{code}` | {' '.join(f'`{name}`' for name in names_in_order(phrase.text))} | {phrase.text} |"
        for code, phrase in WORDINGS.items()
    ]


def test_a_text_with_braces_is_shown_as_it_is() -> None:
    assert reason_text(Reason.of(ReasonCode.LEGACY_TEXT, text="another release's words {x}")) == (
        "another release's words {x}"
    )


def test_a_known_code_with_another_releases_values_is_shown_as_it_is_stored() -> None:
    written = '{"code":"guard.burst","values":{"count":12}}'
    assert reason_text(decode_reason(written)) == written


# ---- The guard


def decision_on(rules: GuardRules, snapshot: GuardSnapshot | None = None, messages: int = 1) -> GuardDecision:
    """On the last of so many messages."""
    enforcer = Enforcer()
    enforcer.use_rules(rules)
    enforcer.use_snapshot(snapshot or GuardSnapshot(made_s=NOW_S, reporting_apps=frozenset({(1, "app")})))
    numbers = [NUMBER[:-1] + str(n) for n in range(messages)]
    requests = [
        GuardRequest(account_id=1, app_id="app", message_id=1, number=number, destination=PLACE, charge_micro=31_000)
        for number in numbers
    ]
    return [enforcer.decide(request, NOW_S) for request in requests][-1]


def test_the_reasons_of_each_rule_on_the_accept_path() -> None:
    bounds = ("hour_messages", "day_messages", "hour_micro", "day_micro")
    flooded = NetworkLimits((1_000, 1_000, 1_000), Allowance(900.0, 800.0), None)
    decisions = [
        decision_on(GuardRules(MODES, [ListEntry(GENERAL, "network", "51010", False)])),
        *(decision_on(GuardRules(MODES, budgets={(GENERAL, "ID"): CountryBudget(**{bound: 0})})) for bound in bounds),
        decision_on(GuardRules(MODES), messages=10),
        decision_on(GuardRules(MODES), GuardSnapshot(made_s=NOW_S, networks={(1, "app", "51010"): flooded})),
        decision_on(
            GuardRules(MODES), GuardSnapshot(made_s=NOW_S, unseen={(1, "app"): UnseenPlaces(150.0, 60.0, 151.0)})
        ),
    ]
    reasons = [decision.reason for decision in decisions if decision.reason is not None]
    assert [(reason.code, dict(reason.values)) for reason in reasons] == [
        (ReasonCode.GUARD_DENY_LISTED, {"entry": "51010"}),
        (ReasonCode.GUARD_BUDGET_HOUR_MESSAGES, {"messages": 1, "limit": 0}),
        (ReasonCode.GUARD_BUDGET_DAY_MESSAGES, {"messages": 1, "limit": 0}),
        (ReasonCode.GUARD_BUDGET_HOUR_MONEY, {"spent_micro": 31_000, "limit_micro": 0}),
        (ReasonCode.GUARD_BUDGET_DAY_MONEY, {"spent_micro": 31_000, "limit_micro": 0}),
        (ReasonCode.GUARD_BURST, {"messages": 9, "limit": 8}),
        (ReasonCode.GUARD_FLOOD, {"messages": 900, "limit": 800}),
        (ReasonCode.GUARD_UNSEEN, {"messages": 151, "limit": 150}),
    ]
    for decision, reason in zip(decisions, reasons, strict=True):
        check(reason)
        check(Reason.of(ReasonCode.GUARD_MONITORED, rule=decision.rule, scope=decision.scope, reason=reason))


def test_the_reasons_of_a_verdict() -> None:
    density = Density(
        nats=9.0,
        messages=90.0,
        expected=0.125,
        short_messages=90.0,
        short_expected=0.125,
        shape=0.5,
        short_room=1.0,
        long_messages=90.0,
        long_expected=0.125,
        has_history=False,
    )
    dense, silent = (
        RangeScore(prior=-5.0, silence=silence, density=density, exposure=40.0, conversions=1.0, due=33.2).reason
        for silence in (0.0, 20.0)
    )
    assert reason_text(dense) == (
        "90 messages where 0.12 are usual; conversions: 1 observed, 33.2 expected; odds of SMS pumping (AIT) 55 to 1"
    )
    assert silent.code is ReasonCode.GUARD_RANGE_UNCONVERTED
    assert silent.values == {"conversions": 1, "expected": 33.2, "odds": pytest.approx(2.6e10, rel=0.1)}
    for reason in (
        dense,
        silent,
        Reason.of(ReasonCode.GUARD_NETWORK_UNCONVERTED, conversions=0, expected=12.9, odds=1600.0),
    ):
        check(reason)


# ---- Routes and the learner


COSTS = {1: 22_000, 2: 44_000}


def shares_of(posteriors: list[Posterior], objective: Objective, costs: Mapping[int, int] = COSTS) -> Reason:
    rule = RouteRule(RouteScope(), Strategy.ADAPTIVE, None, tuple(RouteCandidate(n, n, n, 1) for n in (1, 2)))
    cell = CellKey(1, "app", "ID", "51010")
    calculator = ShareCalculator()
    return calculator.share(
        cell=cell,
        rule=rule,
        costs=costs,
        down=frozenset(),
        posteriors=posteriors,
        objective=objective,
        now_s=NOW_S,
        rng=random.Random(1),
    ).reason


def posterior(carrier_id: int, source: str = "conversions") -> Posterior:
    return Posterior(carrier_id, 100.0, 80.0, 0.8, 0.7, 0.9, 80.0, 20.0, 0.95, source)


def test_shares_say_what_the_best_carrier_costs_or_gains_and_how_that_is_known() -> None:
    for source in SOURCE_REASONS:
        both = [posterior(1, source), posterior(2, source)]
        for objective, costs, code in (
            (Objective(), COSTS, ReasonCode.SHARES_BY_COST),
            (Objective(), {}, ReasonCode.SHARES_BY_RATE),
            (Objective(worth_micro=500_000), COSTS, ReasonCode.SHARES_BY_GAIN),
        ):
            reason = shares_of(both, objective, costs)
            assert (reason.code, reason.values["carriers"]) == (code, 2)
            check(reason)
            for language in CHINESE:
                assert render_phrases(
                    [reason_phrase(SOURCE_REASONS[source])], languages().choose(language, "").translate, str
                ) in said(reason, language)


@pytest.mark.parametrize("language", CHINESE)
def test_the_only_carrier_and_a_customer_who_opted_out_are_said_in_chinese(language: str) -> None:
    only, opted_out = shares_of([posterior(1)], Objective()), shares_of([posterior(1)], Objective(opted_out=True))
    assert (reason_text(only), said(only, language)) == ("the only carrier that can be used", "唯一可用的通道")
    assert (
        said(opted_out, language)
        == {
            "zh-Hans": "客户未启用自适应路由：按优先级",
            "zh-Hant": "客戶未啟用自適應路由：依優先順序",
        }[language]
    )


def test_every_sign_of_receipts_that_are_made_up() -> None:
    honest = ReceiptYield(1, 0.95, 400.0, 400.0, 400.0, [100.0] * 12)
    fast = msgspec.structs.replace(honest, carrier_id=2, delays=[1_000.0] + [0.0] * 11, conversions=50.0)
    findings = find_fakes([honest, fast])
    assert [one.reason.code for one in findings] == [
        ReasonCode.RECEIPTS_UNCONVERTED,
        ReasonCode.RECEIPTS_TOO_FAST,
        ReasonCode.RECEIPTS_TOO_EVEN,
    ]
    assert findings[0].reason.values["ratio_ppm"] == 125_000
    for one in findings:
        check(one.reason)


def test_what_a_choice_of_route_notes() -> None:
    for reason in (
        Reason.of(ReasonCode.ROUTE_SHARES, version=7, total=10_000),
        Reason.of(ReasonCode.ROUTE_NOTHING_LEARNT),
        Reason.of(ReasonCode.ROUTE_LEAST_COST, carriers=3, cost_micro=31_000),
        Reason.of(ReasonCode.ROUTE_LEAST_COST_UNKNOWN, carriers=3),
        Reason.of(ReasonCode.ROUTE_CARRIERS_DOWN, down=1, carriers=3),
        Reason.of(ReasonCode.ROUTE_CARRIERS_TOO_EXPENSIVE, carriers=2),
        Reason.of(ReasonCode.ROUTE_CARRIERS_WITHOUT_FLASH, carriers=1),
        Reason.of(ReasonCode.ROUTE_ABOVE_CEILING, cost_micro=31_000, ceiling_micro=20_000),
        Reason.of(ReasonCode.ROUTE_NO_RECENT_TRAFFIC),
        Reason.of(ReasonCode.SENDER_NOT_REGISTERED),
    ):
        check(reason)


def test_a_sentence_of_before_in_a_messages_notes_is_shown_as_it_is() -> None:
    assert english(route_phrases(route_reasons({"route": "least cost of 3"}))) == "; least cost of 3"
    assert route_reasons({}) == []


# ---- Attempts and messages


REPORTED = {
    ReasonCode.ATTEMPT_CLAIM_LAPSED: "its claim ended before its answer was recorded",
    ReasonCode.ATTEMPT_PROCESS_DIED: "the process that was submitting it died",
    ReasonCode.ATTEMPT_NO_ANSWER: "no answer",
    ReasonCode.ATTEMPT_CARRIER_DOWN: "the carrier is down: not taken",
    ReasonCode.ATTEMPT_CARRIER_SLOW: "the carrier is slow: not taken",
    ReasonCode.ATTEMPT_NO_CONNECTION: "no free connection to the vendor",
    ReasonCode.ATTEMPT_NO_FLASH: "this carrier sends no flash messages",
    ReasonCode.MESSAGE_NO_RECEIPT: "no receipt within its validity",
    ReasonCode.MESSAGE_NOT_SENT: "not sent within its validity",
    ReasonCode.MESSAGE_CANCELLED: "cancelled by the customer",
}
"""Customers' programs see these in reports: they stay as they are."""


@pytest.mark.parametrize("code", REPORTED)
def test_a_report_says_a_failures_reason_in_these_words(code: ReasonCode) -> None:
    reason = Reason(code)
    check(reason)
    assert failure_text(None, encode_reason(reason)) == REPORTED[code]


def test_a_report_says_the_carriers_words_and_nothing_where_there_are_none() -> None:
    assert failure_text("ESME_RSUBMITFAIL", None) == "ESME_RSUBMITFAIL"
    assert failure_text(None, None) == ""
    error = Reason.of(ReasonCode.ATTEMPT_CARRIER_FAILED, error="OSError(5)")
    assert failure_text(None, encode_reason(error)) == "OSError(5)"
