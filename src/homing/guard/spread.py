"""How a network's messages spread over its ranges, and what is a crowd there. Pure (docs/internals/guard.md)."""

from math import log

from homing.guard.book import Room
from homing.guard.cells import Cell
from homing.guard.evidence import crowding, first_count
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import Range

WINDOWS = 2  # of which the one that says more is taken, at the price of so many


def crowd_of(policy: GuardPolicy, cell: Cell, found: Range, minute: int) -> tuple[float, float, float]:
    """(evidence, messages, expected) of the window that says most."""
    share, shape = _share_of(policy, cell, found, found.level)
    short, long = minute - policy.short_min, minute - policy.long_min
    best = (0.0, 0.0, 0.0)
    for since, (count, evened) in zip((short, long), found.windows(short, long), strict=True):
        expected = _others(policy, cell, since, min(count, evened)) * share
        evidence = _evidence(policy, count, expected, shape)
        if evidence > best[0]:
            best = evidence, count, expected
    return best


def room_of(policy: GuardPolicy, cell: Cell, found: Range, minute: int, need: float) -> Room | None:
    """The messages of a range in the short window, and how many there may be for less evidence than `need`; None where
    the network's limits say as much.
    """
    short = minute - policy.short_min
    (count, evened), _long = found.windows(short, short)
    if count * 2 < cell.limits[found.level] and found.history_before(cell.horizon) < 1.0:
        return None
    share, shape = _share_of(policy, cell, found, found.level)
    expected = _others(policy, cell, short, min(count, evened)) * share
    return Room(count, float(_limit(policy, expected, shape, need)))


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
    cell.limits = tuple(_limit(policy, volume * share, shape, need) for share, shape in spread)
    return True


def _others(policy: GuardPolicy, cell: Cell, since: int, mine: float) -> float:
    """The network's messages beside a range's own."""
    return max(0.0, cell.volume(since) - mine) + policy.company


def _share_of(policy: GuardPolicy, cell: Cell, found: Range | None, level: int) -> tuple[float, float]:
    """(share of the network's messages that a range is expected to have, shape of the doubt about it)."""
    own = policy.evenness + (found.history_before(cell.horizon) if found is not None else 0.0)
    share = own / (policy.evenness * cell.ranges[level] + cell.volumes.kept_n)
    return min(1.0, share), min(policy.certainty, own)


def _evidence(policy: GuardPolicy, count: float, expected: float, shape: float) -> float:
    return crowding(count, expected, shape, policy.again) - log(WINDOWS)


def _limit(policy: GuardPolicy, expected: float, shape: float, need: float) -> int:
    return first_count(
        policy.least, lambda count: count > expected and _evidence(policy, count, expected, shape) >= need
    )
