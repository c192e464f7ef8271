"""The quickstart's programs: a text for each dialect and language, in which `<names>` stand for values. Each value
is written as that language writes a text, so that no key or sender can end one and begin code."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import Final

import msgspec

from homing.console.languages import N_
from homing.dialects.base import Dialect

NAME: Final = re.compile(r"<(url|key|secret|sender|app|number|text|body)>")


class ProgrammingLanguage(msgspec.Struct, frozen=True):
    """A programming language: its label, the file name of its program ('': pasted into a shell), the command that runs
    it, and a function that writes a string literal.
    """

    key: str
    label: str
    file: str
    run: str
    literal: Callable[[str], str]


class Snippet(msgspec.Struct, frozen=True):
    language: ProgrammingLanguage
    program: str


def shell(text: str) -> str:
    """In single quotes, which end before each of its own."""
    return "'" + text.replace("'", "'\\''") + "'"


def php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted(text: str) -> str:
    """As Python and JavaScript read it: in double quotes, with escapes that both know."""
    return json.dumps(text, ensure_ascii=False)


def java(text: str) -> str:
    """Likewise, in ASCII: a source file's encoding is the machine's."""
    return json.dumps(text)


LANGUAGES: Final = (
    ProgrammingLanguage("curl", "curl", "", N_("Paste into a shell."), shell),
    ProgrammingLanguage("python", "Python", "send.py", "python3 send.py", quoted),
    ProgrammingLanguage("typescript", "TypeScript", "send.ts", "npx tsx send.ts", quoted),
    ProgrammingLanguage("php", "PHP", "send.php", "php send.php", php),
    ProgrammingLanguage("node", "JavaScript", "send.mjs", "node send.mjs", quoted),
    ProgrammingLanguage("java", "Java", "Send.java", "java Send.java", java),
)


class Snippets:
    """The programs of the dialects that have some, read once."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._programs = {
            dialect.number: _read(dialect.quickstart.package) for dialect in dialects if dialect.quickstart is not None
        }

    def fill(self, dialect: Dialect, values: Mapping[str, str]) -> list[Snippet]:
        """`dialect`: one with a quickstart. `values`: url (where the APIs are), key, secret, sender, app, number, text.
        A value cannot end its string literal.
        """
        assert dialect.quickstart is not None
        literals = {
            **values,
            "url": values["url"] + dialect.quickstart.path,
            "body": dialect.quickstart.make_body(values),
        }
        programs = self._programs[dialect.number]
        return [
            Snippet(language, _fill(programs[language.key], language, literals))
            for language in LANGUAGES
            if language.key in programs
        ]


def _read(package: str) -> Mapping[str, str]:
    folder = resources.files(package).joinpath("quickstart")
    return {
        file.name.removesuffix(".txt"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".txt")
    }


def _fill(program: str, language: ProgrammingLanguage, literals: Mapping[str, str]) -> str:
    return NAME.sub(lambda match: language.literal(literals[match[1]]), program).rstrip("\n")
