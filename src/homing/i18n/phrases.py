"""Phrases: English texts with named values, made where something is known and rendered where it is shown, in the
viewer's language and time zone.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime


class Phrase:
    """`text` with {names} for `values`: numbers, strings, times and other phrases. The text is the key of the
    catalogues. `is_internal`: for operators, not for customers.
    """

    __slots__ = ("is_internal", "text", "values")

    def __init__(self, text: str, /, *, is_internal: bool = False, **values: object) -> None:
        self.text = text
        self.values: Mapping[str, object] = values
        self.is_internal = is_internal

    def of(self, **values: object) -> "Phrase":
        """The same text with other values."""
        return Phrase(self.text, is_internal=self.is_internal, **values)


def render_phrases(
    phrases: Iterable[Phrase], translate: Callable[[str], str], format_time: Callable[[datetime], str]
) -> str:
    """Joins phrases. `translate`: returns the translation of a text; `format_time`: formats a time."""

    def rendered(value: object) -> object:
        if isinstance(value, Phrase):
            return render_phrases([value], translate, format_time)
        return format_time(value) if isinstance(value, datetime) else value

    return "".join(
        translate(phrase.text).format(**{name: rendered(value) for name, value in phrase.values.items()})
        for phrase in phrases
    )


def english(phrases: Iterable[Phrase]) -> str:
    """Joins phrases in English, with times in UTC."""
    return render_phrases(phrases, str, lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
