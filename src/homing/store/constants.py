"""Enumerations and constants that statements use by name."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homing import limits
from homing.model import (
    GENERAL,
    CheckOutcome,
    GuardAction,
    LedgerAccount,
    LimitScope,
    Outcome,
    PeriodGrain,
    PostingKind,
    PushKind,
    PushLane,
    PushOutcome,
    QueueLane,
    ReceiptState,
    Strategy,
    UserRole,
    VerificationStatus,
)
from homing.states import MessageState

ENUMS: Final[Mapping[str, type[enum.IntEnum]]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            LedgerAccount,
            PostingKind,
            GuardAction,
            Outcome,
            PeriodGrain,
            PushKind,
            PushLane,
            PushOutcome,
            QueueLane,
            ReceiptState,
            MessageState,
            Strategy,
            UserRole,
            CheckOutcome,
            LimitScope,
            VerificationStatus,
        )
    }
)
NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "GENERAL": GENERAL,
        "CODE_ATTEMPTS_MAX": limits.CODE_ATTEMPTS_MAX,
        "LANES_PER_CARRIER": limits.LANES_PER_CARRIER,
        "PUSH_LANES": limits.PUSH_LANES,
    }
)
