"""The story of a verification with its messages, as its customer asks for it. What people see of it: search.py."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing.common import ids
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.verifications import VerificationMessageRow, VerificationRow


class VerificationStory(msgspec.Struct, frozen=True):
    """A verification and the messages that carried its code, in their order."""

    verification: VerificationRow
    messages: Sequence[VerificationMessageRow]


async def read_story(
    database: Database, message_id: int, *, now: datetime, account_id: int
) -> VerificationStory | None:
    """By the id of any of its messages; None: the account has no such verification."""
    if not 0 < message_id <= ids.ID_MAX:
        return None
    row = await statements.verifications.verification_find(
        database, account_id=account_id, message_id=message_id, now=now
    )
    return None if row is None else await _story(database, row)


async def read_story_by_reference(
    database: Database, account_id: int, app_id: str, reference: str, *, now: datetime
) -> VerificationStory | None:
    """The latest verification of an app with a reference of the customer's."""
    row = await statements.verifications.verification_by_reference(
        database, account_id=account_id, app_id=app_id, reference=reference, now=now
    )
    return None if row is None else await _story(database, row)


async def _story(database: Database, row: VerificationRow) -> VerificationStory:
    messages = await statements.verifications.verification_story(
        database, account_id=row.account_id, verification_id=row.verification_id
    )
    return VerificationStory(row, messages)
