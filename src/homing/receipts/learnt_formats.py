"""What receipts have taught about carriers: the form of their ids, and whether their numbers are to be believed."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from homing.receipts.id_formats import IdFormat
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.receipts import FormCount

RECEIPT_FORM_NUMBERS_MIN: Final = 20  # numbers that agreed before a carrier's form counts as learnt
NUMBERS_DIFFER: Final = "numbers differ"
"""Counted beside the forms: receipts with the very id of one message, and a number that is not its recipient's."""


class LearntIdFormat(msgspec.Struct, frozen=True):
    """The form of a carrier's ids: how many receipts confirmed it by their number, and since when."""

    form: IdFormat
    confirmed: int
    since: datetime


async def learnt_id_format(database: Database, carrier_id: int) -> LearntIdFormat | None:
    """What is known of a carrier, for people; None while its receipts have not told."""
    mine = {row.form: row for row in await statements.receipts.reference_forms(database, carrier_id=carrier_id)}
    form = _settled({name: row.confirmed for name, row in mine.items()})
    return None if form is None else LearntIdFormat(form, mine[form].confirmed, mine[form].first_at)


class LearntIdFormats:
    """Counts what this process's receipts confirm and knows what those of all processes have confirmed.

    Counts are written every few seconds, one row a carrier and form.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fresh: Counter[tuple[int, str]] = Counter()
        self._forms: Mapping[int, IdFormat] = {}
        self._strange: frozenset[int] = frozenset()

    def form(self, carrier_id: int) -> IdFormat | None:
        """The one form that a carrier's ids have, once enough receipts have confirmed it and none another."""
        return self._forms.get(carrier_id)

    def believes_numbers(self, carrier_id: int) -> bool:
        """Not those of a carrier whose receipts never name the recipient, but for instance the subscriber's IMSI."""
        return carrier_id not in self._strange

    def confirm(self, carrier_id: int, form: IdFormat) -> None:
        self._fresh[carrier_id, form] += 1

    def contradict(self, carrier_id: int) -> None:
        """A receipt had the very id of one message and named another number."""
        self._fresh[carrier_id, NUMBERS_DIFFER] += 1

    async def exchange(self) -> None:
        """Writes what is new, and reads what is known. Raises a `PlatformFailure`; nothing is lost by it."""
        fresh, self._fresh = self._fresh, Counter()
        try:
            if fresh:
                told = sorted(fresh.items())
                await statements.receipts.forms_count(
                    self._database,
                    counts=[
                        FormCount(carrier_id=carrier_id, form=form, confirmed=count)
                        for (carrier_id, form), count in told
                    ],
                )
        except BaseException:
            self._fresh.update(fresh)
            raise
        counts: dict[int, dict[str, int]] = {}
        for row in await statements.receipts.forms_all(self._database):
            counts.setdefault(row.carrier_id, {})[row.form] = row.confirmed
        settled = {carrier_id: _settled(mine) for carrier_id, mine in counts.items()}
        self._forms = {carrier_id: form for carrier_id, form in settled.items() if form is not None}
        self._strange = frozenset(carrier_id for carrier_id, mine in counts.items() if _is_strange(mine))


def _settled(counts: Mapping[str, int]) -> IdFormat | None:
    forms = [IdFormat(name) for name in counts if name != NUMBERS_DIFFER]
    if len(forms) == 1 and counts[forms[0]] >= RECEIPT_FORM_NUMBERS_MIN:
        return forms[0]
    return None


def _is_strange(counts: Mapping[str, int]) -> bool:
    return set(counts) == {NUMBERS_DIFFER} and counts[NUMBERS_DIFFER] >= RECEIPT_FORM_NUMBERS_MIN
