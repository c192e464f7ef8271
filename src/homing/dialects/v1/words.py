"""What this API calls the states of messages and verifications."""

from collections.abc import Mapping
from typing import Final, Literal

from homing.model import PushOutcome, VerificationStatus
from homing.states import MessageState

MessageStatus = Literal[
    "queued",
    "sending",
    "sent",
    "delivered",
    "undeliverable",
    "expired",
    "rejected",
    "failed",
    "unknown",
    "cancelled",
]
CANCELLED: Final = "cancelled"
STATUSES: Final[Mapping[MessageState, MessageStatus]] = {
    MessageState.QUEUED: "queued",
    MessageState.SENDING: "sending",
    MessageState.SENT: "sent",
    MessageState.DELIVERED: "delivered",
    MessageState.UNDELIVERABLE: "undeliverable",
    MessageState.EXPIRED: "expired",
    MessageState.REJECTED: "rejected",
    MessageState.FAILED: "failed",
    MessageState.UNKNOWN: "unknown",
}
"""A message's status. One that its customer cancelled has failed, and is shown as `cancelled`."""
VerificationWord = Literal["pending", "verified", "failed", "cancelled", "expired"]
VERIFICATION_WORDS: Final[Mapping[VerificationStatus, VerificationWord]] = {
    VerificationStatus.PENDING: "pending",
    VerificationStatus.VERIFIED: "verified",
    VerificationStatus.FAILED: "failed",
    VerificationStatus.CANCELLED: "cancelled",
}
EventTypeWord = Literal[
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.unknown",
    "message.inbound",
    "verification.verified",
    "verification.failed",
    "verification.expired",
    "balance.low",
    "quota.warning",
    "webhook.disabled",
]
"""`EventType`'s, for the type checker and the description."""
TestableTypeWord = Literal["webhook.test", EventTypeWord]
DeliveryWord = Literal["pending", "delivered", "failed", "superseded"]
DELIVERY_WORDS: Final[Mapping[PushOutcome, DeliveryWord]] = {
    PushOutcome.PENDING: "pending",
    PushOutcome.ACKNOWLEDGED: "delivered",
    PushOutcome.GIVEN_UP: "failed",
    PushOutcome.SUPERSEDED: "superseded",
}
