"""The messages of a carrier that this process has claimed and whose answers are not stored yet."""


class InFlightMessages:
    """Shared by the dispatchers that a process runs for a carrier, one after the other.

    While the database is unavailable the carrier's lease ends and it is closed, but its answers wait in memory. When
    the same messages are then claimed again, as lapsed claims, they must not be submitted a second time.
    """

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, message_id: int) -> None:
        self._ids.add(message_id)

    def discard(self, message_id: int) -> None:
        self._ids.discard(message_id)
