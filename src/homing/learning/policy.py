"""What adaptive routing takes for granted: half-lives, strengths, thresholds (docs/internals/learning.md)."""

import msgspec

from homing import limits


class LearningPolicy(msgspec.Struct, frozen=True):
    """The learner's assumptions. Strengths are in messages or, where it says so, in expected conversions."""

    window_s: float = 3_600.0  # silence is a "no" after it, while a traffic's own times are not known
    half_life_s: float = 8 * 3_600.0  # of what a message says about its carrier
    delays_ripe_s: float = 900.0  # a cohort of this age has shown its slow times too
    delays_half_life_s: float = 86_400.0
    delays_prior: float = 5.0  # a thin histogram of times is lent so many of its parent's
    delays_known: float = 500.0  # ripe times from which the fresh ones, of which the quick come first, are left out
    delays_min: float = 10.0  # fewer times than this are not a curve
    ripe_share: float = 0.995  # at this share of conversions silence counts in full, and cohorts are put together

    base_rate: float = 0.3  # of conversion, where nothing at all is known
    base_delivered: float = 0.9
    base_strength: float = 10.0
    alike: float = 100.0  # messages: how alike a carrier's cells are, until they have shown it
    alike_weight: float = 2_000.0  # messages that this is worth
    strength_min: float = 10.0
    strength_max: float = 2_000.0
    effect_strength: float = 10.0  # expected conversions by which a carrier's effect is pulled to its parent's
    account_cap: float = 50.0  # expected conversions that one account can lay on what others believe

    contradiction: float = 9.0  # log likelihood ratio at which the memory of a carrier in a cell is cut
    drift_strength: float = 100.0  # expected conversions: how sure it is that a whole cell's rate stays as it is
    anchor_half_life_s: float = 1_800.0
    trust_min: float = 0.5  # below it a carrier's receipts move nothing

    reporting_min: float = limits.REPORTING_MESSAGES_MIN  # conversions from which an app is seen to report
    reporting_share: float = 1.0 / limits.REPORTING_MESSAGES_PER_CONVERSION_MAX  # of its mature messages
    silent_after: float = 200.0  # mature messages without such a share: it does not report
    stopped_expected: float = 20.0  # conversions that should have come since the last one: it has stopped
    stopped_s: float = 1_800.0  # of silence, then receipts decide
