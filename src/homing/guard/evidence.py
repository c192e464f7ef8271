"""How strongly counts speak for theft: log-likelihood ratios in nats. Pure arithmetic (docs/internals/guard.md)."""

from collections.abc import Callable, Sequence
from math import exp, inf, lgamma, log, log1p

RATE_MIN = 0.002
COUNT_MAX = 1_000_000


def silence(exposed: float, converted: float, rate: float, stubborn: float, fractions: Sequence[float]) -> float:
    """Conversions that stayed away. Theft: each fraction of the genuine `rate` is as likely; genuine: a Beta about the
    rate with `stubborn` messages' certainty. `exposed`: messages whose conversions should have come by now.
    """
    exposed = max(exposed, converted)
    if exposed <= 0.0 or rate <= 0.0:
        return 0.0
    rate = min(0.98, max(0.02, rate))
    missed = exposed - converted
    a, b = stubborn * rate, stubborn * (1.0 - rate)
    genuine = (
        lgamma(a + converted) - lgamma(a) + lgamma(b + missed) - lgamma(b) + lgamma(a + b) - lgamma(a + b + exposed)
    )
    worst, told = -inf, []
    for fraction in fractions:
        low = max(RATE_MIN, rate * fraction)
        value = converted * log(low) + missed * log1p(-low)
        told.append(value)
        worst = max(worst, value)
    theft = worst + log(sum(exp(value - worst) for value in told) / len(told))
    return theft - genuine


def crowding(count: float, expected: float, shape: float, again: float) -> float:
    """More messages in a range than its share of the network. Genuine: negative binomial with the mean `expected` and
    `shape`, and with the chance `again` one of them, with its square two, of somebody who had asked already; theft: any
    count, 1 / ((n + 1)(n + 2)). 0 where there are no more than expected.
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
    one = step * count / (count - 1.0 + shape) if count >= 2.0 else 0.0
    two = one * step * (count - 1.0) / (count - 2.0 + shape) if count >= 3.0 else 0.0
    genuine += log((1.0 + again * (one + again * two)) / (1.0 + again + again * again))
    return max(0.0, -log((count + 1.0) * (count + 2.0)) - genuine)


def first_count(least: int, is_enough: Callable[[int], bool]) -> int:
    """The smallest count from `least` that is enough, where more is never less."""
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
