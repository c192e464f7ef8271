"""A dialect's codes for refusals and failures, by type."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from homing import errors

Code_co = TypeVar("Code_co", covariant=True)


class ErrorCodes(Generic[Code_co]):
    """The code of each kind of refusal and failure. A kind without an entry has that of its nearest base class, so a
    table without `HomingError` itself is a ValueError.
    """

    def __init__(self, codes: Mapping[type[errors.HomingError], Code_co]) -> None:
        if errors.HomingError not in codes:
            raise ValueError("a table of error codes needs one for HomingError")
        self._codes = dict(codes)

    def __iter__(self) -> Iterator[type[errors.HomingError]]:
        return iter(self._codes)

    def of(self, kind: type[errors.HomingError]) -> Code_co:
        return next(self._codes[base] for base in kind.__mro__ if base in self._codes)
