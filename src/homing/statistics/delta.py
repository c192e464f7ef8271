"""A delta: one change of the figures, from which statistics, routing and the guard learn. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from homing.common import ids

PREFIX_DIGITS: Final = 6
"""The digits of a number that cells distinguish."""
BLOCK_DIGITS: Final = 3
"""The last digits of a number, which a block of a thousand numbers leaves off."""


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A change of the figures of one or more messages that share everything up to `sender`.

    It counts for the minute of the messages' submit, whenever it happened, so that a rate is always of the messages of
    one time. Counts may be negative: a message that moves to another carrier takes its submit with it.
    """

    minute: int  # unix minute of the submit, which is the id's time
    account_id: int
    app_id: str
    country: str  # ISO 3166; '': unknown
    network: str  # MCC and MNC as digits
    block: str  # the number without its last three digits
    carrier_id: int  # the message's current carrier
    sender: str
    submitted: int = 0  # messages, not segments
    sent: int = 0  # accepted by a carrier
    delivered: int = 0
    undelivered: int = 0  # any other final state
    converted: int = 0  # conversions credited to the message
    refused: int = 0  # attempts that this carrier refused, deferred or did not answer
    cost_micro: int = 0  # segments x the carrier's cost, counted when sent; 0 where it is unknown
    revenue_micro: int = 0  # the charge less refunds
    receipt_bucket: int = -1  # of seconds from sent to the final receipt (common/histogram.py); -1: none
    conversion_bucket: int = -1  # of seconds from submit to conversion; -1: none
    superseded: int = 0  # messages whose code has left again before anybody entered it, but not after a fixed wait
    superseded_age_s: int = -1  # how long after their submit; -1: none
    superseded_receipt: int = 0  # what was known of them then (model.ReceiptState)
    repeated: int = 0  # messages after which another was requested for the same number within minutes
    repeated_lost: int = 0  # those of them that their carrier had reported as lost soon (learning/repeats.py)
    repeat_bucket: int = -1  # of seconds from submit to the next request; -1: none
    resent: bool = False  # of a message that carries a code again, or a conversion that may be of either of two

    @property
    def prefix(self) -> str:
        """The number's first digits, as cells distinguish them."""
        return self.block[:PREFIX_DIGITS]


FIGURES: Final = (
    "submitted",
    "sent",
    "delivered",
    "undelivered",
    "converted",
    "refused",
    "cost_micro",
    "revenue_micro",
)
"""The fields of a delta that are summed."""


def minute_of(message_id: int) -> int:
    """The unix minute in which a message was submitted."""
    return ids.id_time_ms(message_id) // 60_000


def block_of(number: str) -> str:
    """A number's range of a thousand."""
    return number[:-BLOCK_DIGITS]


def totals(deltas: Iterable[Delta]) -> dict[str, int]:
    """The sum of each figure."""
    sums = dict.fromkeys(FIGURES, 0)
    for delta in deltas:
        for figure in FIGURES:
            sums[figure] += getattr(delta, figure)
    return sums
