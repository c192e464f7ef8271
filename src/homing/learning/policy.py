"""Constants of the routing learner: half-lives, prior strengths, thresholds (docs/internals/learning.md)."""

import msgspec

from homing import limits


class LearningPolicy(msgspec.Struct, frozen=True):
    """The learner's assumptions. Strengths are in messages unless stated otherwise."""

    window_s: float = 3_600.0  # a message without a conversion is a failure after it, until delays are known
    half_life_s: float = 8 * 3_600.0  # of a message's weight in the estimate of its carrier
    delays_mature_s: float = 900.0  # age of a cohort from which its delays are representative
    delays_half_life_s: float = 86_400.0
    delays_prior: float = 5.0  # delays that a thin histogram borrows from its parent
    delays_known: float = 500.0  # mature delays from which fresh ones, which are biased to fast ones, are left out
    delays_min: float = 10.0  # delays needed for a curve
    complete_share: float = 0.995  # share of conversions at which a cohort counts in full and is merged

    base_rate: float = 0.3  # conversion rate without any data
    base_delivered: float = 0.9
    base_strength: float = 10.0
    homogeneity: float = 100.0  # prior strength of a cell before cells have shown how much they differ
    homogeneity_weight: float = 2_000.0  # messages that this assumption is worth
    strength_min: float = 10.0
    strength_max: float = 2_000.0
    effect_strength: float = 10.0  # expected conversions by which a carrier's effect is shrunk to its parent's
    account_cap: float = 50.0  # expected conversions that one account contributes to the estimates of others

    change_evidence_min: float = 9.0  # log likelihood ratio at which a carrier's memory in a cell is cut
    drift_strength: float = 100.0  # expected conversions: prior that the rate of a whole cell has not changed
    drift_repeats: float = 5.0  # the same in expected repeats, which are few
    factor_half_life_s: float = 1_800.0  # of the factor on the prior mean after a change
    trust_min: float = 0.5  # below it a carrier's receipts do not move the estimate of conversions

    reporting_min: float = limits.REPORTING_MESSAGES_MIN  # conversions from which an app counts as reporting
    reporting_share: float = 1.0 / limits.REPORTING_MESSAGES_PER_CONVERSION_MAX  # of its mature messages
    silent_after: float = 200.0  # mature messages without such a share: the app does not report
    stopped_expected: float = 20.0  # conversions expected since the last one: the app has stopped reporting
    stopped_s: float = 1_800.0  # silence after which a stopped app is routed by receipts

    base_repeats: float = 0.05  # share of messages after which another is requested, without any data
    repeat_share: float = 0.5  # of people without a code, those who request another, before an app has shown it
    repeat_strength: float = 10.0  # lost messages that this assumption is worth
    repeat_share_min: float = 0.1  # below it repeats tell carriers less apart than receipts do
    late_share: float = 0.5  # of conversions that come within REPEAT_WINDOW_S: below it repeats stand in for them
