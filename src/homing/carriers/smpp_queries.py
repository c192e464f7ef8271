"""Asks a carrier with query_sm (SMPP 3.4, section 4.8) what became of messages whose receipts have not come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from homing import limits
from homing.carriers.base import Clock, Report
from homing.carriers.smpp_encoding import address
from homing.carriers.smpp_settings import SmppSettings
from homing.model import CarrierReceipt, Outstanding
from homing.smpp import times
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import QuerySm, QuerySmResp
from homing.smpp.receipt_text import MESSAGE_STATES
from homing.smpp.session import ResponseOrFailure
from homing.smpp.statuses import CommandStatus


async def query_all(
    outstanding: Sequence[Outstanding],
    settings: SmppSettings,
    link: Callable[[], Awaitable[SmppConnection]],
    tell: Callable[[Report], None],
    clock: Clock,
) -> None:
    """One after the other, at a bounded pace; what is too young is left to its receipt. `link` waits for
    one with room.
    """
    eldest = clock() - timedelta(seconds=limits.SMPP_CARRIER_QUERY_AGE_S)
    for one in outstanding:
        if one.submitted_at > eldest:
            continue
        connection = await link()
        source, ton, npi = address(one.sender, settings)
        query = QuerySm(message_id=one.carrier_ref, source_addr_ton=ton, source_addr_npi=npi, source_addr=source)
        report = receipt_from_answer(one, await connection.request(query), clock())
        if report is not None:
            tell(report)
        await asyncio.sleep(limits.SMPP_CARRIER_QUERY_PAUSE_S)


def receipt_from_answer(one: Outstanding, answer: ResponseOrFailure, now: datetime) -> CarrierReceipt | None:
    """A receipt of what the carrier says; None where it does not know, or the message is still on its way."""
    if not isinstance(answer, QuerySmResp) or answer.status != CommandStatus.ROK:
        return None
    state = MESSAGE_STATES.get(answer.message_state)
    if state is None:
        return None
    try:
        done = times.parse(answer.final_date)
    except ValueError:
        done = None
    at = done if isinstance(done, datetime) and one.submitted_at <= done <= now else now
    raw = (
        f"query_sm: message_state={answer.message_state} final_date={answer.final_date} error_code={answer.error_code}"
    )
    error = f"{answer.error_code:03d}" if answer.error_code else None
    return CarrierReceipt(one.carrier_ref, state, at, error, raw, one.number)
