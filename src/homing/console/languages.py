"""Languages: the English text is the key, a catalogue has the others (locales/LANGUAGE/*.po, read as they are).

`N_` marks a text where it is written and said elsewhere; `_` and `ngettext` in templates and `Language.say` say it. A
text may hold `{names}` for values.
"""

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Final

import msgspec
from babel import Locale
from babel.messages.pofile import read_po


def N_(text: str) -> str:
    """Marks a text for the catalogues."""
    return text


class Language(msgspec.Struct, frozen=True):
    """`code` as in HTML and in the cookie, `name` in the language itself; `several`: what is said of more than one."""

    code: str
    name: str
    locale: Locale
    texts: Mapping[str, str]
    several: Mapping[str, str]

    def say(self, text: str, **values: object) -> str:
        said = self.texts.get(text, text)
        return said.format(**values) if values else said

    def say_n(self, one: str, many: str, n: int, **values: object) -> str:
        """`one` of 1, else `many`; {n} is the number."""
        plain = self.texts.get(one, one) if n == 1 else self.several.get(one, many)
        return plain.format(n=n, **values)


class LocaleFolder(msgspec.Struct, frozen=True):
    """A language and its folder under locales/; English is in the code and has none."""

    code: str
    name: str
    locale: str
    folder: str | None


SPELLINGS: Final = (
    LocaleFolder("en", "English", "en", None),
    LocaleFolder("zh-Hans", "简体中文", "zh_Hans_CN", "zh_Hans"),
    LocaleFolder("zh-Hant", "繁體中文", "zh_Hant_TW", "zh_Hant"),
)
TRADITIONAL: Final = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")


class Languages:
    """All of them, by code."""

    def __init__(self) -> None:
        self._known = {one.code: _load(one) for one in SPELLINGS}

    def __iter__(self) -> Iterator[Language]:
        return iter(self._known.values())

    def choose(self, chosen: str | None, accepted: str) -> Language:
        """What a visitor has chosen, else what the browser asks for (Accept-Language), else English."""
        if chosen in self._known:
            return self._known[chosen]
        for tag in _in_order(accepted):
            if tag.startswith(TRADITIONAL):
                return self._known["zh-Hant"]
            if tag.startswith("zh"):
                return self._known["zh-Hans"]
            if tag.startswith("en"):
                break
        return self._known["en"]


def _in_order(accepted: str) -> Sequence[str]:
    """The tags of an Accept-Language header, the most wanted first."""
    weighed = []
    for piece in itertools.islice(accepted.split(","), 20):
        tag, _semicolon, quality = piece.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weighed.append((-weight, tag.strip().lower()))
    return [tag for _weight, tag in sorted(weighed, key=lambda one: one[0])]


def _load(spelling: LocaleFolder) -> Language:
    texts: dict[str, str] = {}
    several: dict[str, str] = {}
    if spelling.folder:
        folder = resources.files("homing.console").joinpath("locales").joinpath(spelling.folder)
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            for message in read_po(io.BytesIO(file.read_bytes()), locale=spelling.locale):
                if not message.id or message.fuzzy:
                    continue
                if isinstance(message.id, str):
                    texts[message.id] = str(message.string)
                elif message.string:  # these languages have one form for every number
                    texts[message.id[0]] = several[message.id[0]] = message.string[0]
    return Language(spelling.code, spelling.name, Locale.parse(spelling.locale), texts, several)
