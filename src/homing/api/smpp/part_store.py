"""Stores the parts of multipart messages until all are there: a customer with a window of 1 waits for the response to
each part before it sends the next, and any process may get that one (docs/decisions/0013-parts-of-long-messages.md).
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.accounts.directory import Directory
from homing.api.smpp import multipart
from homing.api.smpp.dialect import is_registered, receipt_push
from homing.api.smpp.multipart import MessagePart, MultipartKey
from homing.common.batching import Batcher
from homing.common.ids import first_id_at, id_time_ms
from homing.intake.intake import Intake, SubmitOutcome
from homing.intake.submission import AcceptedMessage
from homing.messages.lookup import MessageLookup
from homing.messages.outbox import add_pushes
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.binds import (
    NewSubmittedPart,
    OverduePartSet,
    PartSetKey,
    PutSubmittedPart,
    SubmittedPartEnd,
    SubmittedPartKey,
    SubmittedPartRow,
)

MULTIPART_PARTS_OPEN_MAX: Final = 10_000  # of an account, that wait for others of their message
MULTIPART_LEASE_S: Final = 60.0  # for the message to be stored once all parts are there
MULTIPART_BATCH_ITEMS_MAX: Final = 500
MULTIPART_LINGER_S: Final = 0.003
MULTIPART_KEEP_DAYS: Final = 8  # a part's id leads to its message for so long
log = structlog.get_logger()


class StoredPart(msgspec.Struct, frozen=True):
    """A part's id, and why its message is refused. `outcome` None: the part is stored, and so is its message if this
    was the last of its parts.
    """

    part_id: int
    outcome: SubmitOutcome


class MultipartStore:
    """Stores parts, and turns complete sets into messages, exactly once: the message has the first part's id, and the
    database refuses a second message with that id.
    """

    def __init__(
        self,
        *,
        database: Database,
        intake: Intake,
        directory: Directory,
        lookup: MessageLookup,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._intake = intake
        self._directory = directory
        self._lookup = lookup
        self._clock = clock
        self._puts: Batcher[MessagePart, StoredPart] = Batcher(
            self._put,
            weight_max=MULTIPART_BATCH_ITEMS_MAX,
            pending_max=limits.BATCH_PENDING_MAX,
            linger_s=MULTIPART_LINGER_S,
        )

    def put(self, part: MessagePart) -> "asyncio.Future[StoredPart]":
        """Raises `Overloaded`; the future raises a `PlatformFailure`."""
        return self._puts.put(part)

    async def find(self, account_id: int, part_id: int) -> SubmittedPartRow | None:
        """A part by its id: its `message_id`; its `state` if it became no message; `has_ended`."""
        return await statements.binds.submitted_part_find(self._database, account_id=account_id, part_id=part_id)

    async def drained(self) -> None:
        await self._puts.drained()

    async def run(self) -> None:
        """For ever: expires incomplete sets, and finishes complete ones that a process left when it died."""
        forget_at_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(limits.MULTIPART_SWEEP_S)
            try:
                while await self.sweep() == MULTIPART_BATCH_ITEMS_MAX:
                    pass
                if loop.time() >= forget_at_s:
                    kept_since = self._clock() - timedelta(days=MULTIPART_KEEP_DAYS)
                    await statements.binds.submitted_parts_delete_old(
                        self._database, before_id=first_id_at(int(kept_since.timestamp() * 1000))
                    )
                    forget_at_s = loop.time() + limits.PARTITION_SWEEP_S
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="multipart_messages", failure=str(failure))

    async def sweep(self) -> int:
        """Handles overdue parts. Returns how many there were."""
        now = self._clock()
        rows = await statements.binds.part_sets_overdue(self._database, now=now, rows_max=MULTIPART_BATCH_ITEMS_MAX)
        keys = {_key(row) for row in rows}
        if not keys:
            return 0
        async with self._database.transaction() as transaction:
            members = await self._hold(transaction, keys)
            sets = multipart.complete_sets(part for part, _due_at in members)
            complete = {parts[0].set_key for parts in sets}
            overdue = [part for part, due_at in members if due_at <= now and part.set_key not in complete]
            await self._lease(transaction, sets)
            await self._end(transaction, overdue, None, MessageState.EXPIRED, overdue)
        for parts in sets:
            await self._finish(parts, frozenset())
        return len(rows)

    async def _put(self, batch: Sequence[MessagePart]) -> list[StoredPart]:
        by_position = {(*part.set_key, part.part): part for part in batch}  # of a repeated part the last
        async with self._database.transaction() as transaction:
            refused = await self._without_room(transaction, {part.account_id for part in batch})
            by_position = {key: part for key, part in by_position.items() if part.account_id not in refused}
            await statements.binds.part_sets_lock(
                transaction, keys=_locks({part.set_key for part in by_position.values()})
            )
            ids = await self._insert(transaction, list(by_position.values()))
            members = await self._members(transaction, {part.set_key for part in by_position.values()})
            sets = multipart.complete_sets(part for part, _due_at in members)
            await self._lease(transaction, sets)
        unanswered = frozenset(ids.values())
        outcome_of: dict[MultipartKey, SubmitOutcome] = {}
        ended = await asyncio.gather(*(self._finish(parts, unanswered) for parts in sets))
        for parts, outcome in zip(sets, ended, strict=True):
            outcome_of[parts[0].set_key] = outcome
        return [
            StoredPart(part.part_id, refused[part.account_id])
            if part.account_id in refused
            else StoredPart(ids[*part.set_key, part.part], outcome_of.get(part.set_key))
            for part in batch
        ]

    async def _without_room(self, transaction: DatabaseConnection, accounts: set[int]) -> dict[int, errors.HomingError]:
        """The accounts whose parts are not stored, and why. Nothing is charged for a part: without this an account that
        cannot pay for a message, or never sends the last part, could fill the database.
        """
        refusals: dict[int, errors.HomingError] = {}
        for row in await statements.binds.part_allowances(
            transaction, account_ids=sorted(accounts), counted_max=MULTIPART_PARTS_OPEN_MAX
        ):
            if row.available_micro <= 0:
                refusals[row.account_id] = errors.InsufficientBalance()
            elif row.parts >= MULTIPART_PARTS_OPEN_MAX:
                refusals[row.account_id] = errors.Overloaded("parts of long messages that wait for others")
        return refusals

    async def _insert(
        self, transaction: DatabaseConnection, parts: Sequence[MessagePart]
    ) -> dict[tuple[object, ...], int]:
        rows = await statements.binds.submitted_parts_put(
            transaction,
            due_at=self._clock() + timedelta(seconds=limits.MULTIPART_WAIT_S),
            parts=[
                NewSubmittedPart(
                    account_id=part.account_id,
                    part_id=part.part_id,
                    number=part.number,
                    sender=part.sender,
                    reference=part.reference,
                    total=part.total,
                    part=part.part,
                    content=part.content,
                    request=multipart.encode(part.form).decode(),
                )
                for part in parts
            ],
        )
        return {(*_key(row), row.part): row.part_id for row in rows}

    async def _hold(
        self, transaction: DatabaseConnection, keys: set[MultipartKey]
    ) -> list[tuple[MessagePart, datetime]]:
        await statements.binds.part_sets_lock(transaction, keys=_locks(keys))
        return await self._members(transaction, keys)

    async def _members(
        self, transaction: DatabaseConnection, keys: set[MultipartKey]
    ) -> list[tuple[MessagePart, datetime]]:
        if not keys:
            return []
        rows = await statements.binds.part_set_members(
            transaction,
            sets=[
                PartSetKey(account_id=account_id, number=number, sender=sender, reference=reference, total=total)
                for account_id, number, sender, reference, total in sorted(keys)
            ],
        )
        return [
            (
                MessagePart(
                    row.account_id,
                    row.part_id,
                    row.number,
                    row.sender,
                    row.reference,
                    row.total,
                    row.part,
                    row.content,
                    multipart.decode(row.request),
                ),
                row.due_at,
            )
            for row in rows
        ]

    async def _lease(self, transaction: DatabaseConnection, sets: Sequence[Sequence[MessagePart]]) -> None:
        parts = [part for members in sets for part in members]
        if parts:
            until = self._clock() + timedelta(seconds=MULTIPART_LEASE_S)
            await statements.binds.submitted_parts_lease(
                transaction,
                due_at=until,
                parts=[SubmittedPartKey(account_id=part.account_id, part_id=part.part_id) for part in parts],
            )

    async def _finish(self, parts: Sequence[MessagePart], unanswered: frozenset[int]) -> SubmitOutcome:
        """Submits a complete set. `unanswered`: parts that have no response yet, which can still be refused; the others
        get a receipt for a refusal.
        """
        message_id, outcome = await self._submit(parts)
        try:
            if outcome is None:
                async with self._database.transaction() as transaction:
                    await self._end(transaction, parts, message_id, MessageState.QUEUED, ())
            elif isinstance(outcome, errors.Refusal):
                notified = [part for part in parts if part.part_id not in unanswered]
                async with self._database.transaction() as transaction:
                    await self._end(transaction, parts, None, MessageState.REJECTED, notified)
        except errors.PlatformFailure as failure:  # after the lease the sweep reaches the same verdict
            log.warning("database_unavailable", component="multipart_results", failure=str(failure))
        return outcome

    async def _submit(self, parts: Sequence[MessagePart]) -> tuple[int, SubmitOutcome]:
        """The set's message, which is an earlier one where it repeats that one's reference; and why there is none."""
        first = parts[0]
        try:
            credential = await self._directory.find(first.form.dialect, first.form.key)
            if credential is None:
                return first.part_id, errors.Refusal("the credential was revoked")
            submission = multipart.submission_of(parts, credential.profile)
            (result,) = await self._intake.submit(submission, first.part_id)
            assert isinstance(result, AcceptedMessage)
            return result.message_id, None
        except errors.DatabaseFailed as failure:
            if failure.poison and await self._lookup.by_id(first.account_id, first.part_id) is not None:
                return first.part_id, None  # it was submitted before
            return first.part_id, failure
        except errors.HomingError as error:
            return first.part_id, error

    async def _end(
        self,
        transaction: DatabaseConnection,
        parts: Sequence[MessagePart],
        message_id: int | None,
        state: MessageState,
        notified: Sequence[MessagePart],
    ) -> None:
        """Ends parts. Those of `notified` that requested a receipt get one."""
        if not parts:
            return
        ended = await statements.binds.submitted_parts_end(
            transaction,
            parts=[
                SubmittedPartEnd(
                    account_id=part.account_id, part_id=part.part_id, message_id=message_id, state=int(state)
                )
                for part in parts
            ],
        )
        done_s = int(self._clock().timestamp())
        pushes = [
            receipt_push(
                part.account_id,
                part.part_id,
                multipart.receipt_of(part, state, id_time_ms(part.part_id) // 1000, done_s),
            )
            for part in notified
            if part.part_id in ended and is_registered(part.form.registered, state)
        ]
        if pushes:
            await add_pushes(transaction, pushes)


def _key(row: PutSubmittedPart | OverduePartSet) -> MultipartKey:
    return row.account_id, row.number, row.sender, row.reference, row.total


def _locks(keys: set[MultipartKey]) -> list[int]:
    """The advisory locks of sets, in one order for all callers. Sets that share a lock only wait for each other."""
    digests = (hashlib.blake2b(repr(key).encode(), digest_size=8).digest() for key in keys)
    return sorted({int.from_bytes(digest, "big", signed=True) for digest in digests})
