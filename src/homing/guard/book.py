"""What the mind concludes and the judges read: verdicts, and how much is let pass before there is one."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.guard.policy import LEVELS
from homing.reasons import Reason
from homing.statistics.delta import Delta

CellName = tuple[int, str, str]  # account, app, network
RangeName = tuple[int, str, str, str]  # account, app, network, the range's first digits; '' is the whole network

WHOLE_NETWORK: Final = ""
"""In place of a range's digits."""


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """A range, network or country that is judged as theft. `sure` False: its app's conversions are not reported, so
    only density speaks, and nothing is blocked for it.
    """

    reason: Reason
    since_s: float
    until_s: float
    sure: bool = True


class Room(msgspec.Struct, frozen=True, array_like=True):
    """Messages that were counted lately, and the number from which no more pass until the mind has judged."""

    counted: float
    limit: float


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """An app's traffic to a network: `limits` by level, for ranges that the book does not name; `network` and `country`
    are their unverified messages. `sure` as in `Verdict`.
    """

    limits: tuple[int, ...]
    network: Room | None
    country: Room | None
    verdict: Verdict | None = None
    sure: bool = True


class Spent(msgspec.Struct, frozen=True, array_like=True):
    """An account's messages and money to a country, in this hour and on this day (UTC), that the mind has heard of."""

    hour: int
    hour_messages: int
    hour_micro: int
    day: int
    day_messages: int
    day_micro: int


class VerdictBook(msgspec.Struct, frozen=True):
    """Everything at one moment. Immutable; the next book replaces it as a whole."""

    made_s: float = 0.0
    cells: Mapping[CellName, Terms] = {}
    verdicts: Mapping[RangeName, Verdict] = {}
    rooms: Mapping[RangeName, Room] = {}
    spent: Mapping[tuple[int, str], Spent] = {}  # (account, country)
    sure: Set[tuple[int, str]] = frozenset()  # (account, app): those whose conversions are reported
    probes: Set[RangeName] = frozenset()  # what is judged, of which one message is to pass

    def spared(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Those that are not of condemned messages."""
        return [delta for delta in deltas if not self.condemns(delta)] if self.verdicts else deltas

    def condemns(self, delta: Delta) -> bool:
        """Whether these messages went to a range that was judged as theft by then. That nobody came back of them says
        nothing of the carrier that took them there.
        """
        for cut in LEVELS:
            digits = delta.block[: len(delta.block) + LEVELS[0] - cut]
            verdict = self.verdicts.get((delta.account_id, delta.app_id, delta.network, digits))
            if verdict is not None:
                return verdict.sure and delta.minute > verdict.since_s // 60
        return False


class _Written(msgspec.Struct, frozen=True, array_like=True):
    """A book as bytes hold it: MessagePack's maps have no tuples for keys."""

    made_s: float
    cells: list[tuple[CellName, Terms]]
    verdicts: list[tuple[RangeName, Verdict]]
    rooms: list[tuple[RangeName, Room]]
    spent: list[tuple[tuple[int, str], Spent]]
    sure: list[tuple[int, str]]
    probes: list[RangeName]


def write(book: VerdictBook, ranges_max: int) -> bytes:
    """A book for other processes; of verdicts and rooms at most `ranges_max` each, the latest verdicts."""
    verdicts = sorted(book.verdicts.items(), key=lambda pair: -pair[1].since_s)[:ranges_max]
    rooms = list(book.rooms.items())[:ranges_max]
    return msgspec.msgpack.encode(
        _Written(
            book.made_s,
            list(book.cells.items()),
            verdicts,
            rooms,
            list(book.spent.items()),
            list(book.sure),
            list(book.probes)[:ranges_max],
        )
    )


def read(written: bytes) -> VerdictBook:
    """Raises `msgspec.DecodeError` where another release wrote it."""
    found = msgspec.msgpack.decode(written, type=_Written)
    return VerdictBook(
        found.made_s,
        dict(found.cells),
        dict(found.verdicts),
        dict(found.rooms),
        dict(found.spent),
        frozenset(found.sure),
        frozenset(found.probes),
    )
