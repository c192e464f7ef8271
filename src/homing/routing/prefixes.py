"""Values by number prefix."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixTable(Generic[T]):
    """Values by number prefix; the longest prefix wins. A look-up costs one dictionary probe per length in use."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        self._lengths = sorted({len(prefix) for prefix in values}, reverse=True)

    def find(self, number: str) -> tuple[str, T] | None:
        """(prefix, value), or None when no prefix matches."""
        values = self._values
        for length in self._lengths:
            prefix = number[:length]
            value = values.get(prefix)
            if value is not None and len(prefix) == length:
                return prefix, value
        return None
