"""Which carrier takes a message: pure, from candidates and a draw, so that every choice can be told and replayed."""

from homing.kit.spread import mix
from homing.routing.tariff import Candidate, Candidates


def choose(candidates: Candidates, draw: int) -> Candidate:
    """The best priority's rows share the traffic by weight; `draw` is any integer, the message's id for one."""
    best = candidates.best
    if len(best) == 1:
        return best[0]
    ticket = mix(draw) % candidates.best_weight
    for row in best:
        ticket -= row.weight
        if ticket < 0:
            return row
    raise AssertionError("a ticket is always below the sum of the weights")
