"""Sentences that were written down in English when something was decided, read back as phrases, so that a catalogue can
say them: what carriers' shares and accusations do, what a choice of route noted.
"""

import re
from typing import Final

from homing.messages.phrases import Phrase

SENTENCES: Final = (
    # routing/choose.py
    Phrase("adaptive, shares {version} of {total}"),
    Phrase("adaptive, nothing learnt: least cost"),
    Phrase("least cost of {n}, from {cost} a segment"),
    Phrase("least cost of {n}"),
    Phrase("{down} of {n} carriers down"),
    Phrase("{n} above the ceiling"),
    Phrase("{n} without flash"),
    # routing/shares.py, routing/explain.py
    Phrase("{share} to the best of {n} ({aim}, {by})"),
    Phrase("{cost} a conversion"),
    Phrase("{gain} gained a message"),
    Phrase("by conversions"),
    Phrase("by receipts: no conversions are reported"),
    Phrase("untried"),
    Phrase("the customer has opted out: by priority"),
    Phrase("nothing of this traffic within the hour: by cost"),
    # routing/fakes.py
    Phrase(
        "of what it calls delivered {converted} converted, where its peers' yield in the same cells promises"
        " {promised}: {ratio}, Bayes factor {factor}"
    ),
    Phrase("{share} of its receipts come within a second, of its peers' at most {peer}: a handset takes longer"),
    Phrase(
        "{share} of its receipts take as long as each other, of its peers' at most {peer}: networks are not so even"
    ),
)
"""The more exact ones first."""
NESTED: Final = frozenset({"aim", "by"})
"""Values that are sentences themselves."""


def _pattern(phrase: Phrase) -> re.Pattern[str]:
    def place(found: re.Match[str]) -> str:
        name = found[1]
        return f"(?P<{name}>.+)" if name in NESTED else f"(?P<{name}>[^,;()]+)"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", place, re.escape(phrase.text)))


KNOWN: Final = tuple((_pattern(phrase), phrase) for phrase in SENTENCES)


def retold(sentence: str) -> Phrase:
    """One that is not known here, such as another release's, is told as it is."""
    for pattern, phrase in KNOWN:
        if found := pattern.fullmatch(sentence):
            values = found.groupdict().items()
            return phrase.of(**{name: retold(value) if name in NESTED else value for name, value in values})
    return Phrase("{told}", told=sentence)
