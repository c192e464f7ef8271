"""New messages on their way into the database: paid, stored and queued by one statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from homing import limits
from homing.store.database import Database


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message before it has been paid for. Its members are the columns that `submit` (store/sql/intake.sql) is given,
    in their order there; a test holds them together.

    `raw_number`: as the customer wrote it, None where that is `number`. `price_micro`: of a segment. `notes`: a JSON
    object. `registered`: which reports an SMPP customer asked for (SMPP 3.4, 5.2.17).
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

    @property
    def charge_micro(self) -> int:
        return self.price_micro * self.segments


class Payment(msgspec.Struct, frozen=True):
    """What became of an account's part of a batch: whether it was paid for, and what the account had for it."""

    is_paid: bool
    available_micro: int


async def submit(database: Database, messages: Sequence[NewMessage], *, now: datetime) -> Mapping[int, Payment]:
    """One transaction, by account: who can pay for all of its part has it charged, stored and queued; of the others
    nothing is written. Raises a `PlatformFailure`.
    """
    charged_micro: dict[int, int] = {}
    before_micro = []
    for message in messages:
        spent_micro = charged_micro.get(message.account_id, 0)
        before_micro.append(spent_micro)
        charged_micro[message.account_id] = spent_micro + message.charge_micro
    accounts = sorted(charged_micro)  # one order for all, so that two batches cannot wait for each other
    rows = await database.fetch(
        "submit",
        now,
        accounts,
        [charged_micro[account] for account in accounts],
        *zip(*map(msgspec.structs.astuple, messages), strict=True),
        before_micro,
        limits.LANES_PER_CARRIER,
    )
    return {row["account_id"]: Payment(row["is_paid"], row["available_micro"]) for row in rows}
