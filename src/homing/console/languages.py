"""Languages: the English text is the key of the catalogues (locales/LANGUAGE/*.po, read at start).

`N_` marks a text that is translated elsewhere; `_` and `ngettext` in templates and `Language.translate` translate. A
text may contain `{names}` of values.
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
    """`code` as in HTML and in the cookie, `name` in the language itself; `plurals`: by the singular."""

    code: str
    name: str
    locale: Locale
    texts: Mapping[str, str]
    plurals: Mapping[str, str]

    def translate(self, text: str, **values: object) -> str:
        translation = self.texts.get(text, text)
        return translation.format(**values) if values else translation

    def translate_plural(self, singular: str, plural: str, n: int, **values: object) -> str:
        """`singular` for 1, else `plural`; {n} is the number."""
        plain = self.texts.get(singular, singular) if n == 1 else self.plurals.get(singular, plural)
        return plain.format(n=n, **values)


class LocaleFolder(msgspec.Struct, frozen=True):
    """A language and its folder under locales/; English is in the code and has none."""

    code: str
    name: str
    locale: str
    folder: str | None


LANGUAGE_FOLDERS: Final = (
    LocaleFolder("en", "English", "en", None),
    LocaleFolder("zh-Hans", "简体中文", "zh_Hans_CN", "zh_Hans"),
    LocaleFolder("zh-Hant", "繁體中文", "zh_Hant_TW", "zh_Hant"),
)
TRADITIONAL: Final = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")


class Languages:
    """All of them, by code."""

    def __init__(self) -> None:
        self._languages = {source.code: _load(source) for source in LANGUAGE_FOLDERS}

    def __iter__(self) -> Iterator[Language]:
        return iter(self._languages.values())

    def choose(self, chosen: str | None, accepted: str) -> Language:
        """The visitor's choice, else the first of Accept-Language, else English."""
        if chosen in self._languages:
            return self._languages[chosen]
        for tag in _in_order(accepted):
            if tag.startswith(TRADITIONAL):
                return self._languages["zh-Hant"]
            if tag.startswith("zh"):
                return self._languages["zh-Hans"]
            if tag.startswith("en"):
                break
        return self._languages["en"]


def _in_order(accepted: str) -> Sequence[str]:
    """The tags of an Accept-Language header, by quality."""
    weighed = []
    for piece in itertools.islice(accepted.split(","), 20):
        tag, _semicolon, quality = piece.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weighed.append((-weight, tag.strip().lower()))
    return [tag for _weight, tag in sorted(weighed, key=lambda pair: pair[0])]


def _load(source: LocaleFolder) -> Language:
    texts: dict[str, str] = {}
    plurals: dict[str, str] = {}
    if source.folder:
        folder = resources.files("homing.console").joinpath("locales").joinpath(source.folder)
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            for message in read_po(io.BytesIO(file.read_bytes()), locale=source.locale):
                if not message.id or message.fuzzy:
                    continue
                if isinstance(message.id, str):
                    texts[message.id] = str(message.string)
                elif message.string:  # these languages have one form for every number
                    texts[message.id[0]] = plurals[message.id[0]] = message.string[0]
    return Language(source.code, source.name, Locale.parse(source.locale), texts, plurals)
