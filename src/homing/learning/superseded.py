"""What a message still counts for whose code has left again in another one. An answer from then on may be of either,
and counts for neither. Pure.

docs/internals/learning.md, section 9, has the formulas.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing.common.histogram import BUCKETS
from homing.learning.outlook import AGES_S, Outlook, receipt_likelihoods, share_at
from homing.model import ReceiptState

NO_DELAYS: Final[Sequence[float]] = (0.0,) * BUCKETS


class Withdrawal(msgspec.Struct, frozen=True):
    """Of one superseded message. `withdrawn`: how many messages go out of its cohort; `settled`: the exposure that they
    leave. `unseen`: by bucket of delays (common/histogram.py) the probability that it would have been answered then.
    """

    withdrawn: float
    settled: float
    unseen: Sequence[float]


UNKNOWN: Final = Withdrawal(1.0, 0.0, NO_DELAYS)
"""While no delays are known nothing has come of a fresh message: it leaves no exposure."""


def withdrawal(outlook: Outlook | None, *, carrier_id: int, age_s: float, receipt: ReceiptState) -> Withdrawal:
    """Of a message that nobody had answered when its code left again, at an age. `outlook`: of its cell. `receipt`:
    what was known of it then.

    A receipt that says delivered is not believed: were it false, the carrier would seem ever better by it.
    """
    carriers = () if outlook is None else outlook.carriers
    carrier = next((each for each in carriers if each.carrier_id == carrier_id), None)
    if outlook is None or carrier is None:
        return UNKNOWN
    answered = share_at(carrier.answers, age_s)
    if_reached, if_lost = 1.0, 1.0
    if receipt is not ReceiptState.DELIVERED:
        if_reached, if_lost = receipt_likelihoods(carrier, share_at(carrier.receipts, age_s), receipt)
    # With this receipt and unanswered: those who would not answer, those who would later, and those it did not reach.
    unanswered = carrier.reached * if_reached * (1.0 - outlook.willing * answered) + (1.0 - carrier.reached) * if_lost
    if unanswered <= 0.0:
        return UNKNOWN
    withdrawn = if_reached / unanswered
    return Withdrawal(
        withdrawn,
        withdrawn * answered,
        _later(carrier.answers, answered, withdrawn * outlook.willing * carrier.reached),
    )


def _later(answers: Sequence[float], answered: float, factor: float) -> Sequence[float]:
    """By bucket what comes of `answers` above the share `answered`, times a factor."""
    delays = [0.0] * BUCKETS
    before = answered
    for bucket in range(len(AGES_S)):
        share = max(before, answers[bucket])
        delays[bucket], before = (share - before) * factor, share
    return delays
