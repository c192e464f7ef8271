"""A call without a server, for what reads requests alone."""

from collections.abc import Mapping
from dataclasses import dataclass


class Called:
    """From a fixed address, without a body to fetch."""

    def find_address(self) -> str:
        return "203.0.113.5"

    async def fetch_body(self, _bytes_max: int) -> bytes:
        return b""


@dataclass(frozen=True)
class Headers:
    """By lower-case name."""

    values: Mapping[str, str]

    def get(self, key: str, default: str | None = None) -> str | None:
        return self.values.get(key, default)

    def __contains__(self, key: str) -> bool:
        return key in self.values
