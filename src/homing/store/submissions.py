"""Charges, stores and queues new messages by one statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from homing.store import statements
from homing.store.rows import Executor
from homing.store.statements.intake import AccountCharge, NewMessage


class Payment(msgspec.Struct, frozen=True):
    """Whether an account's part of a batch was charged, and what the account had available before."""

    is_paid: bool
    available_micro: int


async def submit(db: Executor, messages: Sequence[NewMessage], *, now: datetime) -> Mapping[int, Payment]:
    """One transaction, or part of one. An account that can pay for its whole part of the batch has it charged, stored
    and queued; of the others nothing is written. Raises a `PlatformFailure`.
    """
    charged_micro: dict[int, int] = {}
    before_micro = []
    for message in messages:
        spent_micro = charged_micro.get(message.account_id, 0)
        before_micro.append(spent_micro)
        charged_micro[message.account_id] = spent_micro + message.price_micro * message.segments
    accounts = sorted(charged_micro)  # one order for all, so that two batches cannot wait for each other
    rows = await statements.intake.submit(
        db,
        now=now,
        messages=messages,
        before_micro=before_micro,
        charges=[AccountCharge(account_id=account, total_micro=charged_micro[account]) for account in accounts],
    )
    return {row.account_id: Payment(row.is_paid, row.available_micro) for row in rows}
