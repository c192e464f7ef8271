"""Queries a carrier with query_sm (SMPP 3.4, section 4.8) about messages whose receipts have not come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from homing.carriers.base import CarrierReport, Clock
from homing.carriers.smpp.encoding import address
from homing.carriers.smpp.settings import SmppSettings
from homing.model import CarrierReceipt, Outstanding
from homing.smpp import times
from homing.smpp.connection import SmppConnection
from homing.smpp.open_requests import ResponseOrFailure
from homing.smpp.pdus import QuerySm, QuerySmResp
from homing.smpp.receipt_text import MESSAGE_STATES
from homing.smpp.statuses import CommandStatus

SMPP_CARRIER_QUERY_AGE_S: Final = 300.0
SMPP_CARRIER_QUERY_PAUSE_S: Final = 0.1  # between two query_sm


async def query_all(
    outstanding: Sequence[Outstanding],
    settings: SmppSettings,
    connection_with_room: Callable[[], Awaitable[SmppConnection]],
    report_to: Callable[[CarrierReport], None],
    clock: Clock,
) -> None:
    """Queries one message after the other, at a bounded rate. A message that was sent recently is left to its receipt.
    `connection_with_room`: waits for one.
    """
    newest = clock() - timedelta(seconds=SMPP_CARRIER_QUERY_AGE_S)
    for message in outstanding:
        if message.submitted_at > newest:
            continue
        connection = await connection_with_room()
        source, ton, npi = address(message.sender, settings)
        query = QuerySm(message_id=message.carrier_ref, source_addr_ton=ton, source_addr_npi=npi, source_addr=source)
        report = receipt_from_answer(message, await connection.request(query), clock())
        if report is not None:
            report_to(report)
        await asyncio.sleep(SMPP_CARRIER_QUERY_PAUSE_S)


def receipt_from_answer(message: Outstanding, answer: ResponseOrFailure, now: datetime) -> CarrierReceipt | None:
    """The response as a receipt; None where the carrier does not know, or the message is still on its way."""
    if not isinstance(answer, QuerySmResp) or answer.status != CommandStatus.ROK:
        return None
    state = MESSAGE_STATES.get(answer.message_state)
    if state is None:
        return None
    try:
        final_date = times.parse(answer.final_date)
    except ValueError:
        final_date = None
    ended_at = final_date if isinstance(final_date, datetime) and message.submitted_at <= final_date <= now else now
    raw = (
        f"query_sm: message_state={answer.message_state} final_date={answer.final_date} error_code={answer.error_code}"
    )
    error = f"{answer.error_code:03d}" if answer.error_code else None
    return CarrierReceipt(message.carrier_ref, state, ended_at, error, raw, message.number)
