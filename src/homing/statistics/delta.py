"""One change of what is counted: the fact that statistics, learning and the guard all hear of. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from homing.common import ids

PREFIX_DIGITS: Final = 6
"""Of a number, in the cells that are kept."""
BLOCK_DIGITS: Final = 3
"""A number's last ones, that a block of a thousand leaves off."""


class Delta(msgspec.Struct, frozen=True, gc=False):
    """What changed, of one or more messages that share everything up to `sender`.

    It counts for the minute of the message's submit, whenever it happened: a rate is one of the messages of a time, and
    the later facts about them find their own cohort. Counts may be negative: a message that moves to another carrier
    takes its submit with it.
    """

    minute: int  # unix minute of the submit, which is the id's time
    account_id: int
    app_id: str
    country: str  # ISO 3166; '': unknown
    network: str  # MCC and MNC as digits, as in `routing.rules.Wanted`
    block: str  # the number without its last three digits
    carrier_id: int  # the one that the message stands on now
    sender: str
    submitted: int = 0  # messages, not segments
    sent: int = 0  # a carrier took it
    delivered: int = 0
    undelivered: int = 0  # any other final state
    converted: int = 0  # credited to this message
    refused: int = 0  # attempts that this carrier refused, put off or left unanswered
    cost_micro: int = 0  # segments x the carrier's cost, booked when sent; 0 where it is unknown
    revenue_micro: int = 0  # the charge without what was given back
    receipt_bucket: int = -1  # of seconds from sent to the final receipt (common/histogram.py); -1: not told
    conversion_bucket: int = -1  # of seconds from submit to conversion; -1: not told

    @property
    def prefix(self) -> str:
        """The number's first digits, by which cells are kept."""
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
"""The fields of a delta that add up."""


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
