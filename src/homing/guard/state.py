"""The state of the fraud model: apps, countries, networks and number ranges with their counts. Pure."""

from collections.abc import Sequence
from math import inf
from typing import Final

from homing.guard.active_verdicts import ActiveVerdicts
from homing.guard.cohorts import GUARD_COARSE_MINUTES, Cohort, CohortSeries
from homing.guard.conversions import GUARD_WEIGHT_MINUTES, ConversionDelays, ConversionRatios
from homing.guard.density import Density
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.risk import NO_RISKS
from homing.guard.snapshot import WHOLE_NETWORK, NetworkKey, RangeKey, Verdict
from homing.guard.strictness import StrictnessSettings
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

HOUR_MIN: Final = 60
HALF_HOUR_MIN: Final = 30
PERIOD_MIN: Final = 10
CLOCK_SKEW_MIN: Final = 1  # by which a process's clock may be ahead


class RangeState(CohortSeries):
    """A range of numbers as one app's messages reach it."""

    __slots__ = (
        "_period",
        "capped_total",
        "density_when_flagged",
        "digits",
        "history",
        "level",
        "observed_s",
        "period_messages",
        "recent_conversions",
        "recent_messages",
        "times_flagged",
    )

    def __init__(self, digits: str, level: int) -> None:
        """`digits`: the first ones of its numbers; `level`: index into `LEVELS`."""
        super().__init__()
        self.digits = digits
        self.level = level
        self._period = 0  # the ten minutes that `period_messages` are of
        self.period_messages = 0.0
        self.history = 0.0  # capped messages beyond the long window, decayed
        self.capped_total = 0.0  # with those of the window
        self.recent_messages = self.recent_conversions = 0.0  # sums of the cohorts, as of about the last fold
        self.observed_s = 0.0
        self.times_flagged = 0
        self.density_when_flagged: Density | None = None  # None: not known, so that only probes end a verdict early

    def count(self, minute: int, submitted: float, limit: int, votes_max: float) -> tuple[float, float]:
        """Counts messages in their ten minutes. Gives how many of them are below the limit, and how many vote."""
        period = minute // PERIOD_MIN
        if period > self._period:
            self._period, self.period_messages = period, 0.0
        elif period < self._period:
            return min(submitted, float(limit)), 0.0
        before, after = self.period_messages, max(0.0, self.period_messages + submitted)
        self.period_messages = after
        return min(limit, after) - min(limit, before), min(votes_max, after) - min(votes_max, before)

    def recount(self) -> None:
        """Brings the recent sums up to date after cohorts were archived or subtracted."""
        self.recent_messages = self.recent_conversions = 0.0
        for cohort in self.cohorts.values():
            self.recent_messages += cohort.messages
            self.recent_conversions += cohort.conversions

    def windows(self, short_since: int, long_since: int) -> tuple[Cohort, Cohort]:
        """The sums since the minute of the short window, and since that of the long one; without votes and exposure."""
        short_messages = short_capped = short_conversions = long_messages = long_capped = long_conversions = 0.0
        for minute, cohort in self.cohorts.items():
            if minute >= long_since:
                long_messages += cohort.messages
                long_capped += cohort.capped_messages
                long_conversions += cohort.conversions
                if minute >= short_since:
                    short_messages += cohort.messages
                    short_capped += cohort.capped_messages
                    short_conversions += cohort.conversions
        return (
            Cohort(short_messages, short_conversions, short_capped),
            Cohort(long_messages, long_conversions, long_capped),
        )

    def history_before(self, minute: int) -> float:
        """Capped messages of before a minute: archived ones, and those that only wait to be."""
        step = GUARD_COARSE_MINUTES
        waiting = [cohort.capped_messages for first, cohort in self.cohorts.items() if first - first % step < minute]
        return self.history + sum(waiting)

    def restart(self, until_minute: float = inf) -> None:
        """Forgets the evidence up to a minute. What counts as history stays, as it does in the network: else the
        range's share of the network's messages would seem to be less than it is, once both are history.
        """
        self.cohorts = {
            minute: cohort
            if minute > until_minute
            else Cohort(capped_messages=cohort.capped_messages, exposure=min(cohort.exposure, 0.0))
            for minute, cohort in self.cohorts.items()
            if minute > until_minute or cohort.capped_messages > 0
        }
        self.archived_messages = self.archived_exposure = self.archived_conversions = 0.0
        self.recount()


