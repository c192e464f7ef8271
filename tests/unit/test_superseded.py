"""What the learner makes of messages whose code left again: carriers look neither better nor worse for it."""

import random

import pytest

from homing.common.histogram import bucket_of
from homing.learning.delays import DelayHistograms
from homing.learning.learner import RoutingLearner
from homing.learning.outlook import AGES_S, CarrierOutlook, Outlook, share_at
from homing.learning.policy import LearningPolicy
from homing.learning.superseded import withdrawal
from homing.model import ReceiptState
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

MINUTE = 30_000_000
CELL = CellKey(7, "app", "CN", "46000")
HONEST, LOSING = 1, 2
REACHED = {HONEST: 0.95, LOSING: 0.6}
WILLING = 0.85
ANSWERS = tuple(min(1.0, age_s / 60) for age_s in AGES_S)
TICK_S = 5
MESSAGES = 5  # a tick, of each carrier


def outlook(*, trust: float = 0.0, reached: float = 0.9) -> Outlook:
    return Outlook(0.8, [CarrierOutlook(1, reached, trust, 1.0, ANSWERS, ANSWERS)])


def delta(minute: int, carrier: int, **facts: int | bool) -> Delta:
    return Delta(minute, 7, "app", "CN", "46000", "8613800138", carrier, "S", **facts)  # type: ignore[arg-type]


def test_a_message_of_which_nothing_is_known_leaves_the_exposure_that_all_of_its_age_have() -> None:
    each = withdrawal(outlook(), carrier_id=1, age_s=30.0, receipt=ReceiptState.NONE)
    answered = share_at(ANSWERS, 30.0)
    unanswered = 1.0 - 0.8 * 0.9 * answered
    assert each.withdrawn * unanswered == pytest.approx(1.0), "all are withdrawn where all unanswered are superseded"
    assert each.settled * unanswered == pytest.approx(answered)
    assert sum(each.unseen) * unanswered == pytest.approx(0.8 * 0.9 * (1.0 - answered)), "who would have answered later"
    assert sum(each.unseen[: bucket_of(30.0) + 1]) == 0, "and none of them sooner"


def test_a_failure_that_is_believed_counts_in_full_and_an_unknown_carrier_for_nothing() -> None:
    failed = withdrawal(outlook(trust=1.0), carrier_id=1, age_s=20.0, receipt=ReceiptState.LOST)
    assert 1.0 - failed.withdrawn * (1.0 - share_at(ANSWERS, 20.0)) > 0.9
    assert sum(failed.unseen) < 0.05
    unknown = withdrawal(outlook(), carrier_id=9, age_s=20.0, receipt=ReceiptState.NONE)
    assert (unknown.withdrawn, unknown.settled, sum(unknown.unseen)) == (1.0, 0.0, 0.0)
    assert withdrawal(None, carrier_id=1, age_s=20.0, receipt=ReceiptState.NONE) == unknown


class Codes:
    """Codes that both carriers send, observed every `TICK_S`. With `wait_s` the unanswered ones leave again after it;
    `by_receipts`: those alone whose receipt is negative by then.
    """

    def __init__(self, *, is_honest: bool, by_receipts: bool = False) -> None:
        self.learner = RoutingLearner()
        self._by_receipts = by_receipts
        self._is_honest = is_honest
        self._random = random.Random(5)
        self._due: dict[int, list[Delta]] = {}
        self._tick = 0

    def minutes(self, count: int, wait_s: float | None = None) -> None:
        for _tick in range(count * 60 // TICK_S):
            for carrier in REACHED:
                self._after(0, carrier, submitted=MESSAGES, sent=MESSAGES)
                for _message in range(MESSAGES):
                    self._send(carrier, wait_s)
            self._tick += 1
            self.learner.observe(self._due.pop(self._tick))
            self.learner.update(MINUTE * 60.0 + self._tick * TICK_S)

    def _send(self, carrier: int, wait_s: float | None) -> None:
        arrives = self._random.random() < REACHED[carrier]
        delay_s = self._random.lognormvariate(3.4, 0.7) if arrives and self._random.random() < WILLING else None
        is_delivered = arrives or not self._is_honest
        fact = {"delivered": 1} if is_delivered else {"undelivered": 1}
        self._after(4, carrier, receipt_bucket=bucket_of(4), **fact)
        is_due = not self._by_receipts or not is_delivered
        is_superseded = wait_s is not None and is_due and (delay_s is None or delay_s > wait_s)
        if wait_s is not None and is_superseded and self._by_receipts:
            facts = {"superseded_age_s": round(wait_s), "superseded_receipt": int(ReceiptState.LOST)}
            self._after(wait_s, carrier, superseded=1, **facts)
        if delay_s is not None:
            self._after(delay_s, carrier, converted=1, conversion_bucket=bucket_of(delay_s), resent=is_superseded)

    def _after(self, seconds: float, carrier: int, **facts: int | bool) -> None:
        """What becomes known of a message of now."""
        known = self._due.setdefault(self._tick + 1 + int(seconds // TICK_S), [])
        known.append(delta(MINUTE + self._tick * TICK_S // 60, carrier, **facts))


def rates(codes: Codes) -> list[float]:
    return [posterior.mean for posterior in codes.learner.posteriors(CELL, list(REACHED))]


def test_rates_and_delays_stay_what_they_are_when_what_failed_leaves_again() -> None:
    codes = Codes(is_honest=True, by_receipts=True)
    codes.minutes(20)
    known = codes.learner.outlook(CELL)
    codes.minutes(40, wait_s=10.0)
    assert rates(codes) == [pytest.approx(WILLING * reached, rel=0.06) for reached in REACHED.values()]
    later = codes.learner.outlook(CELL)
    assert known is not None
    assert later is not None
    for age_s in (30, 60, 120):
        shares = [share_at(each.carriers[0].answers, age_s) for each in (known, later)]
        assert shares[1] == pytest.approx(shares[0], abs=0.06)


@pytest.mark.parametrize("is_honest", [False, True])
def test_carriers_compare_as_they_do_when_all_unanswered_codes_leave_again_after_a_fixed_wait(is_honest: bool) -> None:
    codes = Codes(is_honest=is_honest)
    codes.minutes(40, wait_s=30.0)
    honest, losing = rates(codes)
    assert losing / honest == pytest.approx(REACHED[LOSING] / REACHED[HONEST], rel=0.1)


def test_an_app_whose_codes_all_leave_again_at_once_still_reports() -> None:
    codes = Codes(is_honest=True)
    codes.minutes(20)
    codes.minutes(20, wait_s=1.0)
    assert codes.learner.reporting(7, "app") == "reporting"


def test_a_thousandth_of_an_expected_answer_is_forgotten() -> None:
    delays = DelayHistograms(LearningPolicy())
    delays.advance(MINUTE * 60.0)
    delays.add((("",),), 5, 0.001, MINUTE)
    for seconds in (700.0, 1_400.0, 2_800.0):
        delays.advance(MINUTE * 60.0 + seconds)
    assert sum(delays.counts(("",))) < 0.01
