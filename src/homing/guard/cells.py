"""What the mind keeps of an app's messages to a network and to a country. Pure."""

from typing import Final

from homing.guard.apps import Votes
from homing.guard.book import Verdict
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import C, Cohorts, N
from homing.routing.beliefs import CellKey
from homing.statistics.delta import Delta

HOUR_MIN: Final = 60


class Area(Cohorts):
    """A network or a country as one app's messages reach it, without the ranges that are judged."""

    __slots__ = ("busiest", "came", "hour", "hour_c", "verdict")

    def __init__(self) -> None:
        super().__init__()
        self.came = 0.0  # conversions ever, decayed with history
        self.busiest = 0.0  # conversions of the busiest hour, decayed
        self.hour, self.hour_c = 0, 0.0
        self.verdict: Verdict | None = None

    def hear(self, delta: Delta) -> None:
        cohort = self.cohort(delta.minute, delta.submitted > 0)
        cohort[N] += delta.submitted
        cohort[C] += delta.converted
        if delta.converted:
            hour = delta.minute // HOUR_MIN
            if hour != self.hour:
                self.busiest = max(self.busiest * 0.99, self.hour_c)
                self.hour, self.hour_c = hour, 0.0
            self.hour_c += delta.converted
            self.came += delta.converted


class Cell(Area):
    """An app's messages to a network: its ranges, how they spread, what rate is to be expected."""

    __slots__ = (
        "active_s",
        "carriers",
        "evened",
        "is_touched",
        "judged",
        "key",
        "limits",
        "limits_for",
        "live",
        "live_pairs",
        "near",
        "pairs",
        "rate",
        "volumes",
        "votes",
    )

    def __init__(self, key: CellKey, policy: GuardPolicy) -> None:
        super().__init__()
        self.key = key
        self.carriers: dict[int, float] = {}
        self.votes = Votes()
        self.volumes = Cohorts()  # of each range no more than the limit in ten minutes
        self.pairs = [0.0] * len(LEVELS)
        self.evened = 0.0  # messages of history
        self.live_pairs = [0.0] * len(LEVELS)  # as pairs and evened, of everything up to now
        self.live = 0.0
        self.judged: dict[str, float] = {}  # digits -> when
        self.near: set[str] = set()  # ranges of a hundred thousand in which one is judged
        self.limits: tuple[int, ...] = (policy.least * 2,) * len(LEVELS)
        self.limits_for = (0.0, 0.0)  # the volume and the evidence needed that they were worked out for
        self.rate = 0.0
        self.active_s = 0.0
        self.is_touched = True
