"""How a network's messages spread over its ranges, and what is a crowd there. Pure (docs/internals/guard.md)."""

from math import log

import msgspec

from homing.guard.book import Room
from homing.guard.cells import Cell
from homing.guard.evidence import crowding, first_count
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import Range

WINDOWS = 2  # of which the one that says more is taken, at the price of so many


class Crowd(msgspec.Struct, frozen=True):
    """A range's messages against its share of the network's: the `evidence` of the window that says most, where `count`
    came and `usual` were expected. `short` and `short_usual`: those of the short window; `shape`: of the doubt.
    """

    evidence: float
    count: float
    usual: float
    short: float
    short_usual: float
    shape: float
    is_known: bool  # has a message of history, so that the network's limits are not its own


def crowd_of(policy: GuardPolicy, cell: Cell, found: Range, minute: int) -> Crowd:
    own, share, shape = _share_of(policy, cell, found, found.level)
    short, long = minute - policy.short_min, minute - policy.long_min
    windows = found.windows(short, long)
    usual = [
        _others(policy, cell, since, min(count, evened)) * share
        for since, (count, evened) in zip((short, long), windows, strict=True)
    ]
    evidence = [
        _evidence(policy, count, expected, shape) for (count, _evened), expected in zip(windows, usual, strict=True)
    ]
    most = 1 if evidence[1] > evidence[0] else 0
    says_nothing = evidence[most] <= 0.0
    return Crowd(
        max(0.0, evidence[most]),
        0.0 if says_nothing else windows[most][0],
        0.0 if says_nothing else usual[most],
        windows[0][0],
        usual[0],
        shape,
        own >= policy.evenness + 1.0,
    )


def room_of(policy: GuardPolicy, cell: Cell, level: int, crowd: Crowd, need: float) -> Room | None:
    """The messages of a range in the short window, and how many there may be for less evidence than `need`; None where
    the network's limits say as much.
    """
    if crowd.short * 2 < cell.limits[level] and not crowd.is_known:
        return None
    return Room(crowd.short, float(_limit(policy, crowd.short_usual, crowd.shape, need)))


def set_limits(policy: GuardPolicy, cell: Cell, minute: int, need: float) -> bool:
    """How many messages a range that nothing is known of may have in the short window for less evidence than `need`.
    Whether that was worked out anew: it is where the network's messages have changed by a tenth.
    """
    volume = _others(policy, cell, minute - policy.short_min, 0.0)
    known_volume, known_need = cell.limits_for
    if need == known_need and abs(volume - known_volume) < 0.1 * volume:
        return False
    cell.limits_for = volume, need
    spread = [_share_of(policy, cell, None, level) for level in range(len(LEVELS))]
    cell.limits = tuple(_limit(policy, volume * share, shape, need) for _own, share, shape in spread)
    return True


def _others(policy: GuardPolicy, cell: Cell, since: int, mine: float) -> float:
    """The network's messages beside a range's own."""
    return max(0.0, cell.volume(since) - mine) + policy.company


def _share_of(policy: GuardPolicy, cell: Cell, found: Range | None, level: int) -> tuple[float, float, float]:
    """(a range's own weight, the share of the network's messages that it is expected to have, shape of the doubt)."""
    own = policy.evenness + (found.history_before(cell.horizon) if found is not None else 0.0)
    share = own / (policy.evenness * cell.ranges[level] + cell.volumes.kept_n)
    return own, min(1.0, share), min(policy.certainty, own)


def _evidence(policy: GuardPolicy, count: float, expected: float, shape: float) -> float:
    return crowding(count, expected, shape, policy.again) - log(WINDOWS)


def _limit(policy: GuardPolicy, expected: float, shape: float, need: float) -> int:
    return first_count(
        policy.least, lambda count: count > expected and _evidence(policy, count, expected, shape) >= need
    )
