"""Receipts from carriers: matched to their messages, applied once, and stored (docs/internals/receipts.md).

A receipt can come before its submit answer is stored, or match no message at all. Those are parked: they are retried
for some minutes and then listed as unmatched, for operators to see and replay.
"""

import asyncio
import contextlib
from collections import Counter
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
from homing.observe.logs import is_debug
from homing.observe.work import WorkMetrics
from homing.receipts.learnt_formats import LearntIdFormats
from homing.receipts.lookup import IncomingReceipt, ReceiptLookup
from homing.receipts.matching import PartKey
from homing.receipts.parts import PartReport, take_parts
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import NewParkedReceipt, NewReceipt, ReceiptCandidate

RECEIPTS_PENDING_MAX: Final = 50_000
RECEIPTS_LINGER_S: Final = 0.01
RECEIPT_PARK_RETRY_S: Final = 0.05  # before the first retry; then doubling
RECEIPT_PARK_SWEEP_S_MAX: Final = 1.0
RECEIPT_TEXT_CHARS_MAX: Final = 1_024

__all__ = ["IncomingReceipt", "ReceiptInbox"]

STATES: Final = tuple(MessageState)  # by number: ten times faster than MessageState(number)
NO_ERROR: Final = (None, "0", "000")

log = structlog.get_logger()


class MatchedReceipt(msgspec.Struct):
    """A receipt and the message or part it is about. `applied` is set once it has changed that."""

    incoming: IncomingReceipt
    candidate: ReceiptCandidate
    applied: bool = False


