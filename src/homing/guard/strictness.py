"""How much evidence a verdict of the guard needs, as operators choose it for an account. Pure."""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from homing.model import GENERAL


class Strictness(enum.IntEnum):
    LENIENT = 1
    STANDARD = 2
    STRICT = 3


EVIDENCE_NATS: Final[Mapping[Strictness, float]] = {
    Strictness.LENIENT: 2.0,
    Strictness.STANDARD: 0.0,
    Strictness.STRICT: -2.0,
}
"""What is added to the log odds that a verdict needs (`GuardPolicy.flag_nats`): with its 3 nats 150, 20 and 3 to 1. The
limits of what passes before there is a verdict follow from the same odds.
"""

CLOSED_FACTORS: Final[Mapping[Strictness, float]] = {
    Strictness.LENIENT: 0.0,
    Strictness.STANDARD: 1.0,
    Strictness.STRICT: 2.0,
}
"""Times the share of an app's people who may live in ranges that are closed (`GuardPolicy.scattered_refused`)."""


class StrictnessSettings(msgspec.Struct, frozen=True):
    """By account; GENERAL: of the accounts without a setting of their own."""

    by_account: Mapping[int, Strictness] = {}

    def of(self, account_id: int) -> Strictness:
        general = self.by_account.get(GENERAL, Strictness.STANDARD)
        return self.by_account.get(account_id, general)

    def closed_factor(self, account_id: int) -> float:
        return CLOSED_FACTORS[self.of(account_id)]

    def evidence_nats(self, account_id: int) -> float:
        return EVIDENCE_NATS[self.of(account_id)]
