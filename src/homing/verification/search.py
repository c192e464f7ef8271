"""Verifications as people see them: looked for, and the story of one. No code, sealed or hashed, is read for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.common import ids
from homing.model import VerificationStatus
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.verifications import ShownVerification, VerificationMessageRow

STATUSES: Final[Mapping[str, tuple[VerificationStatus, bool | None]]] = {
    "pending": (VerificationStatus.PENDING, False),
    "verified": (VerificationStatus.VERIFIED, None),
    "failed": (VerificationStatus.FAILED, None),
    "expired": (VerificationStatus.PENDING, True),
    "cancelled": (VerificationStatus.CANCELLED, None),
}
"""By name what is stored: the status, and whether the time to enter the code is over (None: it does not matter)."""


class VerificationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`number`: E.164 digits. `reference`: the customer's. `status`: a key of `STATUSES`. `before_id`: only those below
    this id.
    """

    account_id: int | None = None
    number: str | None = None
    reference: str | None = None
    status: str | None = None
    before_id: int = ids.ID_MAX


class FoundVerifications(msgspec.Struct, frozen=True):
    """`rows`: the latest first. `stopped_id`: the last verification that was looked at before the search had found as
    many as it should; None: it went on to the end.
    """

    rows: Sequence[ShownVerification]
    stopped_id: int | None


class ShownStory(msgspec.Struct, frozen=True):
    """A verification, and the messages that carried its code, in their order."""

    verification: ShownVerification
    messages: Sequence[VerificationMessageRow]


def status_name(row: ShownVerification) -> str:
    """A key of `STATUSES`."""
    return "expired" if row.is_expired else VerificationStatus(row.status).name.lower()


async def search_verifications(
    database: Database,
    wanted: VerificationFilter,
    rows_max: int,
    now: datetime,
    looked_max: int = limits.SEARCH_LOOKED_MAX,
) -> FoundVerifications:
    """At most `rows_max` rows. Those of a status have no index: of them no more than `looked_max` are looked at."""
    last_id = None
    if wanted.status is not None:
        last_id = await statements.verifications.verifications_search_end(
            database,
            before_id=wanted.before_id,
            account_id=wanted.account_id,
            number=wanted.number,
            reference=wanted.reference,
            looked_max=looked_max,
        )
    status, is_expired = (None, None) if wanted.status is None else STATUSES[wanted.status]
    rows = await statements.verifications.verifications_searched(
        database,
        now=now,
        first_id=last_id or 0,
        before_id=wanted.before_id,
        account_id=wanted.account_id,
        number=wanted.number,
        reference=wanted.reference,
        status=status,
        is_expired=is_expired,
        rows_max=rows_max,
    )
    return FoundVerifications(rows, None if len(rows) >= rows_max else last_id)


async def read_shown_story(
    database: Database, message_id: int, *, now: datetime, account_id: int | None = None
) -> ShownStory | None:
    """By the id of any of its messages, of an account or any; None: there is none."""
    if not 0 < message_id <= ids.ID_MAX:
        return None
    row = await statements.verifications.verification_shown(
        database, now=now, message_id=message_id, account_id=account_id
    )
    if row is None:
        return None
    messages = await statements.verifications.verification_story(
        database, account_id=row.account_id, verification_id=row.verification_id
    )
    return ShownStory(row, messages)
