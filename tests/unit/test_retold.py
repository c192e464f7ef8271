"""Sentences that the guard and the learner write down are known, so that the console says them in its languages."""

import msgspec

from homing.console.words import Languages
from homing.guard.book import Room, VerdictBook
from homing.guard.book import Terms as Allowance
from homing.guard.judge import Judge, Judgement
from homing.guard.odds import Odds
from homing.guard.rules import RULES, Budget, Listed, Mode, Rules
from homing.guard.spread import Crowd
from homing.intake import prepare
from homing.messages.phrases import english, tell
from homing.messages.retold import SENTENCES, retold
from homing.model import GENERAL
from homing.routing import explain, shares
from homing.routing.cells import Belief
from homing.routing.fakes import Yield, find_fakes
from homing.text.numbers import Destination

PLACE = Destination("ID", "62", "510", "10", "")
NUMBER = "628123456789"
MODES = {(GENERAL, rule): Mode.MONITOR for rule in RULES}
NOW_S = 1_800_000_000.0


def check(sentence: str) -> None:
    """It is known, and said again it is the same; in another language no part of it is left in English."""
    phrase = retold(sentence)
    assert phrase.text != "{told}", sentence
    assert english([phrase]) == sentence
    chinese = tell([phrase], Languages().choose("zh-Hans", "").say, str)
    left = {word.strip(",.;:()（）") for word in chinese.split()} & set(sentence.replace("simulator", "").split())
    assert not {word for word in left if word.isalpha() and word not in RULES}, chinese


def judged(rules: Rules, book: VerdictBook | None = None, messages: int = 1) -> Judgement:
    judge = Judge()
    judge.obey(rules)
    judge.read(book or VerdictBook(made_s=NOW_S, sure=frozenset({(1, "app")})))
    return [judge.judge(1, "app", NUMBER[:-1] + str(n), PLACE, "S", 31_000, NOW_S) for n in range(messages)][-1]


def test_what_a_judge_says() -> None:
    listed = judged(Rules(MODES, [Listed(GENERAL, "network", "51010", False)]))
    bounds = ("hour_messages", "day_messages", "hour_micro", "day_micro")
    spent = [judged(Rules(MODES, budgets={(GENERAL, "ID"): Budget(**{bound: 0})})) for bound in bounds]
    crowd = judged(Rules(MODES), messages=10)
    terms = Allowance((1_000, 1_000, 1_000), Room(900.0, 800.0), None)
    flood = judged(Rules(MODES), VerdictBook(made_s=NOW_S, cells={(1, "app", "51010"): terms}))
    found = [listed, *spent, crowd, flood]
    assert [one.rule for one in found] == ["deny", *["budget"] * 4, "burst", "flood"]
    for one in found:
        check(one.figure)
        check(one.reason)
        check(prepare._decided(None, one)["guard"])


def test_what_the_mind_says() -> None:
    crowd = Crowd(9.0, 90.0, 0.125, 90.0, 0.125, 0.5, False)
    for silence in (0.0, 20.0):
        odds = Odds(-5.0, silence, crowd, 40.0, 1.0, 33.2)
        check(odds.figure)
        check(odds.reason)
    check("0 conversions of 12.9 due, odds 1600 to 1")
    check("unconverted network")


def test_what_the_learner_says() -> None:
    for source in ("conversions", "receipts", "prior"):
        belief = Belief(1, 100.0, 80.0, 0.8, 0.7, 0.9, 80.0, 20.0, 0.95, source)
        for worth in (None, 500_000):
            check(shares._told({1: 9_700, 2: 300}, [(belief, 22_000)], shares.Terms(worth_micro=worth)))
    check(explain.NOTHING_LATELY)
    honest = Yield(1, 0.95, 400.0, 400.0, 400.0, [100.0] * 12)
    fast = msgspec.structs.replace(honest, carrier_id=2, times=[1_000.0] + [0.0] * 11, converted=50.0)
    findings = find_fakes([honest, fast])
    assert len(findings) == 3
    for one in findings:
        check(one.told)


def test_what_a_choice_notes() -> None:
    for note in (
        "adaptive, shares 7 of 10000",
        "adaptive, nothing learnt: least cost",
        "least cost of 3, from 0.031 a segment",
        "least cost of 3",
        "1 of 3 carriers down",
        "2 above the ceiling",
        "1 without flash",
        "the customer has opted out: by priority",
    ):
        check(note)


def test_what_is_not_known_is_told_as_it_is() -> None:
    assert english([retold("another release's words {x}")]) == "another release's words {x}"
    assert len({phrase.text for phrase in SENTENCES}) == len(SENTENCES)
