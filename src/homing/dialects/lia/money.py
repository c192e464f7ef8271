"""Money as the lia dialect's JSON number."""

from homing.common.money import MICRO


def currency_number(micro: int) -> float:
    """The double nearest to the exact amount, which prints as that amount.

    Only ever for the wire: below a billion the shortest form of the nearest double has the exact six decimals.
    """
    return micro / MICRO
