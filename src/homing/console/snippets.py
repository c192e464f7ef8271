"""The quickstart's programs: a text for each dialect and language (snippets/), in which `<names>` stand for values.
Each value is written as that language writes a text, so that no key or sender can end one and begin code.
"""

import json
import re
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Final

import msgspec

from homing.console.words import N_

PATHS: Final = {"lia": "/api/SendSMS", "laaffic": "/v3/sendSms"}
NAME: Final = re.compile(r"<(url|key|secret|sender|app|number|text|body)>")


class Tongue(msgspec.Struct, frozen=True):
    """A programming language: how it is called, the name under which its program is kept ('': it is pasted), what runs
    that, and how it writes a text.
    """

    key: str
    label: str
    file: str
    run: str
    literal: Callable[[str], str]


class Snippet(msgspec.Struct, frozen=True):
    tongue: Tongue
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


TONGUES: Final = (
    Tongue("curl", "curl", "", N_("Paste it into a shell."), shell),
    Tongue("python", "Python", "send.py", "python3 send.py", quoted),
    Tongue("php", "PHP", "send.php", "php send.php", php),
    Tongue("node", "JavaScript", "send.mjs", "node send.mjs", quoted),
    Tongue("java", "Java", "Send.java", "java Send.java", java),
)


class Snippets:
    """The programs of both dialects, read once."""

    def __init__(self) -> None:
        folder = resources.files("homing.console").joinpath("snippets")
        self._texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".txt")}

    def fill(self, dialect: str, values: Mapping[str, str]) -> list[Snippet]:
        """`values`: url (where the APIs are), key, secret, sender, app, number, text. Whatever one holds, it stays a
        value.
        """
        body = {"appId": values["app"], "numbers": values["number"], "content": values["text"]}
        known = {**values, "url": values["url"] + PATHS[dialect], "body": json.dumps(body, ensure_ascii=False)}
        return [Snippet(tongue, self._program(dialect, tongue, known).rstrip("\n")) for tongue in TONGUES]

    def _program(self, dialect: str, tongue: Tongue, known: Mapping[str, str]) -> str:
        text = self._texts[f"{dialect}.{tongue.key}.txt"]
        return NAME.sub(lambda match: tongue.literal(known[match[1]]), text)
