"""What a customer wants of adaptive routing."""

import msgspec


class Objective(msgspec.Struct, frozen=True):
    """What a conversion is worth to a customer, and the bounds of each carrier's share.

    With `worth_micro` (micro-units) the best carrier has the highest worth x conversion rate - cost. Without it the
    best has the lowest cost per conversion, of the carriers whose rate is at least `quality_floor` of the best rate.
    `explore_min` and `share_max` are shares 0..1. With `opted_out` the rule's candidates go by priority.
    """

    worth_micro: int | None = None
    quality_floor: float = 0.9
    explore_min: float = 0.01
    share_max: float = 1.0
    opted_out: bool = False
