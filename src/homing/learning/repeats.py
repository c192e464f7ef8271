"""People who request a code again within minutes: the evidence of arrival that no carrier can invent. Pure.

A person who got no code requests another with the probability a, which is learnt of each app from messages that
carriers themselves report as lost. A carrier of whose messages the share q is repeated then delivers 1 - q/a of them,
to a factor that all carriers of the app share. docs/internals/learning.md, section 4, has the formulas.
"""

from typing import Final

import msgspec

from homing.common.histogram import bucket_of
from homing.learning.delays import DelayBounds
from homing.learning.policy import LearningPolicy

REPEAT_WINDOW_S: Final = 300.0
"""A later request is another visit: codes live five to ten minutes, and who waits longer has left."""
REPEAT_LOOKBACK_S: Final = 1_800.0
"""Where an app stops reporting, or this process is new, so much of the past is read."""
REPEAT_READ_S: Final = 15.0
"""Between two reads of the messages that are repeats."""
LOST_SOON_S: Final = 30.0
"""A receipt that says lost by then came before people usually ask again, so that it is known which of them did."""
LOST_SOON_BUCKET: Final = bucket_of(LOST_SOON_S)


class RepeatTerms(msgspec.Struct, frozen=True):
    """How the repeats of an app count as evidence. `from_minute`: since when they are observed. `share`: a, 0 while it
    is not known. `scale`: how many conversions an arrival stands for; None: the app has never reported any, and
    arrivals stand in their place.
    """

    curves: DelayBounds
    from_minute: int
    share: float
    scale: float | None


class AppRepeats:
    """Of one app: how often people without a code ask again (a), and whether that is known."""

    def __init__(self, policy: LearningPolicy) -> None:
        self._policy = policy
        self._open: dict[int, list[float]] = {}  # by minute: messages lost soon, those of them that were repeated
        self._lost = 0.0
        self._lost_repeated = 0.0
        self._highest = 0.0
        self._updated_s: float | None = None
        self.share = policy.repeat_share
        self.is_known = False

    def observe(self, minute: int, lost: float, lost_repeated: float) -> None:
        """Messages of a minute that a carrier reported as lost within LOST_SOON_S, and those of them repeated."""
        pair = self._open.setdefault(minute, [0.0, 0.0])
        pair[0] += lost
        pair[1] += lost_repeated

    def update(self, now_s: float, highest: float) -> None:
        """`highest`: the largest share of messages repeated of any carrier of the app, 0..1, of which a is no less."""
        policy = self._policy
        decay = 0.5 ** (max(0.0, now_s - (self._updated_s or now_s)) / policy.delays_half_life_s)
        self._updated_s = now_s
        self._lost *= decay
        self._lost_repeated *= decay
        closed = int((now_s - REPEAT_WINDOW_S) // 60) - 1
        for minute in [minute for minute in self._open if minute <= closed]:
            lost, repeated = self._open.pop(minute)
            self._lost = max(0.0, self._lost + lost)
            self._lost_repeated = max(0.0, self._lost_repeated + repeated)
        strength = policy.repeat_strength
        of_lost = (self._lost_repeated + strength * policy.repeat_share) / (self._lost + strength)
        self.share = min(1.0, max(of_lost, highest))
        by_lost = self._lost >= strength and of_lost >= policy.repeat_share_min
        self.is_known = by_lost or highest >= policy.repeat_share_min