class AreaState(CohortSeries):
    """A country, or a network, as one app's messages reach it, without the ranges that are flagged."""

    __slots__ = (
        "_half_hour_conversions",
        "_hour",
        "_short_conversions",
        "_short_messages",
        "_sums_of",
        "busiest_hour_conversions",
        "conversions_total",
        "hour_conversions",
    )

    def __init__(self) -> None:
        super().__init__()
        self.conversions_total = 0.0  # decayed with history
        self.busiest_hour_conversions = 0.0  # decayed
        self.hour_conversions = 0.0  # of the latest hour with conversions
        self._hour = 0
        self._short_messages = self._short_conversions = self._half_hour_conversions = 0.0
        self._sums_of = (0, 0)  # the present minute and the short window's first, which these sums are kept for

    def observe(self, delta: Delta) -> None:
        if delta.minute in self.cohorts:
            now_minute, short_since = self._sums_of
            if now_minute - HALF_HOUR_MIN <= delta.minute <= now_minute + CLOCK_SKEW_MIN:
                self._half_hour_conversions += delta.converted
                if delta.minute >= short_since:
                    self._short_messages += delta.submitted
                    self._short_conversions += delta.converted
        else:
            self._sums_of = (0, 0)
        cohort = self.cohort(delta.minute, delta.submitted > 0)
        cohort.messages += delta.submitted
        cohort.conversions += delta.converted
        if delta.converted:
            hour = delta.minute // HOUR_MIN
            if hour != self._hour:
                self.busiest_hour_conversions = max(self.busiest_hour_conversions * 0.99, self.hour_conversions)
                self._hour, self.hour_conversions = hour, 0.0
            self.hour_conversions += delta.converted
            self.conversions_total += delta.converted

    def recent(self, minute: int, short_since: int) -> tuple[float, float, float]:
        """(messages, conversions) since the minute of the short window, and conversions of the last half hour."""
        if self._sums_of != (minute, short_since):
            self._sums_of = minute, short_since
            self._short_messages = self._short_conversions = self._half_hour_conversions = 0.0
            for first in range(minute - HALF_HOUR_MIN, minute + CLOCK_SKEW_MIN + 1):
                cohort = self.cohorts.get(first)
                if cohort is not None:
                    self._half_hour_conversions += cohort.conversions
                    if first >= short_since:
                        self._short_messages += cohort.messages
                        self._short_conversions += cohort.conversions
        return self._short_messages, self._short_conversions, self._half_hour_conversions

    def subtract(self, other: CohortSeries) -> None:
        super().subtract(other)
        self._sums_of = (0, 0)

    def clear_cohorts(self) -> None:
        self.cohorts.clear()
        self._sums_of = (0, 0)


class AppState:
    """An app as a whole."""

    __slots__ = (
        "conversions_total",
        "delays",
        "known_conversions",
        "known_rate",
        "quick_share",
        "ratios",
        "reports_conversions",
        "usual_votes",
    )

    def __init__(self) -> None:
        self.delays = ConversionDelays()
        self.ratios = ConversionRatios()
        self.reports_conversions = False
        self.conversions_total = 0.0  # in all networks, decayed with history
        self.known_conversions = self.known_rate = 0.0  # in the networks that are proven
        self.usual_votes: dict[int, float] = {}  # conversions to expect by block of minutes (usual_shares.py)
        self.quick_share = 0.0  # of its conversions, reported within some ten minutes


