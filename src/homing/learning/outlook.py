"""What another message with the same code is worth to a person who has not answered: from the learner's curves. Pure.

docs/internals/learning.md, section 8, has the formulas. An outlook is stored by the process that learns, and used by
those that send.
"""

from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from typing import Final

import msgspec

from homing.common.histogram import EDGES_S
from homing.model import ReceiptState

AGES_S: Final = tuple(float(edge_s) for edge_s in EDGES_S[:-1])
"""Ages at which an outlook has the shares that have come by then."""
TRIALS_MIN: Final = 30.0  # messages from which a carrier's receipts say how many people could answer
LOSS_ASSUMED: Final = 0.03  # of the best carrier, where no receipts are trusted
FALSE_RECEIPT: Final = 0.05
"""Of an honest carrier's negative receipts, those that are wrong; of its lost messages, those reported as delivered; of
its delivered ones at least, those without a receipt.
"""
REACHED_MIN: Final = 1e-3
REACHED_MAX: Final = 0.995
LOOK_FIRST_S: Final = 5.0
"""After a code was sent, where it is sent again if it is likely lost."""
LOOK_GROWTH: Final = 0.5
"""The time until the next look, of the last message's age; a failure brings it forward."""
ANSWERED_MIN: Final = 0.5
"""The share of answers that must have come, unless the message failed: nothing is learnt of a carrier whose messages
are sent again sooner, and one that has become good again would not be noticed.
"""
PATIENCE_S: Final = 120.0  # assumed of people without a code: in each second one of so many gives up


class CarrierOutlook(msgspec.Struct, frozen=True):
    """A carrier in a cell. `reached`: the probability that its message reaches a person. `trust`: of its receipts.
    `receipted`: of the messages that reach people, those with a receipt. `answers`, `receipts`: the shares of answers
    and of receipts that have come by `AGES_S`.
    """

    carrier_id: int
    reached: float
    trust: float
    receipted: float
    answers: Sequence[float]
    receipts: Sequence[float]


class Outlook(msgspec.Struct, frozen=True):
    """The carriers of a cell. `willing`: the probability that a person whom a code reaches enters it."""

    willing: float
    carriers: Sequence[CarrierOutlook]


class EarlierMessage(msgspec.Struct, frozen=True):
    """A message that has carried the code. `age_s`: since it was sent."""

    carrier_id: int
    age_s: float
    receipt: ReceiptState


class ResendWorth(msgspec.Struct, frozen=True):
    """Another message by `carrier_id`. `gain`: the probability that it wins the person, who is lost otherwise;
    `answered_share`: of those who answer the last message, the share that would have done so by its age; `open_share`:
    how likely it was that nothing more than this would be known by now.
    """

    carrier_id: int
    gain: float
    answered_share: float
    open_share: float


def receipt_likelihoods(carrier: CarrierOutlook, receipt_share: float, receipt: ReceiptState) -> tuple[float, float]:
    """How likely a state is of a message that reached its person, and of one that did not (to a common factor).
    `receipt_share`: of its receipts, what has come by now.
    """
    if receipt is ReceiptState.LOST:
        return FALSE_RECEIPT * (1.0 - carrier.reached) / max(carrier.reached, REACHED_MIN), 1.0
    if receipt is ReceiptState.DELIVERED:
        return 1.0, carrier.trust * FALSE_RECEIPT + (1.0 - carrier.trust)
    return 1.0 - carrier.trust * min(1.0 - FALSE_RECEIPT, carrier.receipted) * receipt_share, 1.0


