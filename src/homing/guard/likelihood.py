"""How strongly counts speak for fraud: log-likelihood ratios in nats. Pure arithmetic (docs/internals/guard.md)."""

from collections.abc import Callable, Sequence
from math import exp, inf, lgamma, log, log1p

RATE_MIN = 0.002
COUNT_MAX = 1_000_000


def silence_nats(
    exposure: float, conversions: float, rate: float, prior_strength: float, attack_ratios: Sequence[float]
) -> float:
    """Evidence of missing conversions: fraud, where each of the `attack_ratios` times the genuine `rate` is as likely,
    over genuine messages, whose rate has a Beta prior about `rate` worth `prior_strength` messages.

    `exposure`: messages whose conversions should have come by now.
    """
    exposure = max(exposure, conversions)
    if exposure <= 0.0 or rate <= 0.0:
        return 0.0
    rate = min(0.98, max(0.02, rate))
    missing = exposure - conversions
    genuine = genuine_nats(exposure, conversions, rate, prior_strength)
    largest, terms = -inf, []
    for ratio in attack_ratios:
        attack_rate = max(RATE_MIN, rate * ratio)
        term = conversions * log(attack_rate) + missing * log1p(-attack_rate)
        terms.append(term)
        largest = max(largest, term)
    fraud = largest + log(sum(exp(term - largest) for term in terms) / len(terms))
    return fraud - genuine


def genuine_nats(exposure: float, conversions: float, rate: float, prior_strength: float) -> float:
    """Log probability of these conversions, where ranges differ in their rate as the Beta prior has it."""
    rate = min(0.98, max(0.02, rate))
    missing = max(0.0, exposure - conversions)
    a, b = prior_strength * rate, prior_strength * (1.0 - rate)
    return (
        lgamma(a + conversions)
        - lgamma(a)
        + lgamma(b + missing)
        - lgamma(b)
        + lgamma(a + b)
        - lgamma(a + b + conversions + missing)
    )


def density_nats(count: float, expected: float, shape: float, resend_probability: float) -> float:
    """Evidence of more messages in a range than its share of the network's; 0 where there are no more than expected.

    Genuine: negative binomial with the mean `expected` and `shape`, and with `resend_probability` one of the messages,
    with its square two, repeated by a person who had asked already. Fraud: any count n, 1 / ((n + 1)(n + 2)).
    """
    if count <= expected or expected <= 0.0:
        return 0.0
    genuine = (
        lgamma(count + shape)
        - lgamma(shape)
        - lgamma(count + 1.0)
        + shape * log(shape / (shape + expected))
        + count * log(expected / (shape + expected))
    )
    # The chances of one and two fewer, over that of all: each step of the negative binomial backwards.
    step = (shape + expected) / expected
    one_fewer = step * count / (count - 1.0 + shape) if count >= 2.0 else 0.0
    two_fewer = one_fewer * step * (count - 1.0) / (count - 2.0 + shape) if count >= 3.0 else 0.0
    again = resend_probability
    genuine += log((1.0 + again * (one_fewer + again * two_fewer)) / (1.0 + again + again * again))
    return max(0.0, -log((count + 1.0) * (count + 2.0)) - genuine)


def first_count(least: int, is_enough: Callable[[int], bool]) -> int:
    """The smallest count from `least` that is enough, where every larger one is too."""
    if is_enough(least):
        return least
    low, high = least, least * 2
    while not is_enough(high):
        low, high = high, high * 2
        if high > COUNT_MAX:
            return COUNT_MAX
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
