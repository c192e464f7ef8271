"""Sentences that are put together in one place and said in another: English texts with values, so that a catalogue can
say them in its language, and the times in them are in a viewer's zone.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime


class Phrase:
    """`text` with {names} of `values`: numbers and texts as they are, times, and phrases. `is_inside`: for who runs
    Homing, not for customers.
    """

    __slots__ = ("is_inside", "text", "values")

    def __init__(self, text: str, /, *, is_inside: bool = False, **values: object) -> None:
        self.text = text
        self.values: Mapping[str, object] = values
        self.is_inside = is_inside

    def of(self, **values: object) -> "Phrase":
        """The same text with other values."""
        return Phrase(self.text, is_inside=self.is_inside, **values)


def tell(phrases: Iterable[Phrase], say: Callable[[str], str], clock: Callable[[datetime], str]) -> str:
    """The phrases one after the other: `say` gives a text's translation, `clock` a time's words."""

    def shown(value: object) -> object:
        if isinstance(value, Phrase):
            return tell([value], say, clock)
        return clock(value) if isinstance(value, datetime) else value

    return "".join(
        say(phrase.text).format(**{name: shown(value) for name, value in phrase.values.items()}) for phrase in phrases
    )


def english(phrases: Iterable[Phrase]) -> str:
    """As they are written; times in UTC."""
    return tell(phrases, str, lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
