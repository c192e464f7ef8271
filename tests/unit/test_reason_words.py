"""Every reason has a wording in every language, and a place that makes it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import homing
from homing.console.words import Languages
from homing.guard.book import Room, VerdictBook
from homing.guard.book import Terms as Allowance
from homing.guard.judge import Judge, Judgement
from homing.guard.odds import Odds
from homing.guard.rules import RULES, Budget, Listed, Mode, Rules
from homing.guard.spread import Crowd
from homing.messages.phrases import tell
from homing.messages.reason_words import TITLES, WORDINGS, reason_phrase, reason_text, reason_title
from homing.model import GENERAL
from homing.reasons import Reason, ReasonCode, decode_reason, encode_reason
from homing.text.numbers import Destination

PLACE = Destination("ID", "62", "510", "10", "")
NUMBER = "628123456789"
MODES: dict[tuple[int, str], Mode] = {(GENERAL, rule): Mode.MONITOR for rule in RULES}
NOW_S = 1_800_000_000.0
SOURCE = Path(homing.__file__).parent
CHINESE = ("zh-Hans", "zh-Hant")
LATIN = {"SMS", "AIT", "USD", "ID"}
"""Words that stay as they are in Chinese."""


def made_in_the_code() -> Iterator[tuple[ReasonCode, frozenset[str], str]]:
    """Each `Reason.of(ReasonCode.X, name=…)`: its code, its values' names, where it stands."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reason.of":
                code = node.args[0]
                assert isinstance(code, ast.Attribute), f"{file}:{node.lineno} does not name its code"
                assert ast.unparse(code.value) == "ReasonCode", f"{file}:{node.lineno} does not name its code"
                names = frozenset(keyword.arg or "**" for keyword in node.keywords)
                yield ReasonCode[code.attr], names, f"{file.name}:{node.lineno}"


def names_in_order(text: str) -> list[str]:
    return [name for _literal, name, _spec, _conversion in Formatter().parse(text) if name]


def placeholders(text: str) -> set[str]:
    return set(names_in_order(text))


def said(reason: Reason, language: str) -> str:
    """As a page says it of what is stored."""
    return tell([reason_phrase(decode_reason(encode_reason(reason)))], Languages().choose(language, "").say, str)


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
    texts = Languages().choose(language, "").texts
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


def judged(rules: Rules, book: VerdictBook | None = None, messages: int = 1) -> Judgement:
    judge = Judge()
    judge.obey(rules)
    judge.read(book or VerdictBook(made_s=NOW_S, sure=frozenset({(1, "app")})))
    return [judge.judge(1, "app", NUMBER[:-1] + str(n), PLACE, "S", 31_000, NOW_S) for n in range(messages)][-1]


def test_the_reasons_of_each_rule_on_the_accept_path() -> None:
    bounds = ("hour_messages", "day_messages", "hour_micro", "day_micro")
    terms = Allowance((1_000, 1_000, 1_000), Room(900.0, 800.0), None)
    found = [
        judged(Rules(MODES, [Listed(GENERAL, "network", "51010", False)])),
        *(judged(Rules(MODES, budgets={(GENERAL, "ID"): Budget(**{bound: 0})})) for bound in bounds),
        judged(Rules(MODES), messages=10),
        judged(Rules(MODES), VerdictBook(made_s=NOW_S, cells={(1, "app", "51010"): terms})),
    ]
    reasons = [one.reason for one in found if one.reason is not None]
    assert [(one.code, dict(one.values)) for one in reasons] == [
        (ReasonCode.GUARD_DENY_LISTED, {"entry": "51010"}),
        (ReasonCode.GUARD_BUDGET_HOUR_MESSAGES, {"messages": 1, "limit": 0}),
        (ReasonCode.GUARD_BUDGET_DAY_MESSAGES, {"messages": 1, "limit": 0}),
        (ReasonCode.GUARD_BUDGET_HOUR_MONEY, {"spent_micro": 31_000, "limit_micro": 0}),
        (ReasonCode.GUARD_BUDGET_DAY_MONEY, {"spent_micro": 31_000, "limit_micro": 0}),
        (ReasonCode.GUARD_BURST, {"messages": 9, "limit": 8}),
        (ReasonCode.GUARD_FLOOD, {"messages": 900, "limit": 800}),
    ]
    for judgement, reason in zip(found, reasons, strict=True):
        check(reason)
        check(Reason.of(ReasonCode.GUARD_MONITORED, rule=judgement.rule, scope=judgement.scope, reason=reason))


def test_the_reasons_of_a_verdict() -> None:
    crowd = Crowd(9.0, 90.0, 0.125, 90.0, 0.125, 0.5, False)
    dense, silent = (Odds(-5.0, silence, crowd, 40.0, 1.0, 33.2).reason for silence in (0.0, 20.0))
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
