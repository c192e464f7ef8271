"""The two vendors' documents, and the samples that are cut out of them."""

import re
from pathlib import Path

import pytest

SEEDS = Path(__file__).parents[2].parent / "shared" / "seeds"
LIA, LAAFFIC = "000_369560cf0030ad7f.txt", "002_5278225a3246fa86.txt"


def document(name: str) -> str:
    path = SEEDS / name
    if not path.exists():
        pytest.skip(f"the vendors' documents are not here: {path} is missing")
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")


def cut(text: str, start: str, end: str, nth: int = 0) -> str:
    """From the line that begins with `start` (the `nth` of them) up to the end of the first that begins with `end`."""
    begins = [match.start() for match in re.finditer(rf"^{re.escape(start)}", text, re.MULTILINE)]
    assert len(begins) > nth, f"the document has no {start!r} any more"
    piece = text[begins[nth] :]
    match = re.search(rf"^{re.escape(end)}.*$", piece, re.MULTILINE)
    assert match, f"the document has no {end!r} after {start!r} any more"
    return piece[: match.end()] + "\n"
