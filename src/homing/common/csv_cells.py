"""Cells of CSV files that people open in a spreadsheet."""

import unicodedata
from typing import Final

FORMULA: Final = frozenset("=+-@＝＋－＠")
"""First characters of a cell that a spreadsheet takes for a formula; some accept the full-width ones."""


def plain_cell(text: str) -> str:
    """The text as a cell that is shown and not computed: with an apostrophe before it if it begins with such a
    character or a control character, which some spreadsheets drop first.
    """
    if text and (text[0] in FORMULA or unicodedata.category(text[0]) in ("Cc", "Cf")):
        return f"'{text}"
    return text
