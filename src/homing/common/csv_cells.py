"""Cells of CSV files that people open in a spreadsheet."""

import unicodedata
from typing import Final

FORMULA: Final = frozenset("=+-@＝＋－＠")
"""How a cell begins that a spreadsheet would compute; some take the full-width signs alike."""


def plain_cell(text: str) -> str:
    """What people wrote, so that it is shown and not computed: behind an apostrophe where it begins with such a sign or
    with a control character, which some spreadsheets drop before they look.
    """
    if text and (text[0] in FORMULA or unicodedata.category(text[0]) in ("Cc", "Cf")):
        return f"'{text}"
    return text
