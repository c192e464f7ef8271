"""Inbound messages (MO): given to the account and app that last wrote to the person, and pushed to it."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Final

import msgspec
import structlog

from homing import limits
from homing.kit.ids import first_id_at, id_time_ms
from homing.kit.storable import storable
from homing.messages import laaffic_form, smpp_form
from homing.messages.outbox import Push, add_pushes
from homing.model import CarrierInbound, PushKind
from homing.store.database import Database
from homing.text.numbers import Numbering, normalise

log = structlog.get_logger()
encode: Final = msgspec.json.encode


class InboundMail:
    """Stores what people send back. Whose it is: of the messages to this number, the latest one's account and app."""

    def __init__(self, database: Database, numbering: Numbering, next_id: Callable[[], int]) -> None:
        self._database = database
        self._numbering = numbering
        self._next_id = next_id

    async def take(self, carrier_id: int, inbound: Sequence[CarrierInbound]) -> None:
        """Durable when it returns. A message that was brought before is heard once."""
        for one in inbound:
            await self._take_one(carrier_id, one)

    async def _take_one(self, carrier_id: int, one: CarrierInbound) -> None:
        number = normalise(one.number) or storable(one.number, limits.INBOUND_ADDRESS_CHARS_MAX)
        recipient = storable(one.recipient, limits.INBOUND_ADDRESS_CHARS_MAX)
        owner = await self._database.row("inbound_owner", number, recipient, limits.BIND_INBOUND_DAYS)
        if owner is None:
            log.warning("inbound_for_nobody", carrier_id=carrier_id)
            return
        place = self._numbering.locate(number)
        inbound_id = self._next_id()
        content = storable(one.content)
        carrier_ref = storable(one.carrier_ref, limits.RECEIPT_REF_CHARS_MAX)
        async with self._database.transaction() as transaction:
            if carrier_ref:
                await transaction.fetch("inbound_lock", f"{number} {carrier_ref}", carrier_id)
                since_id = first_id_at(id_time_ms(inbound_id) - limits.INBOUND_TWIN_DAYS * 86_400_000)
                twins = await transaction.fetch(
                    "inbound_twin",
                    owner["account_id"],
                    carrier_id,
                    number,
                    carrier_ref,
                    recipient,
                    content,
                    since_id,
                )
                if twins:
                    return
            await transaction.execute(
                "inbound_add",
                owner["account_id"],
                inbound_id,
                owner["app_id"],
                carrier_id,
                number,
                recipient,
                content,
                one.received_at,
                place.mcc,
                place.mnc,
                place.network,
                carrier_ref,
            )
            if owner["inbound_url"]:
                form = laaffic_form.Inbound(
                    msgid=str(inbound_id),
                    mobile=number,
                    reply_time=one.received_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                    content=content,
                    sendid=recipient,
                    mcc=laaffic_form.code_number(place.mcc),
                    mnc=laaffic_form.code_number(place.mnc),
                    operator=place.network or "-1",
                    pricedetail=laaffic_form.price_detail(0, 1, 0),
                )
                await transaction.execute(
                    "pushes_add",
                    [owner["account_id"]],
                    [owner["account_id"] % limits.PUSH_LANES],
                    [inbound_id],
                    [int(PushKind.LAAFFIC_INBOUND)],
                    [owner["inbound_url"]],
                    [encode(form).decode()],
                )
            if owner["is_bound"]:
                told = smpp_form.Inbound(number, recipient, content)
                body = encode(told).decode()
                await add_pushes(transaction, [Push(owner["account_id"], inbound_id, PushKind.SMPP_INBOUND, "", body)])
