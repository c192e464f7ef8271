"""Receipts from carriers: matched to their messages, applied once, kept.

A receipt can come before the answer to its submit is stored, or never match at all. Those are parked, tried again for
some minutes, and then stay in a list that people can see and replay (docs/internals/receipts.md).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.common.batching import Batcher
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects
from homing.messages.outbox import LocalDelivery, Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import CarrierReceipt
from homing.observe.work import WorkMetrics
from homing.receipts.learnt_formats import LearntIdFormats
from homing.receipts.lookup import ArrivedReceipt, ReceiptLookup
from homing.receipts.matching import ReceiptCandidate
from homing.receipts.parts import PartReport, take_parts
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import NewParkedReceipt, NewReceipt

RECEIPTS_PENDING_MAX: Final = 50_000
RECEIPTS_LINGER_S: Final = 0.01
RECEIPT_PARK_RETRY_S: Final = 0.05  # the first time, then doubling
RECEIPT_PARK_SWEEP_S_MAX: Final = 1.0
RECEIPT_TEXT_CHARS_MAX: Final = 1_024


__all__ = ["ArrivedReceipt", "ReceiptInbox"]

STATES: Final = tuple(MessageState)  # by their numbers: a look here costs a tenth of a conversion
NO_ERROR: Final = (None, "0", "000")

log = structlog.get_logger()


class MatchedReceipt(msgspec.Struct):
    """A receipt and what it is about; `applied` once it has changed that."""

    arrived: ArrivedReceipt
    candidate: ReceiptCandidate
    applied: bool = False


class ReceiptInbox:
    """Takes receipts of all carriers and applies them, many in one transaction."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        dialects: Dialects,
        local_delivery: LocalDelivery | None = None,
    ) -> None:
        """`local_delivery`: who posts pushes in this process."""
        self._dialects = dialects
        self._database = database
        self._local_delivery = local_delivery
        self._clock = clock
        self._work_metrics = work_metrics
        self._learning = LearntIdFormats(database)
        self._lookup = ReceiptLookup(self._learning, clock)
        self._parked = asyncio.Event()
        self._batches: Batcher[Sequence[ArrivedReceipt], None] = Batcher(
            self._store,
            weight_max=limits.RECEIPTS_BATCH_MAX,
            pending_max=RECEIPTS_PENDING_MAX,
            linger_s=RECEIPTS_LINGER_S,
            weigh=len,
        )

    async def take(self, arrived: Sequence[ArrivedReceipt]) -> None:
        """Returns when the receipts are durable. Raises a `PlatformFailure` when they are not."""
        await self._batches.put([_storable(one) for one in arrived])

    async def drained(self) -> None:
        await self._batches.drained()

    async def learn(self) -> None:
        """Tells the other processes what this one's receipts have taught, and hears from them."""
        await self._learning.exchange()

    async def retry_parked(self) -> None:
        """Tries parked receipts again for ever: soon after one was parked, then less and less often. Learns and tidies
        up beside it.
        """
        loop = asyncio.get_running_loop()
        pause_s = RECEIPT_PARK_SWEEP_S_MAX
        learn_at_s = tidy_at_s = loop.time()
        while True:
            try:
                if loop.time() >= learn_at_s:
                    await self.learn()
                    learn_at_s = loop.time() + limits.RECEIPT_LEARN_S
                if loop.time() >= tidy_at_s:
                    await self._forget_old()
                    tidy_at_s = loop.time() + limits.PARTITION_SWEEP_S
                while await self.retry_due() == limits.RECEIPTS_BATCH_MAX:
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="parked_receipts", failure=str(failure))
            pause_s = min(pause_s * 2, RECEIPT_PARK_SWEEP_S_MAX)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._parked.wait()
            if self._parked.is_set():
                self._parked.clear()
                pause_s = RECEIPT_PARK_RETRY_S
                await asyncio.sleep(pause_s)

    async def retry_due(self) -> int:
        """Tries the parked receipts whose time has come; how many they were.

        They are put off before they are tried, so that no two processes have one at once, and one that breaks its batch
        breaks it alone.
        """
        now = self._clock()
        rows = await statements.receipts.parked_claim(
            self._database,
            now=now,
            rows_max=limits.RECEIPTS_BATCH_MAX,
            wait_min=timedelta(seconds=RECEIPT_PARK_RETRY_S),
            wait_max=timedelta(seconds=limits.RECEIPT_PARK_RETRY_S_MAX),
            last_try_since=now - timedelta(seconds=limits.RECEIPT_PARK_S_MAX),
        )
        waiting = [
            ArrivedReceipt(
                row.carrier_id,
                row.carrier,
                CarrierReceipt(
                    row.carrier_ref,
                    row.state,
                    row.received_at,
                    row.error_code,
                    row.raw,
                    row.number,
                ),
                row.parked_id,
                row.waiting_since,
                row.is_last,
            )
            for row in rows
        ]
        results = await asyncio.gather(*(self._batches.put([one]) for one in waiting), return_exceptions=True)
        failures = [one for one in results if isinstance(one, BaseException)]
        if failures:
            log.warning("parked_receipts_failed", count=len(failures), failure=str(failures[0]))
        return len(rows)

    async def _forget_old(self) -> None:
        before = self._clock() - timedelta(days=limits.RECEIPT_UNMATCHED_DAYS)
        await statements.receipts.parked_forget(self._database, before=before)

    async def _store(self, batches: Sequence[Sequence[ArrivedReceipt]]) -> list[None]:
        arrived = [one for batch in batches for one in batch]
        outbox = Outbox(self._dialects, self._local_delivery)
        async with self._database.transaction() as transaction:
            await self._apply(transaction, arrived, outbox)
        outbox.committed()
        return [None] * len(batches)

    async def _apply(self, transaction: DatabaseConnection, arrived: Sequence[ArrivedReceipt], outbox: Outbox) -> None:
        """Receipts that match move their messages, the others are parked."""
        found = await self._lookup.match(transaction, arrived)
        await self._lookup.match_unanswered(transaction, arrived, found)
        pairs = list(zip(arrived, found, strict=True))
        matched = [MatchedReceipt(one, match.candidate) for one, match in pairs if match]
        matched = await _leave_parked(transaction, matched)
        unmatched = [one for one, match in pairs if not match]
        fresh = [one for one in unmatched if one.parked_id is None]
        if matched:
            await self._move(transaction, matched, outbox)
            await _keep(transaction, matched)
        if fresh:
            await _park(transaction, fresh, self._clock())
            self._parked.set()
        self._count(matched, fresh, [one for one in unmatched if one.is_last])

    async def _move(self, transaction: DatabaseConnection, matched: Sequence[MatchedReceipt], outbox: Outbox) -> None:
        """Moves the messages, each by the one receipt of them that tells their end, or else that they are unknown."""
        now = self._clock()
        causes: dict[int, tuple[StateChange, MatchedReceipt | None]] = {}
        for one in matched:
            if not one.candidate.part and _counts(one.candidate, STATES[one.arrived.receipt.state]):
                _add_cause(causes, _event(one, now), one)
        reports = _deciding_reports([one for one in matched if one.candidate.part], now)
        if reports:
            moved_parts, ends = await take_parts(transaction, [report for report, _one in reports], now)
            for report, one in reports:
                one.applied = report.key in moved_parts
            carriers = {one.candidate: one.arrived.carrier_id for _report, one in reports}
            for end in ends:
                if _counts(end.candidate, end.state):
                    whole = end.candidate.account_id, end.candidate.message_id
                    event = StateChange(
                        *whole,
                        end.state,
                        end.at,
                        error_code=end.error_code,
                        error_text=end.error_text,
                        carrier_id=carriers[end.candidate],
                    )
                    _add_cause(causes, event, None)
        moved = await apply(transaction, [event for event, _one in causes.values()], outbox)
        for message_id, (_decided, cause) in causes.items():
            if cause and message_id in moved:
                cause.applied = True

    def _count(
        self, matched: Sequence[MatchedReceipt], fresh: Sequence[ArrivedReceipt], given_up: Sequence[ArrivedReceipt]
    ) -> None:
        effects: dict[tuple[str, str], int] = {}
        told = [(one.arrived.carrier, _effect(one)) for one in matched]
        told += [(one.carrier, "parked") for one in fresh]
        told += [(one.carrier, "unmatched") for one in given_up]
        for name, effect in told:
            effects[name, effect] = effects.get((name, effect), 0) + 1
        for (name, effect), count in effects.items():
            self._work_metrics.received(name, effect, count)
        if given_up:
            log.warning("receipts_unmatched", count=len(given_up))


