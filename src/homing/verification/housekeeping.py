"""What is forgotten by the hour: codes that nobody can check, answers of calls of a day ago, limits' windows, shares
that customers reported a year ago.
"""

from homing.store import statements
from homing.store.database import Database


async def forget_calls_and_codes(database: Database) -> None:
    await statements.verifications.verifications_forget(database)
    await statements.intake.answered_calls_forget(database)
    await statements.intake.limits_forget(database)
    await statements.verifications.reported_rates_forget(database)
