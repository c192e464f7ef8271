"""Sentences that the learner writes down are known, so that the console says them in its languages."""

import msgspec

from homing.console.words import Languages
from homing.messages.phrases import english, tell
from homing.messages.retold import SENTENCES, retold
from homing.routing import explain, shares
from homing.routing.cells import Belief
from homing.routing.fakes import Yield, find_fakes


def check(sentence: str) -> None:
    """It is known, and said again it is the same; in another language no part of it is left in English."""
    phrase = retold(sentence)
    assert phrase.text != "{told}", sentence
    assert english([phrase]) == sentence
    chinese = tell([phrase], Languages().choose("zh-Hans", "").say, str)
    left = {word.strip(",.;:()（）") for word in chinese.split()} & set(sentence.replace("simulator", "").split())
    assert not {word for word in left if word.isalpha()}, chinese


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
