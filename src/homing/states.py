"""The life cycle of a message as one table: its states and their transitions.

`queued → sending → sent → delivered | undeliverable | expired | rejected | failed | unknown`, monotone: an event moves
a message only to a state of higher rank, so that late and repeated events change nothing. `unknown` ranks below
the final states because a receipt may still settle it. (docs/internals/life-of-a-message.md)
"""

import enum
from dataclasses import dataclass
from typing import Final


class MessageState(enum.IntEnum):
    """Stored as a small integer; never renumber."""

    QUEUED = 0
    SENDING = 1
    SENT = 2
    DELIVERED = 3
    UNDELIVERABLE = 4
    EXPIRED = 5
    REJECTED = 6
    FAILED = 7
    UNKNOWN = 8


@dataclass(frozen=True, slots=True)
class StateFacts:
    """One row of the table.

    rank: an event may only raise it. final: no later receipt changes it. refunded: the charge is refunded
    independent of the account's policy.
    """

    rank: int
    final: bool
    refunded: bool


TABLE: Final[dict[MessageState, StateFacts]] = {
    MessageState.QUEUED: StateFacts(0, False, False),
    MessageState.SENDING: StateFacts(1, False, False),
    MessageState.SENT: StateFacts(2, False, False),
    MessageState.UNKNOWN: StateFacts(3, False, False),
    MessageState.DELIVERED: StateFacts(4, True, False),
    MessageState.UNDELIVERABLE: StateFacts(4, True, False),
    MessageState.EXPIRED: StateFacts(4, True, True),
    MessageState.REJECTED: StateFacts(4, True, True),
    MessageState.FAILED: StateFacts(4, True, True),
}

RANKS: Final = [TABLE[state].rank for state in MessageState]
FINAL_STATES: Final = tuple(int(state) for state in MessageState if TABLE[state].final)


def may_move(current: MessageState, to: MessageState) -> bool:
    """Whether an event may take a message from one state to another."""
    return TABLE[to].rank > TABLE[current].rank


def is_refunded(state: MessageState, refund_undeliverable: bool) -> bool:
    """Whether a message that ends in `state` is refunded under the account's policy."""
    return TABLE[state].refunded or (state is MessageState.UNDELIVERABLE and refund_undeliverable)
