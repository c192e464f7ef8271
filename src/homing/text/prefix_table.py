"""Values by number prefix."""

from collections.abc import ItemsView, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixTable(Generic[T]):
    """The longest prefix wins. A look-up costs one dictionary probe per length in use."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        self._lengths = sorted({len(prefix) for prefix in values}, reverse=True)

    def items(self) -> ItemsView[str, T]:
        return self._values.items()

    def find(self, number: str) -> T | None:
        """The value of the longest prefix of `number`."""
        for length in self._lengths:
            value = self._values.get(number[:length])
            if value is not None:
                return value
        return None
