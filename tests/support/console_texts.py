"""The console's texts: those that the code and the templates say, and those that each language has.

As a program it prints, in the catalogues' form, what a language lacks: `python -m tests.support.console_texts zh_Hans`.
"""

import functools
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

import homing.console

CONSOLE = Path(homing.console.__file__).parent
LOCALES = CONSOLE / "locales"
TEMPLATE_WORDS = {"_": None, "ngettext": (1, 2)}
ERROR_FOLDERS = ("users", "accounts", "admin", "ledger", "delivery", "receipts")
"""Whose errors the console says in every language."""
ERROR_WORDS = {"InvalidInput": None, "NameTaken": None, "CreditLimitReached": None, "SettingWarning": None}
PHRASE_FOLDERS = ("i18n", "messages")
"""Whose sentences the console tells."""
PHRASE_WORDS = {"Phrase": None}
CODE_WORDS = {"N_": None, "translate": None, "translate_plural": (1, 2)}


@functools.cache
def said() -> Mapping[str | tuple[str, ...], str]:
    """Every text in the code and the templates, with a place where it stands."""
    found: dict[str | tuple[str, ...], str] = {}
    files: list[tuple[str, Mapping[str, tuple[int, ...] | None], Path]]
    files = [("python", CODE_WORDS, file) for file in sorted(CONSOLE.rglob("*.py"))]
    files += [("jinja2.ext:babel_extract", TEMPLATE_WORDS, file) for file in sorted(CONSOLE.rglob("*.html"))]
    for folder in ERROR_FOLDERS:
        files += [("python", ERROR_WORDS, file) for file in sorted((CONSOLE.parent / folder).rglob("*.py"))]
    for folder in PHRASE_FOLDERS:
        files += [("python", PHRASE_WORDS, file) for file in sorted((CONSOLE.parent / folder).rglob("*.py"))]
    for method, words, file in files:
        with file.open("rb") as opened:
            options = {"extensions": "jinja2.ext.do", "encoding": "utf-8", "silent": "false"}
            for line, text, _comments, _context in extract(method, opened, words, options=options):
                found.setdefault(text, f"{file.relative_to(CONSOLE.parent)}:{line}")
    return found


def catalogues(folder: Path) -> Iterator[tuple[Path, Message]]:
    """Every text of a language, with its file."""
    for file in sorted(folder.glob("*.po")):
        for message in read_po(io.BytesIO(file.read_bytes()), locale=folder.name):
            if message.id:
                yield file, message


def key(message: Message) -> str | tuple[str, ...]:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def forms_of(message: Message) -> list[str]:
    """Its translation: one text, or one for each number that its language tells apart."""
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def missing(folder: Path) -> Mapping[str | tuple[str, ...], str]:
    have = {key(message) for _file, message in catalogues(folder)}
    return {text: place for text, place in said().items() if text not in have}


if __name__ == "__main__":
    lacking = Catalog()
    for one, where in missing(LOCALES / sys.argv[1]).items():
        lacking.add(one, locations=[(where.rpartition(":")[0], int(where.rpartition(":")[2]))])
    write_po(sys.stdout.buffer, lacking, omit_header=True, width=0)
