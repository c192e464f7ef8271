"""What is forgotten by the hour: codes that nobody can check, answers of calls of a day ago, limits' windows, shares
that customers reported a year ago.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from homing.model import EventType
from homing.store import statements
from homing.store.database import Database

ROWS_MAX: Final = 50_000
"""That a transaction forgets: a send that needs one of them waits for no more. Each reads all that limits have used."""


async def forget_calls_and_codes(database: Database) -> None:
    await statements.verifications.verifications_forget(database, expired_type=EventType.VERIFICATION_EXPIRED)
    await _forget(lambda: statements.intake.answered_calls_forget(database, rows_max=ROWS_MAX))
    await _forget(lambda: statements.intake.limits_forget(database, rows_max=ROWS_MAX))
    await statements.verifications.reported_rates_forget(database)


async def _forget(some: Callable[[], Awaitable[int]]) -> None:
    while await some() == ROWS_MAX:
        pass
