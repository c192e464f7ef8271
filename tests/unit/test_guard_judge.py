"""One message against the book and the rules."""

import pytest

from homing import limits
from homing.guard import book as books
from homing.guard.book import Room, Spent, Terms, Verdict, VerdictBook
from homing.guard.judge import PASS, Judge, Judgement
from homing.guard.rules import RULES, Budget, Listed, Mode, Rules
from homing.model import GENERAL, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import Destination

NOW_S = 1_800_000_000.0
PLACE = Destination("ID", "62", "510", "10", "somebody")
CELL = (1, "app", "51010")
BLOCKING: dict[tuple[int, str], Mode] = {(GENERAL, rule): Mode.BLOCK for rule in RULES}
UNCONVERTED = Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=12.9, odds=1600.0)
THEFT = Verdict(UNCONVERTED, NOW_S - 60, NOW_S + 3600)


def judge_of(book: VerdictBook | None = None, rules: Rules | None = None) -> Judge:
    judge = Judge()
    judge.obey(rules or Rules(BLOCKING))
    judge.read(book or VerdictBook(NOW_S, {CELL: Terms((5, 20, 60), None, None)}, sure=frozenset({(1, "app")})))
    return judge


def ask(
    judge: Judge, number: str = "628120001001", account: int = 1, price: int = 20_000, at: float = NOW_S
) -> Judgement:
    return judge.judge(account, "app", number, PLACE, "HOMING", price, at)


def test_a_range_that_is_judged_is_blocked_and_others_are_not() -> None:
    judge = judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT}))
    found = ask(judge)
    assert (found.action, found.rule, found.reason, found.scope) == (
        GuardAction.BLOCK,
        "range",
        UNCONVERTED,
        "628120001",
    )
    assert ask(judge, "628120002001") is PASS
    assert ask(judge, account=2) is PASS


def test_a_wider_range_covers_its_thousands() -> None:
    assert ask(judge_of(VerdictBook(NOW_S, {}, {(*CELL, "6281200"): THEFT}))).action is GuardAction.BLOCK


def test_one_message_to_a_judged_range_passes_where_the_book_wants_a_probe() -> None:
    name = (*CELL, "628120001")
    judge = judge_of(VerdictBook(NOW_S, {}, {name: THEFT}, probes=frozenset({name})))
    found = [ask(judge, f"62812000100{n}", at=NOW_S + n).action for n in range(4)]
    assert found == [GuardAction.PASS, *[GuardAction.BLOCK] * 3]
    judge.read(VerdictBook(NOW_S + 5, {}, {name: THEFT}, probes=frozenset({name})))
    assert ask(judge, at=NOW_S + 5).action is GuardAction.BLOCK  # the mind has not heard of it yet
    assert ask(judge, at=NOW_S + 4 + limits.GUARD_PROBE_AGAIN_S) is PASS


def test_a_probe_of_a_range_passes_its_networks_judgement_and_that_of_a_network_no_range_s() -> None:
    name, whole = (*CELL, "628120001"), (*CELL, "")
    terms = {CELL: Terms((5, 20, 60), None, None, THEFT)}
    judge = judge_of(VerdictBook(NOW_S, terms, {name: THEFT}, probes=frozenset({name, whole})))
    found = [ask(judge, f"62812000{n}001").action for n in (1, 1, 2, 3)]
    assert found == [GuardAction.PASS, GuardAction.BLOCK, GuardAction.PASS, GuardAction.BLOCK]


def test_where_only_monitored_no_message_is_a_probe() -> None:
    name = (*CELL, "628120001")
    judge = judge_of(VerdictBook(NOW_S, {}, {name: THEFT}, probes=frozenset({name})), Rules())
    assert [ask(judge).action for _ in range(2)] == [GuardAction.MONITOR] * 2


def test_a_judgement_ends() -> None:
    judge = judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT}))
    assert ask(judge, at=THEFT.until_s + 1) is PASS


def test_by_default_everything_but_the_deny_list_only_monitors() -> None:
    judge = judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT}), Rules())
    assert ask(judge).action is GuardAction.MONITOR
    denied = judge_of(rules=Rules(lists=[Listed(GENERAL, "country", "ID", False)]))
    assert ask(denied).action is GuardAction.BLOCK


def test_a_rule_that_is_off_says_nothing() -> None:
    off = Rules({(GENERAL, rule): Mode.OFF for rule in RULES})
    assert ask(judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT}), off)) is PASS


