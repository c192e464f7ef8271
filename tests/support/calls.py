"""A call without a server, for what reads requests alone."""


class Called:
    """From a fixed address, without a body to fetch."""

    def find_address(self) -> str:
        return "203.0.113.5"

    async def fetch_body(self, _bytes_max: int) -> bytes:
        return b""
