"""The outbox's bodies for customers' SMPP sessions. They are encoded as PDUs when they are delivered."""

from typing import Final

import msgspec

ALL: Final = 1  # registered_delivery (SMPP 3.4, section 5.2.17)
FAILURES: Final = 2
INTERMEDIATE: Final = 0x10

LANE: Final = -1
"""The outbox's lane for all sessions: its rows are claimed by account."""


class ReceiptBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A delivery receipt, or with `is_intermediate` an intermediate notification.

    `message_id`: as submit_sm_resp gave it. `submitted_s` and `done_s`: Unix time. `reference`: the customer's
    user_message_reference. `beginning`: of the text.
    """

    message_id: str
    number: str
    sender: str
    state: int
    submitted_s: int
    done_s: int
    error_code: str | None = None
    beginning: str = ""
    reference: int | None = None
    is_intermediate: bool = False


class InboundBody(msgspec.Struct, frozen=True):
    """An inbound message: from `number` to one of the account's senders."""

    number: str
    recipient: str
    content: str
