"""Matches libphonenumber's number patterns digit by digit.

A pattern is a regular expression over digits. After some digits it has become a set of *remainders*: the expressions
that may still follow (Antimirov's partial derivatives). Two prefixes with the same remainders continue alike, which
reduces a search over millions of prefixes to a few thousand steps.
"""

import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias


class Choice(NamedTuple):
    """One of several sequences."""

    branches: "tuple[Sequence, ...]"


class Repeat(NamedTuple):
    """A sequence from `minimum` to `maximum` times."""

    minimum: int
    maximum: int
    body: "Sequence"


Sequence: TypeAlias = "tuple[str | Choice | Repeat, ...]"
"""Consecutive parts; a string is a set of digits, of which one is matched."""

Remainders: TypeAlias = frozenset[Sequence]

DIGITS: Final = "0123456789"
ANYTHING: Final = Repeat(0, 15, (DIGITS,))

# CPython's own parser rather than a dependency: it is private, which is acceptable in a tool that runs once a release.
_regex: Final[Any] = importlib.import_module("re._parser")


def parse(pattern: str) -> Sequence:
    """The parts of a regular expression. Raises ValueError for constructs that number patterns do not use."""
    return tuple(_parts(_regex.parse(pattern)))


def _parts(tree: Iterable[tuple[Any, Any]]) -> Iterator[str | Choice | Repeat]:
    for operation, argument in tree:
        match str(operation):
            case "LITERAL":
                yield chr(argument)
            case "IN":
                yield "".join(digit for member in argument for digit in _members(*member))
            case "SUBPATTERN":
                yield from _parts(argument[3])
            case "BRANCH":
                yield Choice(tuple(tuple(_parts(branch)) for branch in argument[1]))
            case "MAX_REPEAT":
                minimum, maximum, body = argument
                yield Repeat(minimum, int(maximum), tuple(_parts(body)))
            case unknown:
                raise ValueError(f"{unknown} in a number pattern")


def _members(kind: Any, value: Any) -> Iterable[str]:
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "RANGE":
            return map(chr, range(value[0], value[1] + 1))
        case "CATEGORY" if str(value) == "CATEGORY_DIGIT":
            return DIGITS
        case unknown:
            raise ValueError(f"{unknown} in a number pattern's set")


@cache
def after(remainders: Remainders, digit: str) -> Remainders:
    """The remainders after `digit`; empty when it does not match."""
    return frozenset(rest for sequence in remainders for rest in _after(sequence, digit))


def _after(sequence: Sequence, digit: str) -> Iterator[Sequence]:
    match sequence:
        case (str(allowed), *rest):
            if digit in allowed:
                yield tuple(rest)
        case (Choice(branches), *rest):
            for branch in branches:
                yield from _after((*branch, *rest), digit)
        case (Repeat(minimum, maximum, body), *rest):
            if minimum == 0:
                yield from _after(tuple(rest), digit)
            if maximum > 0:
                yield from _after((*body, Repeat(max(minimum - 1, 0), maximum - 1, body), *rest), digit)