class NetworkState(AreaState):
    """A network as one app's messages reach it: how they spread over its ranges, and the rate to expect."""

    __slots__ = (
        "_capped_since",
        "_exposure_weights",
        "_policy",
        "_weights_of",
        "active_s",
        "app",
        "attacked_nats",
        "capped",
        "capped_total",
        "carriers",
        "closed_share",
        "country",
        "flagged",
        "flagged_wide",
        "genuine_until_s",
        "horizon",
        "is_changed",
        "key",
        "limits_basis",
        "linked_weights",
        "messages_total",
        "notice",
        "open_ranges",
        "pairs",
        "price_micro",
        "range_counts",
        "range_counts_at",
        "range_limits",
        "rate",
        "ratios",
        "recent_ranges",
        "scattered_per_min",
        "scattered_until_s",
        "scattered_wait_min",
        "usual_share",
        "verdict",
    )

    def __init__(self, *, key: CellKey, app: AppState, country: AreaState, policy: GuardPolicy) -> None:
        super().__init__()
        self._policy = policy
        self.key = key
        self.app = app
        self.country = country
        self.carriers: dict[int, float] = {}  # messages by carrier, decayed within minutes
        self.usual_share = 0.0  # of the app's conversions
        self.rate = 0.0  # conversions that a genuine message is expected to make
        self.ratios = ConversionRatios(is_excuse=True)
        self.messages_total = 0.0  # while conversions were reported, decayed with history
        self.active_s = 0.0  # unix time of the latest message, or of an operator's decision
        self.is_changed = True  # since its limits were last published
        # How messages spread over ranges. All counts are of capped messages.
        self.capped = CohortSeries()
        self.capped_total = 0.0  # decayed
        self.horizon = 0  # the minute before which they are history
        self.pairs = [0.0] * len(LEVELS)  # of messages to the same range, by level
        self.range_counts = list(policy.prior_range_counts)  # ranges that are effectively in use, by level
        self.range_counts_at: dict[int, list[float]] = {}  # the same, of each half hour in the long window
        self._capped_since: dict[int, float] = {}  # results of `capped_since`
        # What is flagged
        self.verdict: Verdict | None = None  # on the network as a whole
        self.flagged: dict[str, float] = {}  # a range's digits -> unix time
        self.flagged_wide: set[str] = set()  # the hundred thousands in which these lie
        self.linked_weights: Sequence[float] = ()  # for its evidence (usual_shares.py)
        self.attacked_nats: tuple[float, ...] = ()  # log odds of a range by its messages (linked_ranges.py)
        # Attacks that are scattered over its ranges (scattered.py)
        self.notice: Verdict | None = None  # which an operator is alerted of, and which blocks nothing
        self.scattered_until_s = 0.0
        self.scattered_per_min = 0.0  # the most messages of it a minute that passed
        self.scattered_wait_min = float(policy.short_window_min)  # for which a second message to a range waits
        self.closed_share = 0.0  # of its ranges without a conversion
        self.open_ranges: frozenset[str] = frozenset()  # the digits of the others, where some are closed
        self.genuine_until_s = 0.0  # until when its messages are no such evidence, since an operator lifted a notice
        self.recent_ranges: dict[str, int] = {}  # a range's digits -> minute of its latest message, meanwhile
        self.price_micro = 0.0  # of a message
        # What passes before anything is flagged
        self.range_limits: tuple[int, ...] = (policy.flag_messages_min * 2,) * len(LEVELS)
        self.limits_basis = (0.0, 0.0)  # the volume and the evidence that they were computed for
        self._exposure_weights: list[float] = []
        self._weights_of: tuple[int, int, int, bool] = (0, 0, 0, False)  # what these were computed for

    @property
    def whole(self) -> RangeKey:
        """The key of a verdict on the network as a whole."""
        return self.key.account_id, self.key.app_id, self.key.network, WHOLE_NETWORK

    @property
    def is_proven(self) -> bool:
        """Whether enough people of this network have converted for it to count as known."""
        return self.conversions_total >= self._policy.proven_conversions

    @property
    def has_known_spread(self) -> bool:
        """Whether it had messages enough to tell that they spread over many ranges."""
        policy = self._policy
        is_known = self.capped_total >= policy.known_spread_messages
        return is_known and self._estimate_ranges()[0] >= policy.known_spread_ranges

    @property
    def may_block(self) -> bool:
        """Whether a verdict in this network may block. Without reports of conversions it rests on density alone, which
        says something where the network's own spread is known.
        """
        return self.app.reports_conversions or self.has_known_spread

    def exposure_weights(self, minute: int) -> Sequence[float]:
        """How much a message's silence counts, by its age in minutes: the share of conversions that come by then, times
        the conversion ratio of its minute in the whole app. So in an outage of delivery or of reporting silence counts
        less. An outage of this network alone is an excuse only where it is proven.
        """
        is_proven = self.is_proven
        basis = minute, self.app.ratios.version, self.ratios.version, is_proven
        if self._weights_of != basis:
            self._weights_of = basis
            share_by, ratio = self.app.delays.share_by, self.app.ratios.ratio
            weights = [share_by(age) * ratio(minute - age) for age in range(GUARD_WEIGHT_MINUTES)]
            if is_proven:
                own = self.ratios.ratio
                weights = [min(weight, share_by(age) * own(minute - age)) for age, weight in enumerate(weights)]
            self._exposure_weights = weights
        return self._exposure_weights

    def observe(self, delta: Delta) -> None:
        super().observe(delta)
        if self.app.reports_conversions:  # else nobody could have verified them
            self.messages_total += delta.submitted

    def end_scattered(self) -> None:
        self.scattered_until_s, self.notice = 0.0, None
        self.closed_share, self.open_ranges = 0.0, frozenset()
        self.recent_ranges.clear()

    def capped_since(self, minute: int) -> float:
        messages = self._capped_since.get(minute)
        if messages is None:
            messages = self._capped_since[minute] = self.capped.messages_since(minute)
        return messages

    def add_capped(self, minute: int, messages: float) -> None:
        self.capped_total += messages
        self.capped.cohort(minute, True).messages += messages
        self._capped_since.clear()

    def restore_capped(self, capped: CohortSeries) -> None:
        self.capped = capped
        self._capped_since.clear()

    def decay(self, minute: int, decay: float) -> None:
        """Merges old cohorts and archives the oldest; `decay`: the factor on all that is kept as sums."""
        weights, long_window_min = self.exposure_weights(minute), self._policy.long_window_min
        self.conversions_total *= decay
        self.messages_total *= decay
        self.capped_total *= decay
        self.pairs = [pairs * decay**2 for pairs in self.pairs]
        self.fold(minute, long_window_min, weights, decay)
        self.capped.fold(minute, long_window_min, weights, decay)
        self._capped_since.clear()
        self.horizon = minute - long_window_min

    def exclude(self, flagged: RangeState, parents: Sequence[RangeState]) -> None:
        """Takes a flagged range's messages out of those that ranges are counted by; `parents` contain it."""
        messages, flagged.capped_total = flagged.capped_total, 0.0
        self.capped_total = max(0.0, self.capped_total - messages)
        self.pairs[flagged.level] = max(0.0, self.pairs[flagged.level] - messages * messages)
        for parent in parents:
            before, parent.capped_total = parent.capped_total, max(0.0, parent.capped_total - messages)
            self.pairs[parent.level] = max(0.0, self.pairs[parent.level] - before**2 + parent.capped_total**2)

    def count_ranges(self) -> None:
        """How many ranges are in use, as the largest estimate of the long window: what is recent can only raise it."""
        estimates = zip(self._estimate_ranges(), *self.range_counts_at.values(), strict=True)
        self.range_counts = [max(counts) for counts in estimates]

    def record_range_counts(self, minute: int) -> None:
        """Once in each half hour."""
        half_hour = minute - minute % GUARD_COARSE_MINUTES
        if half_hour not in self.range_counts_at:
            self.range_counts_at[half_hour] = self._estimate_ranges()
            for old in [at for at in self.range_counts_at if at < minute - self._policy.long_window_min]:
                del self.range_counts_at[old]

    def _estimate_ranges(self) -> list[float]:
        """From coincidences: of N messages spread evenly over M ranges, N² / M pairs share one."""
        policy = self._policy
        strength = policy.prior_range_strength**2
        return [
            max(1.0, (self.capped_total**2 + strength) / (pairs + strength / prior_count))
            for pairs, prior_count in zip(self.pairs, policy.prior_range_counts, strict=True)
        ]


