"""Charges, stores and queues new messages by one statement, with what they are bound to."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.intake import (
    AccountCharge,
    NewLimitUse,
    NewMessage,
    NewMessageCode,
    NumberBound,
    OutcomeOnTerms,
    PaymentRow,
)

PLACE_KEY: Final = "verification_place"
LIMIT_KEYS: Final = frozenset(("limit_use_pkey", PLACE_KEY))


class Payment(msgspec.Struct, frozen=True):
    """Whether an account's part of a batch was charged, and what the account had available before."""

    is_paid: bool
    available_micro: int


async def submit(db: Executor, messages: Sequence[NewMessage], *, now: datetime) -> Mapping[int, Payment]:
    """One transaction, or part of one. An account that can pay for its whole part of the batch has it charged, stored
    and queued; of the others nothing is written. Raises a `PlatformFailure`.
    """
    before_micro, charges = _charges(messages)
    return _payments(
        await statements.intake.submit(db, now=now, messages=messages, before_micro=before_micro, charges=charges)
    )


async def submit_on_terms(
    connection: DatabaseConnection,
    messages: Sequence[NewMessage],
    *,
    codes: Sequence[NewMessageCode | None],
    bounds: Sequence[NumberBound],
    uses: Sequence[NewLimitUse],
    now: datetime,
) -> tuple[Mapping[int, Payment], Mapping[int, int]]:
    """As `submit`; with an account's messages the codes that they carry and its `uses` of limits are stored. `codes`:
    that of each message, or nothing at all.

    Second come the messages for whose code the `bounds` of its number leave no room, each with the seconds until they
    do: then nothing is written. Without those and without any payment a use is no longer as it was read: nothing is
    written, and a transaction that this is part of has to be rolled back.
    """
    before_micro, charges = _charges(messages)
    try:
        rows = await statements.intake.submit_on_terms(
            connection,
            now=now,
            messages=messages,
            before_micro=before_micro,
            charges=charges,
            uses=uses,
            uses_held=sum(use.earlier is not None for use in uses),
            codes=codes,
            bounds=bounds,
            now_ms=int(now.timestamp() * 1000),
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name in LIMIT_KEYS:  # a limit was used for the first time meanwhile, or a number got a code
            return {}, {}
        raise
    waits = {row.refused_id: math.ceil(row.wait_ms / 1000) for row in rows if row.refused_id and row.wait_ms}
    return ({} if waits else _payments(rows)), waits


def _charges(messages: Sequence[NewMessage]) -> tuple[list[int], list[AccountCharge]]:
    """What its account was charged in the batch before each message, and each account's total."""
    charged_micro: dict[int, int] = {}
    before_micro = []
    for message in messages:
        spent_micro = charged_micro.get(message.account_id, 0)
        before_micro.append(spent_micro)
        charged_micro[message.account_id] = spent_micro + message.price_micro * message.segments
    accounts = sorted(charged_micro)  # one order for all, so that two batches cannot wait for each other
    return before_micro, [AccountCharge(account_id=account, total_micro=charged_micro[account]) for account in accounts]


def _payments(rows: Sequence[PaymentRow | OutcomeOnTerms]) -> Mapping[int, Payment]:
    return {row.account_id: Payment(row.is_paid, row.available_micro) for row in rows}
