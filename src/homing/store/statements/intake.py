"""Statements of sql/intake.sql.

Made by tools/sql_bindings.py from sql/intake.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, fetch_rows

_SQL: Final = queries.load("intake")


class AccountCharge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `submit` is given."""

    account_id: int
    total_micro: int


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message that is to be charged and stored. `raw_number`: as the customer wrote it; None if that is `number`.
    `price_micro`: of a segment. `notes`: a JSON object. `registered`: which reports an SMPP customer asked for (SMPP
    3.4, 5.2.17).
    """

    account_id: int
    message_id: int
    submission_id: int
    dialect: int
    app_id: str
    request_id: str
    raw_number: str | None
    number: str
    country: str
    mcc: str
    mnc: str
    sender: str
    text: str
    encoding: int
    segments: int
    traffic: int
    reference: str | None
    callback_url: str | None
    price_micro: int
    route_id: int
    carrier_id: int
    notes: str | None
    validity_s: int
    registered: int | None


class PaymentRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `submit`."""

    account_id: int
    is_paid: bool
    available_micro: int


async def submit(
    db: Executor,
    *,
    charges: Sequence[AccountCharge],
    messages: Sequence[NewMessage],
    before_micro: Sequence[int],
    now: datetime,
) -> list[PaymentRow]:
    """One statement, one transaction: a conditional UPDATE charges each account that can pay for all of its messages
    in this batch, and only messages that are paid for are stored and queued. An account that cannot pay for all of
    them is not charged; the caller reads its available amount and submits again what that covers. `old` is the
    balance that the UPDATE locked: a value that is read beside it, even FOR UPDATE, may have been spent by a
    concurrent batch.
    """
    return await fetch_rows(
        db, _SQL["submit"], PaymentRow, *columns(charges, 2), *columns(messages, 24), before_micro, now
    )
