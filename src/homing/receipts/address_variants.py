"""The spellings of the two addresses of a reply: what people's numbers and senders may be that a carrier writes in its
own way. Pure; the counterpart of what `matching.agrees` is for receipts, as keys of an index.
"""

from collections.abc import Sequence

from homing.receipts.matching import DIGITS_TELLING_MIN, PUNCTUATION
from homing.text.numbers import Numbering, normalise


def digits_of(address: str) -> str:
    """Its digits without what is put between them and before them (+, 00, a trunk 0); '' for what is no number."""
    digits = address.translate(PUNCTUATION)
    return digits.lstrip("0") if digits.isascii() and digits.isdigit() else ""


def sender_key(sender: str) -> str:
    """What the index has of a sender: letter case, + and zeros before it are the carrier's."""
    return (digits_of(sender) or sender.strip()).lower().lstrip("+0")


def person_number(number: str) -> str | None:
    """The number in full, if it was written so; None: it has a trunk 0 in place of a country code, or is none."""
    digits = number.translate(PUNCTUATION).removeprefix("00")
    return None if digits[:1] == "0" else normalise(digits)


def in_any_country(address: str, numbering: Numbering) -> Sequence[str]:
    """What a number without its country code may be; nothing for what is too short to tell anybody."""
    national = digits_of(address)
    if len(national) < DIGITS_TELLING_MIN:
        return ()
    return tuple(numbering.in_countries(national))
