"""Queue lanes: a carrier's traffic waits in its own, codes apart from campaigns, so that neither holds up the other."""

from homing import limits


def lane_of(carrier_id: int, traffic: int) -> int:
    """The lane of a carrier's traffic. Lane 0 is nobody's: there sent messages wait for their receipt."""
    return carrier_id * limits.LANES_PER_CARRIER + traffic