def test_an_accounts_mode_stands_before_the_general_one() -> None:
    rules = Rules({**BLOCKING, (1, "range"): Mode.MONITOR})
    assert ask(judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT}), rules)).action is GuardAction.MONITOR


def test_nothing_is_blocked_for_an_app_whose_conversions_are_not_reported() -> None:
    unsure = Verdict(UNCONVERTED, NOW_S, NOW_S + 60, sure=False)
    assert ask(judge_of(VerdictBook(NOW_S, {}, {(*CELL, "628120001"): unsure}))).action is GuardAction.MONITOR


def test_a_burst_meets_its_limit_between_two_books() -> None:
    judge = judge_of()
    found = [ask(judge, f"628120001{n:03}").action for n in range(20)]
    assert found == [GuardAction.PASS] * 5 + [GuardAction.BLOCK] * 15


def test_what_the_book_has_counted_counts() -> None:
    book = VerdictBook(NOW_S, {CELL: Terms((5, 20, 60), None, None)}, {}, {(*CELL, "628120001"): Room(8, 10)})
    judge = judge_of(book)
    actions = [ask(judge, f"62812000100{n}").action for n in range(3)]
    assert actions == [GuardAction.PASS, GuardAction.PASS, GuardAction.BLOCK]


def test_a_person_who_asks_again_counts_once() -> None:
    judge = judge_of()
    assert all(ask(judge) is PASS for _ in range(1 + limits.GUARD_REPEATS_MAX))


def test_without_new_books_what_was_counted_is_forgotten() -> None:
    judge = judge_of()
    for minute in range(30):
        assert ask(judge, f"628120001{minute:03}", at=NOW_S + 60 * minute) is PASS


def test_more_unverified_messages_than_may_be_open_are_a_flood() -> None:
    book = VerdictBook(NOW_S, {CELL: Terms((50, 200, 600), Room(98, 100), Room(0, 1000))})
    judge = judge_of(book)
    found = [ask(judge, f"62812{n:04}001") for n in range(3)]
    assert [one.action for one in found] == [GuardAction.PASS, GuardAction.PASS, GuardAction.BLOCK]
    assert found[-1].rule == "flood"


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
    judge = judge_of(rules=Rules(BLOCKING, [Listed(GENERAL, *entry) for entry in entries]))
    assert (ask(judge) is PASS) is passes


def test_an_accounts_list_is_its_own() -> None:
    judge = judge_of(rules=Rules(BLOCKING, [Listed(2, "country", "ID", False)]))
    assert ask(judge) is PASS
    assert ask(judge, account=2).action is GuardAction.BLOCK


def test_what_is_allowed_passes_a_judged_range() -> None:
    book = VerdictBook(NOW_S, {}, {(*CELL, "628120001"): THEFT})
    assert ask(judge_of(book, Rules(BLOCKING, [Listed(1, "prefix", "62812", True)]))) is PASS


def test_a_budget_ends_with_its_messages_and_begins_anew_with_the_hour() -> None:
    rules = Rules(BLOCKING, budgets={(GENERAL, "ID"): Budget(hour_messages=3)})
    judge = judge_of(rules=rules)
    found = [ask(judge, f"62812{n:04}001") for n in range(4)]
    assert [one.action for one in found] == [GuardAction.PASS] * 3 + [GuardAction.BLOCK]
    assert found[-1].rule == "budget"


def test_a_budget_counts_what_the_mind_has_heard() -> None:
    hour, day = int(NOW_S // 3600), int(NOW_S // 86_400)
    book = VerdictBook(NOW_S, spent={(1, "ID"): Spent(hour, 9, 180_000, day, 9, 180_000)})
    judge = judge_of(book, Rules(BLOCKING, budgets={(1, "ID"): Budget(day_micro=200_000)}))
    assert [ask(judge, f"62812{n:04}001").action for n in range(2)] == [GuardAction.PASS, GuardAction.BLOCK]


def test_a_book_is_read_as_it_was_written() -> None:
    book = VerdictBook(
        NOW_S,
        {CELL: Terms((5, 20, 60), Room(1, 2), None, THEFT)},
        {(*CELL, "628120001"): THEFT},
        {(*CELL, "628120002"): Room(3, 4)},
        {(1, "ID"): Spent(1, 2, 3, 4, 5, 6)},
        frozenset({(1, "app")}),
        frozenset({(*CELL, "628120001"), (*CELL, "")}),
    )
    assert books.read(books.write(book, 10)) == book
