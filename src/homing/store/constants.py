"""What statements call by its name instead of by its number."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homing import limits, model
from homing.states import MessageState

ENUMS: Final[Mapping[str, type[enum.IntEnum]]] = MappingProxyType(
    {
        "LedgerAccount": model.LedgerAccount,
        "PostingKind": model.PostingKind,
        "GuardAction": model.GuardAction,
        "Outcome": model.Outcome,
        "PeriodGrain": model.PeriodGrain,
        "PushKind": model.PushKind,
        "PushLane": model.PushLane,
        "PushOutcome": model.PushOutcome,
        "QueueLane": model.QueueLane,
        "MessageState": MessageState,
        "Strategy": model.Strategy,
        "UserRole": model.UserRole,
    }
)
NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "GENERAL": model.GENERAL,
        "LANES_PER_CARRIER": limits.LANES_PER_CARRIER,
        "PUSH_LANES": limits.PUSH_LANES,
    }
)
