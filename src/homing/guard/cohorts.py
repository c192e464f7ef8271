"""Messages of a number range, network or country by the minute of their submit. Pure."""

from collections.abc import Sequence
from typing import Final

GUARD_FINE_MINUTES: Final = 90  # for which each minute is a cohort of its own
GUARD_COARSE_MINUTES: Final = 30  # that older cohorts are merged into
NOT_FIXED: Final = -1.0  # the exposure of a cohort that is not old yet


class Cohort:
    """The messages that were submitted in one minute, or, once they are old, in one half hour.

    A plain slotted class: a msgspec.Struct takes twice as long to have its attributes set, which every delta does.
    """

    __slots__ = ("capped_messages", "conversions", "exposure", "messages", "voting_conversions", "voting_messages")

    def __init__(
        self,
        messages: float = 0.0,
        conversions: float = 0.0,
        capped_messages: float = 0.0,
        voting_messages: float = 0.0,
        voting_conversions: float = 0.0,
        exposure: float = NOT_FIXED,
    ) -> None:
        """`capped_messages`: of each ten minutes no more than the range's limit, so that a crowd does not vouch for
        itself. `voting_messages`: of each ten minutes two at most. `exposure`: messages whose silence counts, fixed
        once the cohort is old; `NOT_FIXED` until then.
        """
        self.messages = messages
        self.conversions = conversions
        self.capped_messages = capped_messages
        self.voting_messages = voting_messages
        self.voting_conversions = voting_conversions
        self.exposure = exposure

    def add(self, other: "Cohort") -> None:
        """Both have a fixed exposure."""
        self.messages += other.messages
        self.conversions += other.conversions
        self.capped_messages += other.capped_messages
        self.voting_messages += other.voting_messages
        self.voting_conversions += other.voting_conversions
        self.exposure += other.exposure

    def subtract(self, other: "Cohort") -> None:
        """Down to 0."""
        self.messages = max(0.0, self.messages - other.messages)
        self.conversions = max(0.0, self.conversions - other.conversions)
        self.capped_messages = max(0.0, self.capped_messages - other.capped_messages)
        self.voting_messages = max(0.0, self.voting_messages - other.voting_messages)
        self.voting_conversions = max(0.0, self.voting_conversions - other.voting_conversions)
        if self.exposure > 0.0 and other.exposure > 0.0:
            self.exposure = max(0.0, self.exposure - other.exposure)

    def exposure_now(self, age_min: int, weights: Sequence[float]) -> float:
        """Messages whose silence counts, where it is not fixed by their age. Of what is too old for a weight, none."""
        if self.exposure >= 0.0:
            return self.exposure
        return self.messages * weights[max(0, age_min)] if age_min < len(weights) else 0.0


class CohortSeries:
    """Cohorts by their first unix minute. Old minutes are merged into half hours; what leaves the long window is left
    as three decaying sums.
    """

    __slots__ = ("archived_conversions", "archived_exposure", "archived_messages", "cohorts")

    def __init__(self) -> None:
        self.cohorts: dict[int, Cohort] = {}
        self.archived_messages = self.archived_exposure = self.archived_conversions = 0.0

    def cohort(self, minute: int, is_new: bool) -> Cohort:
        """The cohort of a minute. `is_new`: of messages submitted now; what happens to older ones is counted in the
        half hour that their minute was merged into.
        """
        cohort = self.cohorts.get(minute)
        if cohort is None and not is_new:
            cohort = self.cohorts.get(minute - minute % GUARD_COARSE_MINUTES)
        if cohort is None:
            cohort = self.cohorts[minute] = Cohort()
        return cohort

    def fold(self, now_minute: int, long_window_min: int, exposure_weights: Sequence[float], decay: float) -> float:
        """Merges old cohorts and archives the oldest; gives the capped messages that were archived.

        `exposure_weights`: how much a message's silence counts, by its age in minutes; 0 beyond the end. `decay`: the
        factor on what was archived before.
        """
        self.archived_messages *= decay
        self.archived_exposure *= decay
        self.archived_conversions *= decay
        if not self.cohorts:
            return 0.0
        fine, oldest = now_minute - GUARD_FINE_MINUTES, now_minute - long_window_min
        archived = 0.0
        for minute in [minute for minute in self.cohorts if minute < fine]:
            cohort = self.cohorts[minute]
            cohort.exposure = cohort.exposure_now(now_minute - minute, exposure_weights)
            if minute < oldest:
                del self.cohorts[minute]
                archived += cohort.capped_messages
                self.archived_messages += cohort.messages
                self.archived_exposure += cohort.exposure
                self.archived_conversions += cohort.conversions
            elif minute % GUARD_COARSE_MINUTES:
                del self.cohorts[minute]
                half_hour = minute - minute % GUARD_COARSE_MINUTES
                merged = self.cohorts.get(half_hour)
                if merged is None:
                    self.cohorts[half_hour] = cohort
                else:
                    merged.exposure = merged.exposure_now(now_minute - half_hour, exposure_weights)
                    merged.add(cohort)
        return archived

    def messages_since(self, minute: int) -> float:
        return sum([cohort.messages for first, cohort in self.cohorts.items() if first >= minute])

    def voting_conversions_since(self, minute: int) -> float:
        return sum([cohort.voting_conversions for first, cohort in self.cohorts.items() if first >= minute])

    def mean_gap_s(self, now_s: float) -> float:
        """The mean time between the messages that are not archived; 0 where there are none."""
        first_s = min([first * 60.0 for first, cohort in self.cohorts.items() if cohort.messages > 0], default=now_s)
        messages = sum([cohort.messages for cohort in self.cohorts.values()])
        return max(0.0, now_s - first_s) / messages if messages > 0 else 0.0

    def last_message_s(self, since_s: float) -> float:
        """Unix time of the end of the last minute with messages, at least `since_s`."""
        ends = (first * 60.0 + 60.0 for first, cohort in self.cohorts.items() if cohort.messages > 0)
        return max([since_s, *ends])

    def exposure(
        self, now_minute: int, exposure_weights: Sequence[float], after_minute: int = 0
    ) -> tuple[float, float]:
        """(messages whose silence counts, conversions), of those submitted after a minute and not archived."""
        exposure = conversions = 0.0
        for first, cohort in self.cohorts.items():
            if first > after_minute:
                conversions += cohort.conversions
                exposure += cohort.exposure_now(now_minute - first, exposure_weights)
        return exposure, conversions

    def subtract(self, other: "CohortSeries") -> None:
        """Takes out the messages of a range that lies within and is scored by itself."""
        for minute, cohort in other.cohorts.items():
            mine = self.cohorts.get(minute) or self.cohorts.get(minute - minute % GUARD_COARSE_MINUTES)
            if mine is not None:
                mine.subtract(cohort)
        self.archived_messages = max(0.0, self.archived_messages - other.archived_messages)
        self.archived_exposure = max(0.0, self.archived_exposure - other.archived_exposure)
        self.archived_conversions = max(0.0, self.archived_conversions - other.archived_conversions)
