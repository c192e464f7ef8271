"""Why a parked receipt has found no message: what its id could be, and what speaks against each."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing.model import CarrierReceipt
from homing.receipts.forms import Form, key, keys
from homing.receipts.lookup import Arrived, candidates_of, span_of
from homing.receipts.matching import Candidate, agrees
from homing.store.database import Connection, Record


class Considered(msgspec.Struct, frozen=True):
    """A message whose carrier's id the receipt's can be, `form` the way in which it can, and what the numbers say."""

    message_id: int
    part: int
    carrier_ref: str
    form: Form
    number: str
    says: str


async def consider(connection: Connection, parked: Record, now: datetime) -> Sequence[Considered]:
    """Every message that a row of `unmatched_show` may be about by its id, the latest first."""
    receipt = CarrierReceipt(
        parked["carrier_ref"],
        parked["state"],
        parked["received_at"],
        parked["error_code"],
        parked["raw"],
        parked["number"],
    )
    keyed = keys(receipt.carrier_ref)
    wanted = [(0, parked["carrier_id"], each) for each in set(keyed.values())]
    span = span_of([Arrived(parked["carrier_id"], "", receipt, parked["parked_id"])], now)
    found: list[Candidate] = []
    for statement in ("receipts_match", "receipts_match_parts"):
        found += (await candidates_of(connection, statement, wanted, span)).get(0, [])
    forms = {written: form for form, written in reversed(keyed.items())}
    return [
        Considered(
            one.message_id, one.part, one.carrier_ref, forms[key(one.carrier_ref)], one.number, _says(receipt, one)
        )
        for one in sorted(found, key=lambda one: (-one.message_id, one.part))
    ]


def _says(receipt: CarrierReceipt, one: Candidate) -> str:
    match agrees(receipt.number, one.number, one.sender):
        case True:
            return "the number agrees"
        case False:
            return "the receipt names another number"
        case _:
            return "the receipt does not tell the number"
