"""Whether another message wins a person, from what is known of the earlier ones."""

import pytest

from homing.learning.outlook import (
    AGES_S,
    CarrierOutlook,
    EarlierMessage,
    Outlook,
    age_of_gain,
    best_resend,
    is_better_later,
    share_at,
    willingness,
)
from homing.model import ReceiptState
from homing.verification.personal_failures import is_personal

ANSWERS = tuple(min(1.0, age_s / 60) for age_s in AGES_S)
GONE_S = 86_400.0


def outlook(*, willing: float = 0.8, trust: float = 0.0, first: float = 0.9, second: float = 0.95) -> Outlook:
    return Outlook(
        willing,
        [CarrierOutlook(n, reached, trust, 1.0, ANSWERS, ANSWERS) for n, reached in ((1, first), (2, second))],
    )


def gain(receipt: ReceiptState, age_s: float, **more: float) -> float:
    resend = best_resend(outlook(**more), [EarlierMessage(1, age_s, receipt)])
    assert resend is not None
    assert resend.carrier_id == 2
    return resend.gain


def test_without_receipts_the_gain_is_that_of_counting_people() -> None:
    # Of 100 people 80 would answer; 72 get the code, and all of them have answered: 8 of the other 28 are lost.
    assert gain(ReceiptState.NONE, GONE_S) == pytest.approx(0.95 * 8 / 28)
    assert gain(ReceiptState.NONE, 0.0) == pytest.approx(0.95 * 0.08)


def test_the_gain_rises_with_age_and_its_crossing_is_found() -> None:
    gains = [gain(ReceiptState.NONE, age_s) for age_s in (0, 10, 30, 45, 60)]
    assert gains == sorted(gains)
    assert gains[0] < gains[-1]
    crossing_s = age_of_gain(outlook(), [EarlierMessage(1, 0.0, ReceiptState.NONE)], 0.2, 300.0)
    assert crossing_s is not None
    assert gain(ReceiptState.NONE, crossing_s) >= 0.2 > gain(ReceiptState.NONE, crossing_s - 2.0)
    assert age_of_gain(outlook(), [EarlierMessage(1, 0.0, ReceiptState.NONE)], 0.5, 300.0) is None


def test_receipts_count_as_far_as_they_are_trusted() -> None:
    unknown = gain(ReceiptState.NONE, 50.0)
    assert gain(ReceiptState.DELIVERED, 50.0, trust=1.0) < unknown / 5
    assert gain(ReceiptState.DELIVERED, 50.0, trust=0.0) == pytest.approx(unknown)
    assert gain(ReceiptState.LOST, 1.0) > 0.5
    assert gain(ReceiptState.NONE, 50.0, trust=1.0) > unknown, "an honest carrier would have reported it by now"


def test_nothing_goes_again_without_another_carrier_or_knowledge_of_the_first() -> None:
    both = [EarlierMessage(n, 60.0, ReceiptState.LOST) for n in (1, 2)]
    assert best_resend(outlook(), both) is None
    assert best_resend(outlook(), [EarlierMessage(3, 60.0, ReceiptState.LOST)]) is None
    assert best_resend(outlook(), []) is None
    assert best_resend(outlook(), both[:1], candidates=[1]) is None


def test_shares_lie_on_lines_between_the_ages() -> None:
    assert share_at(ANSWERS, 0.0) == 0.0
    assert share_at(ANSWERS, 45.0) == pytest.approx(0.75)
    assert share_at(ANSWERS, 1e9) == 1.0


def test_willingness_is_the_lowest_that_trusted_receipts_allow() -> None:
    assert willingness({1: 0.72, 2: 0.76}, {1: 0.9, 2: 0.9}) == pytest.approx(0.8)
    assert willingness({1: 0.72, 2: 0.76}, {1: 1.0}) == pytest.approx(0.76), "nobody converts above it"
    assert willingness({1: 0.72}, {}) == pytest.approx(0.72 / 0.97)


@pytest.mark.parametrize(
    "text", ["Unknown Subscriber", "ABSENT_SUBSCRIBER", "number is invalid", "DND", "号码在黑名单"]
)
def test_causes_of_the_person_are_recognised(text: str) -> None:
    assert is_personal(None, text)


@pytest.mark.parametrize(
    "text", ["", "undelivered", "no route", "spam filter", "operator timeout", "blocked sender ID"]
)
def test_causes_of_a_route_are_not_the_persons(text: str) -> None:
    assert not is_personal("069", text)


def test_what_will_soon_be_known_is_waited_for_and_a_failure_is_not() -> None:
    def is_better(receipt: ReceiptState, age_s: float) -> bool:
        known = outlook(trust=1.0)
        earlier = [EarlierMessage(1, age_s, receipt)]
        resend = best_resend(known, earlier)
        assert resend is not None
        return is_better_later(known, earlier, resend, price_share=0.1, wait_s=5.0)

    assert is_better(ReceiptState.NONE, 5.0), "receipts and answers are coming"
    assert not is_better(ReceiptState.NONE, 58.0), "most would have come"
    assert not is_better(ReceiptState.LOST, 5.0)
