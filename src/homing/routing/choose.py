"""Which carrier takes a message: pure, from candidates and a draw, so that every choice can be told and replayed."""

from collections.abc import Sequence

from homing.kit.spread import mix
from homing.routing.tariff import Candidate


def choose(candidates: Sequence[Candidate], draw: int) -> Candidate | None:
    """The best priority's rows share the traffic by weight; `draw` is any integer, the message's id for one.

    `candidates` come best priority first. None when there are none.
    """
    if not candidates:
        return None
    first = candidates[0]
    if len(candidates) == 1 or candidates[1].priority != first.priority:
        return first
    equals = [row for row in candidates if row.priority == first.priority]
    ticket = mix(draw) % sum(row.weight for row in equals)
    for row in equals:
        ticket -= row.weight
        if ticket < 0:
            return row
    raise AssertionError("a ticket is always below the sum of the weights")