def best_resend(
    outlook: Outlook, earlier: Sequence[EarlierMessage], candidates: Container[int] | None = None
) -> ResendWorth | None:
    """What the best carrier that has not had the code would win; None where nothing is known of a carrier that had it,
    or there is no other. `candidates`: the carriers to choose from; None: all.
    """
    by_id = {carrier.carrier_id: carrier for carrier in outlook.carriers}
    tried = {message.carrier_id for message in earlier}
    others = [
        carrier
        for carrier in outlook.carriers
        if carrier.carrier_id not in tried and (candidates is None or carrier.carrier_id in candidates)
    ]
    if not earlier or not others or not tried <= by_id.keys():
        return None
    unwilling, willing, lost = 1.0 - outlook.willing, outlook.willing, outlook.willing
    answered_share = 0.0
    for message in earlier:
        carrier = by_id[message.carrier_id]
        answered_share = share_at(carrier.answers, message.age_s)
        if_reached, if_lost = receipt_likelihoods(carrier, share_at(carrier.receipts, message.age_s), message.receipt)
        reached, missed = carrier.reached * if_reached, (1.0 - carrier.reached) * if_lost
        unwilling *= reached + missed
        willing *= reached * (1.0 - answered_share) + missed
        lost *= missed
    best = max(others, key=lambda carrier: (carrier.reached, -carrier.carrier_id))
    everybody = unwilling + willing
    gain = best.reached * lost / everybody if everybody > 0 else 0.0
    return ResendWorth(best.carrier_id, gain, answered_share, everybody)


def is_better_later(
    outlook: Outlook,
    earlier: Sequence[EarlierMessage],
    resend: ResendWorth,
    *,
    price_share: float,
    wait_s: float,
) -> bool:
    """Whether waiting saves more than it loses: the price for those who answer meanwhile, or whose receipts come; and
    the people who give up meanwhile. In any case until `ANSWERED_MIN`. `resend`: the best now. `price_share`: the price
    over a converted person's worth.
    """
    if earlier[-1].receipt is not ReceiptState.LOST and resend.answered_share < ANSWERED_MIN:
        return True
    later = best_resend(outlook, older(earlier, wait_s))
    resolved = 0.0 if later is None or resend.open_share <= 0 else 1.0 - later.open_share / resend.open_share
    return resolved * price_share > resend.gain * wait_s / PATIENCE_S


def next_look_s(age_s: float) -> float:
    """Seconds until the next look. `age_s`: of the last message."""
    return max(LOOK_FIRST_S, age_s * LOOK_GROWTH)


def older(earlier: Sequence[EarlierMessage], seconds: float) -> Sequence[EarlierMessage]:
    """The messages after a time in which nothing more becomes known of them."""
    return [msgspec.structs.replace(message, age_s=message.age_s + seconds) for message in earlier]


def share_at(shares: Sequence[float], age_s: float) -> float:
    """The share that has come by an age: linear between `AGES_S`, 1 after them."""
    if age_s <= 0:
        return 0.0
    after = bisect_left(AGES_S, age_s)
    if after == len(AGES_S):
        return 1.0
    start_s, start = (AGES_S[after - 1], shares[after - 1]) if after else (0.0, 0.0)
    return start + (shares[after] - start) * (age_s - start_s) / (AGES_S[after] - start_s)


def age_of_gain(
    outlook: Outlook,
    earlier: Sequence[EarlierMessage],
    gain_min: float,
    life_s: float,
    candidates: Container[int] | None = None,
) -> float | None:
    """Seconds from now until the gain reaches `gain_min` if nothing more becomes known, within `life_s`; None: never.
    The gain rises with age, since the answers still to come become fewer.
    """

    def gain_after(seconds: float) -> float:
        worth = best_resend(outlook, older(earlier, seconds), candidates)
        return 0.0 if worth is None else worth.gain

    if gain_after(life_s) < gain_min:
        return None
    soonest, latest = 0.0, life_s
    while latest - soonest > 1.0:
        middle = (soonest + latest) / 2
        soonest, latest = (soonest, middle) if gain_after(middle) >= gain_min else (middle, latest)
    return latest


def willingness(rates: Mapping[int, float], delivered: Mapping[int, float]) -> float:
    """The probability that a person whom a code reaches enters it. `rates`: conversions per message by carrier;
    `delivered`: of those whose receipts are trusted, the delivered share. Receipts get lost, so that the lowest
    quotient is the best estimate; nobody converts more often than people are willing.
    """
    highest = max(rates.values())
    by_receipts = [rates[carrier_id] / share for carrier_id, share in delivered.items() if share > 0]
    willing = min(by_receipts) if by_receipts else highest / (1.0 - LOSS_ASSUMED)
    return min(REACHED_MAX, max(highest, willing))
