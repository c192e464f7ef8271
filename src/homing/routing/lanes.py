"""Queue lanes: each carrier has one lane per traffic class, so that codes and campaigns do not delay each other."""

from homing import limits


def lane_of(carrier_id: int, traffic: int) -> int:
    """The lane of a carrier's traffic class. Lane 0 belongs to no carrier: sent messages wait there for receipts."""
    return carrier_id * limits.LANES_PER_CARRIER + traffic
