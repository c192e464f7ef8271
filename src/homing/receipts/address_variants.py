"""The ways in which carriers write the two addresses of an inbound message, as the numbers and sender IDs that they may
stand for. Pure. Receipts need no such list, since they compare two numbers (`matching.agrees`); here an index is asked.
"""

from collections.abc import Sequence

from homing.receipts.matching import PUNCTUATION, SIGNIFICANT_DIGITS_MIN
from homing.text.numbers import Numbering, normalise


def significant_digits(address: str) -> str:
    """A number's digits without punctuation and without what precedes them (+, 00, a trunk 0); '' if it is
    no number.
    """
    digits = address.translate(PUNCTUATION)
    return digits.lstrip("0") if digits.isascii() and digits.isdigit() else ""


def sender_key(sender: str) -> str:
    """The index key of a sender ID: carriers change letter case and add or drop + and leading zeros."""
    return (significant_digits(sender) or sender.strip()).lower().lstrip("+0")


def international_number(number: str) -> str | None:
    """The E.164 digits of a number with its country code; None: it begins with a trunk 0, or is no number."""
    digits = number.translate(PUNCTUATION).removeprefix("00")
    return None if digits[:1] == "0" else normalise(digits)


def numbers_in_any_country(address: str, numbering: Numbering) -> Sequence[str]:
    """The E.164 numbers that a national number may be; none for one that is too short to identify a subscriber."""
    national = significant_digits(address)
    if len(national) < SIGNIFICANT_DIGITS_MIN:
        return ()
    return tuple(numbering.in_countries(national))
