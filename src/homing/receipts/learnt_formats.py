"""What receipts have shown about each carrier: the format of its message IDs, and whether its receipts name
recipients.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from homing.receipts.id_formats import IdFormat
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.receipts import IdFormatCount

CONFIRMATIONS_MIN: Final = 20
"""Receipts that must confirm a carrier's format, or contradict its numbers, before that is relied on."""

NUMBER_MISMATCH: Final = "number_mismatch"
"""Counted beside the formats: receipts with the exact ID of one message and another number than its recipient's."""


class LearntIdFormat(msgspec.Struct, frozen=True):
    """The format of a carrier's message IDs, how many receipts confirmed it by their number, and since when."""

    format: IdFormat
    confirmed: int
    since: datetime


async def learnt_id_format(database: Database, carrier_id: int) -> LearntIdFormat | None:
    """A carrier's learnt format, for people; None while there are too few receipts, or several formats."""
    rows = await statements.receipts.id_formats_of_carrier(database, carrier_id=carrier_id)
    by_format = {row.format: row for row in rows}
    learnt = _learnt({row.format: row.confirmed for row in rows})
    return None if learnt is None else LearntIdFormat(learnt, by_format[learnt].confirmed, by_format[learnt].first_at)


class LearntIdFormats:
    """Counts what this process's receipts confirm, and holds what those of all processes have confirmed.

    The counts are exchanged through the database every few seconds, one row for each carrier and format.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new_counts: Counter[tuple[int, str]] = Counter()  # by carrier and format
        self._formats: Mapping[int, IdFormat] = {}
        self._mismatching: frozenset[int] = frozenset()

    def learnt(self, carrier_id: int) -> IdFormat | None:
        """The carrier's format, if enough receipts have confirmed it and none another."""
        return self._formats.get(carrier_id)

    def has_recipient_numbers(self, carrier_id: int) -> bool:
        """False for a carrier whose receipts never name the recipient, but for instance the subscriber's IMSI."""
        return carrier_id not in self._mismatching

    def confirm(self, carrier_id: int, id_format: IdFormat) -> None:
        """A receipt in this format named its message's recipient."""
        self._new_counts[carrier_id, id_format] += 1

    def count_mismatch(self, carrier_id: int) -> None:
        """A receipt had the exact ID of one message and another number than its recipient's."""
        self._new_counts[carrier_id, NUMBER_MISMATCH] += 1

    async def exchange(self) -> None:
        """Adds this process's counts to the database and reads the totals. Raises a `PlatformFailure`; the counts are
        then added the next time.
        """
        new_counts, self._new_counts = self._new_counts, Counter()
        try:
            if new_counts:
                await statements.receipts.id_formats_count(
                    self._database,
                    counts=[
                        IdFormatCount(carrier_id=carrier_id, format=id_format, confirmed=count)
                        for (carrier_id, id_format), count in sorted(new_counts.items())
                    ],
                )
        except BaseException:
            self._new_counts.update(new_counts)
            raise
        totals: dict[int, dict[str, int]] = {}
        for row in await statements.receipts.id_formats_all(self._database):
            totals.setdefault(row.carrier_id, {})[row.format] = row.confirmed
        learnt = {carrier_id: _learnt(counts) for carrier_id, counts in totals.items()}
        self._formats = {carrier_id: id_format for carrier_id, id_format in learnt.items() if id_format is not None}
        self._mismatching = frozenset(carrier_id for carrier_id, counts in totals.items() if _only_mismatches(counts))


def _learnt(counts: Mapping[str, int]) -> IdFormat | None:
    formats = [IdFormat(name) for name in counts if name != NUMBER_MISMATCH]
    if len(formats) == 1 and counts[formats[0]] >= CONFIRMATIONS_MIN:
        return formats[0]
    return None


def _only_mismatches(counts: Mapping[str, int]) -> bool:
    return set(counts) == {NUMBER_MISMATCH} and counts[NUMBER_MISMATCH] >= CONFIRMATIONS_MIN