class ModelState:
    """Everything that the model knows, by key."""

    def __init__(self, policy: GuardPolicy) -> None:
        self.policy = policy
        self.risks = NO_RISKS
        self.strictness = StrictnessSettings()
        self.apps: dict[tuple[int, str], AppState] = {}
        self.countries: dict[tuple[int, str, str], AreaState] = {}
        self.networks: dict[NetworkKey, NetworkState] = {}
        self.ranges: dict[RangeKey, RangeState] = {}
        self.verdicts = ActiveVerdicts(policy)

    def needed_nats(self, account_id: int) -> float:
        """The posterior log odds from which an account's ranges and networks are flagged."""
        return self.policy.flag_nats + self.strictness.evidence_nats(account_id)

    def app(self, account_id: int, app_id: str) -> AppState:
        app = self.apps.get((account_id, app_id))
        if app is None:
            app = self.apps[account_id, app_id] = AppState()
        return app

    def country(self, account_id: int, app_id: str, country: str) -> AreaState:
        area = self.countries.get((account_id, app_id, country))
        if area is None:
            area = self.countries[account_id, app_id, country] = AreaState()
        return area

    def network(self, account_id: int, app_id: str, country: str, network: str) -> NetworkState:
        """`country`: where a network that is not known yet lies."""
        state = self.networks.get((account_id, app_id, network))
        if state is None:
            state = self.networks[account_id, app_id, network] = NetworkState(
                key=CellKey(account_id, app_id, country, network),
                app=self.app(account_id, app_id),
                country=self.country(account_id, app_id, country),
                policy=self.policy,
            )
        return state

    def parents(self, key: RangeKey, state: RangeState) -> list[RangeState]:
        """The wider ranges that contain a range."""
        account_id, app_id, network, digits = key
        keys = [(account_id, app_id, network, digits[:-cut]) for cut in range(1, len(LEVELS) - state.level)]
        return [self.ranges[key] for key in keys if key in self.ranges]
