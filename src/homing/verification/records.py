"""What is shown of verifications: lists, and the story of one with its messages."""

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
    database: Database, message_id: int, *, now: datetime, account_id: int | None = None
) -> VerificationStory | None:
    """By the id of any of its messages, of an account or any; None: there is none."""
    if not 0 < message_id <= ids.ID_MAX:
        return None
    if account_id is None:
        row = await statements.verifications.verification_find_anywhere(database, message_id=message_id, now=now)
    else:
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


async def list_verifications(
    database: Database,
    *,
    now: datetime,
    rows_max: int,
    account_id: int | None = None,
    number: str | None = None,
    before_id: int | None = None,
) -> Sequence[VerificationRow]:
    """The latest ones below an id, of an account or all, to a number or any."""
    return await statements.verifications.verifications_listed(
        database,
        account_id=account_id,
        number=number,
        before_id=ids.ID_MAX if before_id is None else before_id,
        rows_max=rows_max,
        now=now,
    )


async def _story(database: Database, row: VerificationRow) -> VerificationStory:
    messages = await statements.verifications.verification_story(
        database, account_id=row.account_id, verification_id=row.verification_id
    )
    return VerificationStory(row, messages)
