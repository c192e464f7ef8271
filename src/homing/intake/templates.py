"""Templates: stored texts with the variables {V1}..{V5}. Filling one in, and finding the one a text was made from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from homing import errors, limits
from homing.model import Template

VARIABLE: Final = re.compile(r"\{V([1-5])\}")


def fill(template: Template, variables: Mapping[int, str]) -> str:
    """The text with its variables put in. Raises `BadParameter` when one that the template uses is missing."""

    def value(match: re.Match[str]) -> str:
        number = int(match[1])
        if number not in variables:
            raise errors.BadParameter(f"V{number} not specified")
        return variables[number]

    return VARIABLE.sub(value, template.body)


def matches(template: Template, text: str) -> bool:
    """Whether a text can have been made from a template, each variable standing for 1 to 256 characters.

    Works along the fixed pieces from left to right, so that its time is bounded by the text's length times the
    number of variables, which a regular expression with several wildcards does not promise.
    """
    pieces = VARIABLE.split(template.body)[::2]
    if len(pieces) == 1:
        return text == template.body
    if not text.startswith(pieces[0]) or not text.endswith(pieces[-1]):
        return False
    at = [len(pieces[0])]  # every place where the next variable may start, in order
    end = len(text) - len(pieces[-1])
    for piece in pieces[1:-1]:
        at = _after(text, piece, at, end)
    return any(1 <= end - start <= limits.TEMPLATE_VARIABLE_CHARS_MAX for start in at)


def match_any(templates: Iterable[Template], text: str) -> Template | None:
    return next((template for template in templates if matches(template, text)), None)


def _after(text: str, piece: str, starts: Sequence[int], end: int) -> list[int]:
    """Places after `piece` that lie a variable's length beyond one of the starts: the nearest start before decides."""
    if not starts:
        return []
    found = []
    nearest = 0
    place = text.find(piece, starts[0] + 1, end)
    while 0 <= place <= starts[-1] + limits.TEMPLATE_VARIABLE_CHARS_MAX:
        while nearest + 1 < len(starts) and starts[nearest + 1] < place:
            nearest += 1
        if place - starts[nearest] <= limits.TEMPLATE_VARIABLE_CHARS_MAX:
            found.append(place + len(piece))
        place = text.find(piece, place + 1, end)
    return found