def _effect(one: MatchedReceipt) -> str:
    if one.applied:
        return "applied"
    return "intermediate" if one.arrived.receipt.state <= MessageState.SENT else "repeated"


def _storable(one: ArrivedReceipt) -> ArrivedReceipt:
    """A receipt as it can be stored, whatever a carrier wrote: PostgreSQL refuses NUL and half characters, a hostile
    carrier's text has no end, and a date without its zone is no date.
    """
    receipt = one.receipt
    at = receipt.received_at
    if (
        at.tzinfo
        and 0 <= receipt.state < len(STATES)
        and _is_storable(receipt.raw, RECEIPT_TEXT_CHARS_MAX)
        and _is_storable(receipt.carrier_ref, limits.RECEIPT_REF_CHARS_MAX)
        and _is_storable(receipt.error_code or "", limits.RECEIPT_STATUS_CHARS_MAX)
        and _is_storable(receipt.number or "", limits.RECEIPT_STATUS_CHARS_MAX)
    ):
        return one
    clean = CarrierReceipt(
        storable_text(receipt.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
        receipt.state if 0 <= receipt.state < len(STATES) else MessageState.UNKNOWN,
        at if at.tzinfo else at.replace(tzinfo=UTC),
        None if receipt.error_code is None else storable_text(receipt.error_code, limits.RECEIPT_STATUS_CHARS_MAX),
        storable_text(receipt.raw, RECEIPT_TEXT_CHARS_MAX),
        None if receipt.number is None else storable_text(receipt.number, limits.RECEIPT_STATUS_CHARS_MAX),
    )
    return msgspec.structs.replace(one, receipt=clean)


def _is_storable(text: str, chars_max: int) -> bool:
    return len(text) <= chars_max and text.isascii() and "\0" not in text


def _counts(candidate: ReceiptCandidate, state: MessageState) -> bool:
    """Whether a receipt may move its message. One of an attempt that the message no longer stands on can only deliver
    it: where that attempt failed, another is under way. What is on its way moves nothing.
    """
    return state > MessageState.SENT and (candidate.is_current or state is MessageState.DELIVERED)


def _add_cause(
    causes: dict[int, tuple[StateChange, MatchedReceipt | None]], event: StateChange, one: MatchedReceipt | None
) -> None:
    """Of several receipts of one message the first that ends it counts, as if they had come one by one."""
    before = causes.get(event.message_id)
    if before is None or (TABLE[event.state].final and not TABLE[before[0].state].final):
        causes[event.message_id] = event, one


def _deciding_reports(matched: Sequence[MatchedReceipt], now: datetime) -> list[tuple[PartReport, MatchedReceipt]]:
    """Of several receipts of one part the first that ends it, or else that it is unknown."""
    deciding: dict[tuple[int, int, int], tuple[PartReport, MatchedReceipt]] = {}
    for one in matched:
        state = STATES[one.arrived.receipt.state]
        if state <= MessageState.SENT:
            continue
        report = PartReport(one.candidate, state, _at(one, now), _error_code(one.arrived.receipt))
        before = deciding.get(report.key)
        if before is None or (TABLE[state].final and not TABLE[before[0].state].final):
            deciding[report.key] = report, one
    return list(deciding.values())


def _event(one: MatchedReceipt, now: datetime) -> StateChange:
    receipt, candidate = one.arrived.receipt, one.candidate
    state = STATES[receipt.state]
    error_code = _error_code(receipt)
    return StateChange(
        candidate.account_id,
        candidate.message_id,
        state,
        _at(one, now),
        error_code=error_code,
        error_text=state.name.capitalize() if error_code else None,
        carrier_id=one.arrived.carrier_id,
    )


def _error_code(receipt: CarrierReceipt) -> str | None:
    return None if receipt.error_code in NO_ERROR else receipt.error_code


def _at(one: MatchedReceipt, now: datetime) -> datetime:
    """When it happened: as the receipt tells, where that is between the submit and now. A carrier's clock can be off by
    hours, and by years.
    """
    at, sent_at = one.arrived.receipt.received_at, one.candidate.sent_at
    return min(max(at, sent_at), now) if sent_at else min(at, now)


async def _leave_parked(transaction: DatabaseConnection, matched: list[MatchedReceipt]) -> list[MatchedReceipt]:
    """Takes them out of the parked ones; what another process has taken out in the meantime is done."""
    waited = [one.arrived.parked_id for one in matched if one.arrived.parked_id is not None]
    if not waited:
        return matched
    left = set(await statements.receipts.parked_leave(transaction, parked_ids=waited))
    return [one for one in matched if one.arrived.parked_id is None or one.arrived.parked_id in left]


async def _keep(transaction: DatabaseConnection, matched: Sequence[MatchedReceipt]) -> None:
    await statements.receipts.receipts_add(
        transaction,
        receipts=[
            NewReceipt(
                account_id=one.candidate.account_id,
                message_id=one.candidate.message_id,
                carrier_id=one.arrived.carrier_id,
                carrier_ref=one.arrived.receipt.carrier_ref,
                received_at=one.arrived.receipt.received_at,
                state=one.arrived.receipt.state,
                error_code=one.arrived.receipt.error_code,
                raw=one.arrived.receipt.raw,
                applied=one.applied,
            )
            for one in matched
        ],
    )


async def _park(transaction: DatabaseConnection, parked: Sequence[ArrivedReceipt], now: datetime) -> None:
    await statements.receipts.parked_add(
        transaction,
        waiting_since=now,
        first_wait=timedelta(seconds=RECEIPT_PARK_RETRY_S),
        receipts=[
            NewParkedReceipt(
                carrier_id=one.carrier_id,
                carrier_ref=one.receipt.carrier_ref,
                received_at=one.receipt.received_at,
                state=one.receipt.state,
                error_code=one.receipt.error_code,
                raw=one.receipt.raw,
                number=one.receipt.number,
            )
            for one in parked
        ],
    )
