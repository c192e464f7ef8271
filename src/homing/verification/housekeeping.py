"""What is forgotten by the hour: codes that nobody can check, answers of calls of a day ago, limits' windows."""

from homing.store import statements
from homing.store.database import Database


async def forget_calls_and_codes(database: Database) -> None:
    await statements.verifications.verifications_forget(database)
    await statements.intake.answered_calls_forget(database)
    await statements.intake.limits_forget(database)
