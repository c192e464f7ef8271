"""What the fraud model publishes to the accepting processes: verdicts, and how much passes before there is one."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.common.mixing import mix64
from homing.guard.policy import LEVELS
from homing.reasons import Reason
from homing.statistics.delta import Delta

NetworkKey = tuple[int, str, str]
"""Account, app, network (MCC and MNC)."""
RangeKey = tuple[int, str, str, str]
"""Account, app, network, and the range's first digits."""
AddressKey = tuple[int, str, int]
"""Account, app, and the hash of an end user's address or of its prefix (guard/end_users.py)."""
WHOLE_NETWORK: Final = ""
"""In place of a range's digits."""


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """A range or network is taken for fraud (SMS pumping) from `since_s` until `until_s`, unix times. Without
    `may_block` the app's conversions are not reported: density alone is no reason to block.
    """

    reason: Reason
    since_s: float
    until_s: float
    may_block: bool = True


class Allowance(msgspec.Struct, frozen=True, array_like=True):
    """Messages that were counted lately, and the number from which no more pass until the next snapshot."""

    counted: float
    limit: float


class ClosedRanges(msgspec.Struct, frozen=True, array_like=True):
    """That a `share` (0..1) of a network's ranges is closed, but for the `open_ranges` (their digits). Which they are
    is drawn by `salt`, which nobody outside knows: no other try opens one.
    """

    share: float
    salt: int
    open_ranges: frozenset[str]

    def has(self, digits: str) -> bool:
        if digits in self.open_ranges:
            return False
        return mix64(int(digits) ^ self.salt) < self.share * 2.0**64


class NetworkLimits(msgspec.Struct, frozen=True, array_like=True):
    """Limits of an app's messages to a network. `ranges`: by level, for ranges without an allowance of their own.
    `network` and `country`: their unverified messages; None: no limit. `may_block` as in `Verdict`. `is_seen`: people
    of this network converted before. `notice`: what an operator is to know of the network, and which blocks nothing.
    `closed`: to which ranges nothing passes, while an attack is scattered over the network.
    """

    ranges: tuple[int, ...]
    network: Allowance | None
    country: Allowance | None
    verdict: Verdict | None = None
    may_block: bool = True
    is_seen: bool = False
    notice: Verdict | None = None
    closed: ClosedRanges | None = None


class UnseenPlaces(msgspec.Struct, array_like=True):
    """An app's networks where hardly anybody converted: messages without a conversion that were counted of late in all
    of them and by country, and from which number no more pass.
    """

    limit: float
    country_limit: float
    counted: float = 0.0
    countries: dict[str, float] = {}


class AddressStanding(msgspec.Struct, frozen=True, array_like=True):
    """An end user's address or prefix: its verdict, or how many unverified messages of its last minutes were counted,
    and from which number no more pass.
    """

    verdict: Verdict | None
    counted: float
    limit: float


class BudgetUsage(msgspec.Struct, frozen=True, array_like=True):
    """An account's messages and money to a country, in an hour and on a day of UTC, each as periods since 1970."""

    hour: int
    hour_messages: int
    hour_micro: int
    day: int
    day_messages: int
    day_micro: int


class GuardSnapshot(msgspec.Struct, frozen=True):
    """The model's conclusions at one moment. Immutable; the next snapshot replaces it as a whole."""

    made_s: float = 0.0  # unix time
    networks: Mapping[NetworkKey, NetworkLimits] = {}
    verdicts: Mapping[RangeKey, Verdict] = {}
    allowances: Mapping[RangeKey, Allowance] = {}
    usage: Mapping[tuple[int, str], BudgetUsage] = {}  # by account and country
    reporting_apps: Set[tuple[int, str]] = frozenset()  # (account, app) whose conversions are reported
    due_probes: Set[RangeKey] = frozenset()  # what is flagged and of which one message is to pass
    addresses: Mapping[AddressKey, AddressStanding] = {}
    unseen: Mapping[tuple[int, str], UnseenPlaces] = {}  # by account and app; none of an app that is new itself

    def without_fraud(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """The deltas of messages that `is_fraud` does not hold of."""
        return [delta for delta in deltas if not self.is_fraud(delta)] if self.verdicts else deltas

    def is_fraud(self, delta: Delta) -> bool:
        """Whether messages were submitted to a range after it was flagged. Their missing conversions say nothing about
        the carrier.
        """
        for cut in LEVELS:
            digits = delta.block[: len(delta.block) + LEVELS[0] - cut]
            verdict = self.verdicts.get((delta.account_id, delta.app_id, delta.network, digits))
            if verdict is not None:
                return verdict.may_block and delta.minute > verdict.since_s // 60
        return False


class _EncodedSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """A snapshot as MessagePack holds it, whose maps cannot have tuples as keys."""

    made_s: float
    networks: list[tuple[NetworkKey, NetworkLimits]]
    verdicts: list[tuple[RangeKey, Verdict]]
    allowances: list[tuple[RangeKey, Allowance]]
    usage: list[tuple[tuple[int, str], BudgetUsage]]
    reporting_apps: list[tuple[int, str]]
    due_probes: list[RangeKey]
    addresses: list[tuple[AddressKey, AddressStanding]] = []  # none in a snapshot of before there were any
    unseen: list[tuple[tuple[int, str], UnseenPlaces]] = []  # likewise


def encode_snapshot(snapshot: GuardSnapshot, ranges_max: int) -> bytes:
    """For other processes. At most `ranges_max` verdicts, the latest, and as many allowances, probes and
    addresses.
    """
    verdicts = sorted(snapshot.verdicts.items(), key=lambda pair: -pair[1].since_s)[:ranges_max]
    encoded = _EncodedSnapshot(
        made_s=snapshot.made_s,
        networks=list(snapshot.networks.items()),
        verdicts=verdicts,
        allowances=list(snapshot.allowances.items())[:ranges_max],
        usage=list(snapshot.usage.items()),
        reporting_apps=list(snapshot.reporting_apps),
        due_probes=list(snapshot.due_probes)[:ranges_max],
        addresses=list(snapshot.addresses.items())[-ranges_max:],  # the flagged ones stand last
        unseen=list(snapshot.unseen.items()),
    )
    return msgspec.msgpack.encode(encoded)


def decode_snapshot(encoded: bytes) -> GuardSnapshot:
    """Raises `msgspec.DecodeError` for a snapshot of another release."""
    decoded = msgspec.msgpack.decode(encoded, type=_EncodedSnapshot)
    return GuardSnapshot(
        made_s=decoded.made_s,
        networks=dict(decoded.networks),
        verdicts=dict(decoded.verdicts),
        allowances=dict(decoded.allowances),
        usage=dict(decoded.usage),
        reporting_apps=frozenset(decoded.reporting_apps),
        due_probes=frozenset(decoded.due_probes),
        addresses=dict(decoded.addresses),
        unseen=dict(decoded.unseen),
    )
