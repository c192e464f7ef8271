"""The catalogues of the console keep to the list of terms in docs/reference/terms.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support import console_texts

TERMS: Final = (Path(__file__).parents[2] / "docs" / "reference" / "terms.md").read_text(encoding="utf-8")
LANGUAGES: Final = ("zh-Hans", "zh-Hant")
FIELD: Final = re.compile(r"\{\w*\}")
CODE: Final = re.compile(r"`[^`]*`|homing [a-z]+ [a-z]+( --[a-z]+| [A-Z]+)*")


def section(heading: str) -> str:
    return TERMS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> Sequence[Sequence[str]]:
    lines = [line for line in section(heading).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def translations(cell: str) -> Sequence[str]:
    """The alternatives of a cell. 国家/地区 is one: alternatives have spaces around their slash."""
    return [] if cell == "-" else [each.strip() for each in cell.split(" / ")]


ALLOWED: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    language: {row[0]: translations(row[1 + LANGUAGES.index(language)]) for row in rows("Terms")}
    for language in LANGUAGES
}
FORBIDDEN: Final[Mapping[str, Sequence[str]]] = {row[0]: row[1].split(", ") for row in rows("Not these")}
LATIN: Final = frozenset(re.findall(r"[A-Za-z_]+", section("Latin words").strip().rpartition("\n\n")[2]))


def texts(language: str) -> Iterator[tuple[str, str]]:
    """Each English text of a language's catalogue with its translation; of plurals, all forms of each."""
    for _file, message in console_texts.catalogues(console_texts.LOCALES / language.replace("-", "_")):
        english = message.id if isinstance(message.id, str) else " ".join(message.id)
        yield english, " ".join(console_texts.forms_of(message))


def lacking(language: str, english: str, translated: str) -> Sequence[str]:
    """The terms of the English text that the translation does not say."""
    left, missing = FIELD.sub(" ", CODE.sub(" ", english)), []
    for term in sorted(ALLOWED[language], key=len, reverse=True):
        pattern = re.compile(rf"\b{re.escape(term)}(s|es)?\b", re.IGNORECASE)
        if pattern.search(left):
            left = pattern.sub(" ", left)
            if not any(each in translated for each in ALLOWED[language][term] or [""]):
                missing.append(term)
    return missing


def forbidden(language: str, translated: str) -> Sequence[str]:
    return [word for word in FORBIDDEN[language] if re.search(word, translated)]


def left_in_english(translated: str) -> Sequence[str]:
    bare = FIELD.sub(" ", CODE.sub(" ", translated))
    return [word for word in re.findall(r"[A-Za-z_]{3,}", bare) if word not in LATIN]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_term_has_one_translation(language: str) -> None:
    wrong = [(english, said, lost) for english, said in texts(language) if (lost := lacking(language, english, said))]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_another_region_and_of_earlier_texts_are_gone(language: str) -> None:
    wrong = [(said, words) for _english, said in texts(language) if (words := forbidden(language, said))]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left(language: str) -> None:
    wrong = [(said, words) for _english, said in texts(language) if (words := left_in_english(said))]
    assert wrong == []


@pytest.mark.parametrize(
    ("language", "english", "translated", "lost"),
    [
        ("zh-Hans", "No carriers yet", "还没有运营商", ["carrier"]),
        ("zh-Hans", "carrier message ID", "通道消息 ID", []),
        ("zh-Hans", "{carrier}: down", "{carrier}：已断开", []),
        ("zh-Hant", "Receipts", "回執", ["receipt"]),
        ("zh-Hant", "insufficient bonus balance", "餘額不足", ["bonus balance"]),
    ],
)
def test_a_term_that_is_not_said_is_noticed(language: str, english: str, translated: str, lost: Sequence[str]) -> None:
    assert lacking(language, english, translated) == lost


def test_a_word_that_is_not_used_here_is_noticed() -> None:
    assert forbidden("zh-Hant", "默認設置") == ["默認", "設置"]
    assert forbidden("zh-Hans", "运营商的回执") == ["回执", "运营商(?!网络)"]
    assert forbidden("zh-Hans", "按运营商网络") == []
    assert left_in_english("按规则 range 拒绝，`homing user list`，{carrier}") == ["range"]
