"""libphonenumber's number patterns read digit by digit, for `build_prefixes` alone.

A pattern is a regular expression over digits. After some digits it has become a set of *remainders*: what may
still follow (Antimirov's partial derivatives). Two prefixes with the same remainders have the same future,
which is what makes a search over millions of prefixes a matter of a few thousand steps.
"""

import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias


class Choice(NamedTuple):
    """One of several sequences."""

    branches: "tuple[Sequence, ...]"


class Repeat(NamedTuple):
    """A sequence from `least` to `most` times."""

    least: int
    most: int
    body: "Sequence"


Sequence: TypeAlias = "tuple[str | Choice | Repeat, ...]"
"""Parts that follow each other; a string is a set of digits of which one is read."""

Remainders: TypeAlias = frozenset[Sequence]

DIGITS: Final = "0123456789"
ANYTHING: Final = Repeat(0, 15, (DIGITS,))

# CPython's own parser instead of a third-party one: a tool that runs once a release can bear that it is not
# public.
_regex: Final[Any] = importlib.import_module("re._parser")


def parse(pattern: str) -> Sequence:
    """The parts of a regular expression. Raises ValueError for what number patterns have no use for."""
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
                least, most, body = argument
                yield Repeat(least, int(most), tuple(_parts(body)))
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
    """What may follow once `digit` is read; empty when it cannot be read."""
    return frozenset(rest for sequence in remainders for rest in _after(sequence, digit))


def _after(sequence: Sequence, digit: str) -> Iterator[Sequence]:
    match sequence:
        case (str(allowed), *rest):
            if digit in allowed:
                yield tuple(rest)
        case (Choice(branches), *rest):
            for branch in branches:
                yield from _after((*branch, *rest), digit)
        case (Repeat(least, most, body), *rest):
            if least == 0:
                yield from _after(tuple(rest), digit)
            if most > 0:
                yield from _after((*body, Repeat(max(least - 1, 0), most - 1, body), *rest), digit)
