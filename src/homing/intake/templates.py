"""Templates: stored texts with the variables {V1} to {V5}. Fills them in, and finds the template of a text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from homing import errors, limits
from homing.model import Template

VARIABLE: Final = re.compile(r"\{V([1-5])\}")
VARIABLES: Final = range(1, 6)


def variables_of(template: Template) -> Sequence[int]:
    """The numbers of its variables, in the order of their first use."""
    return list(dict.fromkeys(int(number) for number in VARIABLE.findall(template.body)))


def fill(template: Template, variables: Mapping[int, str]) -> str:
    """The text with its variables replaced. Raises `BadParameter` when one that the template uses is missing."""

    def value(match: re.Match[str]) -> str:
        number = int(match[1])
        if number not in variables:
            raise errors.BadParameter(f"V{number} not specified")
        return variables[number]

    return VARIABLE.sub(value, template.body)


def matches(template: Template, text: str) -> bool:
    """Whether a text can be the template with each variable replaced by 1 to 256 characters.

    Matches the fixed pieces from left to right, in time proportional to the text's length times the number of
    variables; a regular expression with several wildcards has no such bound.
    """
    pieces = VARIABLE.split(template.body)[::2]
    if len(pieces) == 1:
        return text == template.body
    if not text.startswith(pieces[0]) or not text.endswith(pieces[-1]):
        return False
    at = [len(pieces[0])]  # every index at which the next variable may start, in order
    end = len(text) - len(pieces[-1])
    for piece in pieces[1:-1]:
        at = _after(text, piece, at, end)
    return any(1 <= end - start <= limits.TEMPLATE_VARIABLE_CHARS_MAX for start in at)


def match_any(templates: Iterable[Template], text: str) -> Template | None:
    return next((template for template in templates if matches(template, text)), None)


def _after(text: str, piece: str, starts: Sequence[int], end: int) -> list[int]:
    """The end indices of `piece` that leave a variable of allowed length after one of `starts`, the nearest
    one before.
    """
    if not starts:
        return []
    ends = []
    nearest = 0
    start_of_piece = text.find(piece, starts[0] + 1, end)
    while 0 <= start_of_piece <= starts[-1] + limits.TEMPLATE_VARIABLE_CHARS_MAX:
        while nearest + 1 < len(starts) and starts[nearest + 1] < start_of_piece:
            nearest += 1
        if start_of_piece - starts[nearest] <= limits.TEMPLATE_VARIABLE_CHARS_MAX:
            ends.append(start_of_piece + len(piece))
        start_of_piece = text.find(piece, start_of_piece + 1, end)
    return ends
