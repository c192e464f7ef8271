"""Messages that this process has in hand: claimed, and their answers not stored yet."""


class InHand:
    """Shared by all that a process runs of a carrier, one after the other: while the database is away the carrier's
    leases end and it is closed, but its answers wait in memory. When the rows come back as lapsed claims, they are
    still ours.
    """

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def take(self, message_id: int) -> None:
        self._ids.add(message_id)

    def let_go(self, message_id: int) -> None:
        self._ids.discard(message_id)