class ReceiptInbox:
    """Matches, applies and stores the receipts of all carriers, many in one transaction."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        dialects: Dialects,
        local_delivery: LocalDelivery | None = None,
    ) -> None:
        """`local_delivery`: the pusher of this process, if there is one."""
        self._dialects = dialects
        self._database = database
        self._local_delivery = local_delivery
        self._clock = clock
        self._work_metrics = work_metrics
        self._formats = LearntIdFormats(database)
        self._lookup = ReceiptLookup(self._formats, clock)
        self._has_parked = asyncio.Event()
        self._batches: Batcher[Sequence[IncomingReceipt], None] = Batcher(
            self._store_batches,
            weight_max=limits.RECEIPTS_BATCH_MAX,
            pending_max=RECEIPTS_PENDING_MAX,
            linger_s=RECEIPTS_LINGER_S,
            weigh=len,
        )

    async def store(self, receipts: Sequence[IncomingReceipt]) -> None:
        """The receipts are durable when this returns. Raises a `PlatformFailure` when they are not."""
        await self._batches.put([_storable(incoming) for incoming in receipts])

    async def drained(self) -> None:
        """Returns when nothing waits to be stored."""
        await self._batches.drained()

    async def exchange_formats(self) -> None:
        """Shares with the other processes what receipts have shown about message IDs (`LearntIdFormats.exchange`)."""
        await self._formats.exchange()

    async def retry_parked(self) -> None:
        """Retries parked receipts: soon after one was parked, then less and less often. Also exchanges learnt formats
        and deletes old unmatched receipts. Never returns; cancel it to stop.
        """
        loop = asyncio.get_running_loop()
        pause_s = RECEIPT_PARK_SWEEP_S_MAX
        exchange_at_s = delete_old_at_s = loop.time()
        while True:
            try:
                if loop.time() >= exchange_at_s:
                    await self.exchange_formats()
                    exchange_at_s = loop.time() + limits.RECEIPT_LEARN_S
                if loop.time() >= delete_old_at_s:
                    await self._delete_old()
                    delete_old_at_s = loop.time() + limits.PARTITION_SWEEP_S
                while await self.retry_due() == limits.RECEIPTS_BATCH_MAX:
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="parked_receipts", failure=str(failure))
            pause_s = min(pause_s * 2, RECEIPT_PARK_SWEEP_S_MAX)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._has_parked.wait()
            if self._has_parked.is_set():
                self._has_parked.clear()
                pause_s = RECEIPT_PARK_RETRY_S
                await asyncio.sleep(pause_s)

    async def retry_due(self) -> int:
        """Retries one batch of parked receipts that are due. Returns how many they were.

        The claim sets their next retry first, so that no two processes retry one at the same time; each is a batch item
        of its own, so that one which breaks its transaction does not fail the others.
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
        parked = [
            IncomingReceipt(
                row.carrier_id,
                row.carrier,
                CarrierReceipt(row.carrier_ref, row.state, row.received_at, row.error_code, row.raw, row.number),
                row.parked_id,
                row.waiting_since,
                row.is_last,
            )
            for row in rows
        ]
        results = await asyncio.gather(*(self._batches.put([incoming]) for incoming in parked), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            log.warning("parked_receipts_failed", count=len(failures), failure=str(failures[0]))
        return len(rows)

    async def _delete_old(self) -> None:
        before = self._clock() - timedelta(days=limits.RECEIPT_UNMATCHED_DAYS)
        await statements.receipts.parked_delete_old(self._database, before=before)

    async def _store_batches(self, batches: Sequence[Sequence[IncomingReceipt]]) -> list[None]:
        receipts = [incoming for batch in batches for incoming in batch]
        outbox = Outbox(self._dialects, self._local_delivery)
        async with self._database.transaction() as transaction:
            await self._match_and_apply(transaction, receipts, outbox)
        outbox.committed()
        return [None] * len(batches)

    async def _match_and_apply(
        self, transaction: DatabaseConnection, receipts: Sequence[IncomingReceipt], outbox: Outbox
    ) -> None:
        """Applies and stores the receipts that match, and parks the others."""
        matches = await self._lookup.match(transaction, receipts)
        await self._lookup.match_unanswered(transaction, receipts, matches)
        pairs = list(zip(receipts, matches, strict=True))
        matched = [MatchedReceipt(incoming, match.candidate) for incoming, match in pairs if match]
        matched = await _remove_parked(transaction, matched)
        unmatched = [incoming for incoming, match in pairs if not match]
        to_park = [incoming for incoming in unmatched if incoming.parked_id is None]
        if matched:
            await self._apply(transaction, matched, outbox)
            await _add_receipts(transaction, matched)
        if to_park:
            await _park(transaction, to_park, self._clock())
            self._has_parked.set()
        self._count(matched, to_park, [incoming for incoming in unmatched if incoming.is_last])

    async def _apply(self, transaction: DatabaseConnection, matched: Sequence[MatchedReceipt], outbox: Outbox) -> None:
        """Changes the states of messages and parts, each by the one receipt that decides it, and sets `applied`."""
        now = self._clock()
        changes: dict[int, tuple[StateChange, MatchedReceipt | None]] = {}  # by message ID, with the deciding receipt
        for receipt in matched:
            if not receipt.candidate.part and _may_change(receipt.candidate, STATES[receipt.incoming.receipt.state]):
                _add_change(changes, _state_change(receipt, now), receipt)
        reports = _deciding_reports([receipt for receipt in matched if receipt.candidate.part], now)
        if reports:
            moved_parts, results = await take_parts(transaction, [report for report, _receipt in reports], now)
            for report, receipt in reports:
                receipt.applied = report.key in moved_parts
            carriers = {receipt.candidate: receipt.incoming.carrier_id for _report, receipt in reports}
            for result in results:
                if _may_change(result.candidate, result.state):
                    change = StateChange(
                        result.candidate.account_id,
                        result.candidate.message_id,
                        result.state,
                        result.at,
                        error_code=result.error_code,
                        error_text=result.error_text,
                        carrier_id=carriers[result.candidate],
                    )
                    _add_change(changes, change, None)
        moved_ids = await apply(transaction, [change for change, _receipt in changes.values()], outbox)
        for message_id, (_change, deciding) in changes.items():
            if deciding and message_id in moved_ids:
                deciding.applied = True

    def _count(
        self, matched: Sequence[MatchedReceipt], parked: Sequence[IncomingReceipt], given_up: Sequence[IncomingReceipt]
    ) -> None:
        counts = Counter((receipt.incoming.carrier, _effect(receipt)) for receipt in matched)
        counts.update((incoming.carrier, "parked") for incoming in parked)
        counts.update((incoming.carrier, "unmatched") for incoming in given_up)
        for (carrier, effect), count in counts.items():
            self._work_metrics.received(carrier, effect, count)
        if given_up:
            log.warning("receipts_unmatched", count=len(given_up))
        if is_debug():
            log.debug(
                "receipts_matched",
                receipts=[_logged(receipt) for receipt in matched],
                parked=[incoming.receipt.carrier_ref for incoming in parked],
            )


def _logged(receipt: MatchedReceipt) -> dict[str, object]:
    return {
        "message_id": receipt.candidate.message_id,
        "attempt": receipt.candidate.attempt,
        "part": receipt.candidate.part,
        "carrier": receipt.incoming.carrier,
        "state": STATES[receipt.incoming.receipt.state].name.lower(),
        "effect": _effect(receipt),
    }


def _effect(receipt: MatchedReceipt) -> str:
    """The label of the metric of receipts."""
    if receipt.applied:
        return "applied"
    return "intermediate" if receipt.incoming.receipt.state <= MessageState.SENT else "repeated"


def _storable(incoming: IncomingReceipt) -> IncomingReceipt:
    """The receipt with values that the database accepts: PostgreSQL refuses NUL and lone surrogates, a hostile
    carrier's text has no end, and a time without its zone is ambiguous.
    """
    receipt = incoming.receipt
    at = receipt.received_at
    if (
        at.tzinfo
        and 0 <= receipt.state < len(STATES)
        and _is_storable(receipt.raw, RECEIPT_TEXT_CHARS_MAX)
        and _is_storable(receipt.carrier_ref, limits.RECEIPT_REF_CHARS_MAX)
        and _is_storable(receipt.error_code or "", limits.RECEIPT_STATUS_CHARS_MAX)
        and _is_storable(receipt.number or "", limits.RECEIPT_STATUS_CHARS_MAX)
    ):
        return incoming
    cleaned = CarrierReceipt(
        storable_text(receipt.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
        receipt.state if 0 <= receipt.state < len(STATES) else MessageState.UNKNOWN,
        at if at.tzinfo else at.replace(tzinfo=UTC),
        None if receipt.error_code is None else storable_text(receipt.error_code, limits.RECEIPT_STATUS_CHARS_MAX),
        storable_text(receipt.raw, RECEIPT_TEXT_CHARS_MAX),
        None if receipt.number is None else storable_text(receipt.number, limits.RECEIPT_STATUS_CHARS_MAX),
    )
    return msgspec.structs.replace(incoming, receipt=cleaned)


def _is_storable(text: str, chars_max: int) -> bool:
    return len(text) <= chars_max and text.isascii() and "\0" not in text


def _may_change(candidate: ReceiptCandidate, state: MessageState) -> bool:
    """Whether a receipt may change its message's state. An intermediate state changes nothing. A receipt of an earlier
    attempt counts only if it is delivered: after a failure of that attempt, another one is in progress.
    """
    return state > MessageState.SENT and (candidate.is_current or state is MessageState.DELIVERED)


def _add_change(
    changes: dict[int, tuple[StateChange, MatchedReceipt | None]], change: StateChange, receipt: MatchedReceipt | None
) -> None:
    """Of several receipts of a message the first final one decides, as if they had come one after the other."""
    before = changes.get(change.message_id)
    if before is None or (TABLE[change.state].final and not TABLE[before[0].state].final):
        changes[change.message_id] = change, receipt


def _deciding_reports(matched: Sequence[MatchedReceipt], now: datetime) -> list[tuple[PartReport, MatchedReceipt]]:
    """Of several receipts of a part the first final one; else the first that says unknown."""
    deciding: dict[PartKey, tuple[PartReport, MatchedReceipt]] = {}
    for receipt in matched:
        state = STATES[receipt.incoming.receipt.state]
        if state <= MessageState.SENT:
            continue
        report = PartReport(receipt.candidate, state, _reported_at(receipt, now), _error_code(receipt.incoming.receipt))
        before = deciding.get(report.key)
        if before is None or (TABLE[state].final and not TABLE[before[0].state].final):
            deciding[report.key] = report, receipt
    return list(deciding.values())


def _state_change(receipt: MatchedReceipt, now: datetime) -> StateChange:
    state = STATES[receipt.incoming.receipt.state]
    error_code = _error_code(receipt.incoming.receipt)
    return StateChange(
        receipt.candidate.account_id,
        receipt.candidate.message_id,
        state,
        _reported_at(receipt, now),
        error_code=error_code,
        error_text=state.name.capitalize() if error_code else None,
        carrier_id=receipt.incoming.carrier_id,
    )


def _error_code(receipt: CarrierReceipt) -> str | None:
    return None if receipt.error_code in NO_ERROR else receipt.error_code


def _reported_at(receipt: MatchedReceipt, now: datetime) -> datetime:
    """The receipt's own time, limited to the time between the submit and now: carriers' clocks are wrong by hours, and
    by years.
    """
    at, sent_at = receipt.incoming.receipt.received_at, receipt.candidate.sent_at
    return min(max(at, sent_at), now) if sent_at else min(at, now)


async def _remove_parked(transaction: DatabaseConnection, matched: list[MatchedReceipt]) -> list[MatchedReceipt]:
    """Deletes matched receipts from the parked ones; without those that another process has matched meanwhile."""
    parked_ids = [receipt.incoming.parked_id for receipt in matched if receipt.incoming.parked_id is not None]
    if not parked_ids:
        return matched
    removed = set(await statements.receipts.parked_remove(transaction, parked_ids=parked_ids))
    return [
        receipt for receipt in matched if receipt.incoming.parked_id is None or receipt.incoming.parked_id in removed
    ]


async def _add_receipts(transaction: DatabaseConnection, matched: Sequence[MatchedReceipt]) -> None:
    await statements.receipts.receipts_add(
        transaction,
        receipts=[
            NewReceipt(
                account_id=receipt.candidate.account_id,
                message_id=receipt.candidate.message_id,
                carrier_id=receipt.incoming.carrier_id,
                carrier_ref=receipt.incoming.receipt.carrier_ref,
                received_at=receipt.incoming.receipt.received_at,
                state=receipt.incoming.receipt.state,
                error_code=receipt.incoming.receipt.error_code,
                raw=receipt.incoming.receipt.raw,
                applied=receipt.applied,
            )
            for receipt in matched
        ],
    )


async def _park(transaction: DatabaseConnection, receipts: Sequence[IncomingReceipt], now: datetime) -> None:
    await statements.receipts.parked_add(
        transaction,
        waiting_since=now,
        first_wait=timedelta(seconds=RECEIPT_PARK_RETRY_S),
        receipts=[
            NewParkedReceipt(
                carrier_id=incoming.carrier_id,
                carrier_ref=incoming.receipt.carrier_ref,
                received_at=incoming.receipt.received_at,
                state=incoming.receipt.state,
                error_code=incoming.receipt.error_code,
                raw=incoming.receipt.raw,
                number=incoming.receipt.number,
            )
            for incoming in receipts
        ],
    )
