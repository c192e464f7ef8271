"""Finds the messages of receipts by the message IDs that their submit answers may have had."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from homing import limits
from homing.common import ids
from homing.model import CarrierReceipt
from homing.receipts.id_formats import key_in_format, keys_by_format
from homing.receipts.learnt_formats import LearntIdFormats
from homing.receipts.matching import PartKey, ReceiptMatch, agrees, choose, is_contradicted
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.receipts import (
    AttemptReference,
    ReceiptCandidate,
    ReceiptReference,
    UnansweredAttempt,
)

RECEIPT_CANDIDATES_MAX: Final = 8  # messages with the same ID that are considered: the latest
RECEIPT_PART_CANDIDATES_MAX: Final = 64
RECEIPT_REPEATED_REFS_MAX: Final = 1_000  # rows read for those, where a carrier gives one ID to all messages
RECEIPT_MATCH_AHEAD_S: Final = 3_600.0  # message IDs of machines whose clocks are ahead
RECEIPT_REPLAY_DAYS_MAX: Final = 60  # how far back the matching days of a replayed receipt may begin
RECEIPT_UNANSWERED_S_MAX: Final = 21_600.0  # an unanswered submit began at most this long before its receipt
RECEIPT_UNANSWERED_MAX: Final = 10_000


class IncomingReceipt(msgspec.Struct, frozen=True):
    """A receipt and its carrier. The other fields are for receipts that have been parked; `is_last`: this is the last
    attempt to match it.
    """

    carrier_id: int
    carrier: str
    receipt: CarrierReceipt
    parked_id: int | None = None
    waiting_since: datetime | None = None
    is_last: bool = False


LookupKey = tuple[int, int, str]
"""The receipt's index in its batch, the carrier ID, and an index key (`reference_key`)."""

Claim = tuple[int, ReceiptCandidate]
"""A receipt's index in its batch, and the unanswered attempt that it may be about."""


class ReceiptLookup:
    """Matches batches of receipts.

    The hot path is one statement: the ID in the carrier's learnt format, among messages that were sent in one part.
    What that leaves unmatched or uncertain is looked up in every format, and among parts.
    """

    def __init__(self, formats: LearntIdFormats, clock: Callable[[], datetime]) -> None:
        self._formats = formats
        self._clock = clock

    async def match(
        self, transaction: DatabaseConnection, batch: Sequence[IncomingReceipt]
    ) -> list[ReceiptMatch | None]:
        """The match of each receipt, in their order."""
        span = span_of(batch, self._clock())
        likely = [self._likely_keys(incoming) for incoming in batch]
        candidates = await candidates_of(transaction, _lookup_keys(batch, enumerate(likely)), span)
        matches = [self._quick_match(incoming, candidates.get(index)) for index, incoming in enumerate(batch)]
        uncertain = [index for index, match in enumerate(matches) if match is None or match.candidate.segments > 1]
        if uncertain:
            other_keys = [(index, _keys_of(batch[index]) - likely[index]) for index in uncertain if not matches[index]]
            more = await candidates_of(transaction, _lookup_keys(batch, other_keys), span)
            for index, others in more.items():
                candidates.setdefault(index, []).extend(others)
            all_keys = [(index, _keys_of(batch[index])) for index in uncertain]
            parts = await part_candidates_of(transaction, _lookup_keys(batch, all_keys), span)
            self._match_among_parts(batch, matches, uncertain, candidates, parts)
        for incoming, match in zip(batch, matches, strict=True):
            if match and match.confirmed:
                self._formats.confirm(incoming.carrier_id, match.confirmed)
        return matches

    def _quick_match(
        self, incoming: IncomingReceipt, candidates: Sequence[ReceiptCandidate] | None
    ) -> ReceiptMatch | None:
        """The match among messages in one part. Nearly always there is one candidate, with the learnt format and the
        receipt's number: that needs no choice.
        """
        if candidates is None:
            return None
        learnt = self._formats.learnt(incoming.carrier_id)
        if learnt and len(candidates) == 1 and candidates[0].number == incoming.receipt.number:
            return ReceiptMatch(candidates[0], learnt)
        return self._choose(incoming, candidates, has_waited=False)

    def _likely_keys(self, incoming: IncomingReceipt) -> set[str]:
        """The key in the learnt format, if there is one that the ID can have; else the keys in every format."""
        learnt = self._formats.learnt(incoming.carrier_id)
        likely = key_in_format(learnt, incoming.receipt.carrier_ref) if learnt else None
        return _keys_of(incoming) if likely is None else {likely}

    def _match_among_parts(
        self,
        batch: Sequence[IncomingReceipt],
        matches: list[ReceiptMatch | None],
        uncertain: Sequence[int],
        wholes: Mapping[int, Sequence[ReceiptCandidate]],
        parts: Mapping[int, Sequence[ReceiptCandidate]],
    ) -> None:
        """Chooses among whole messages and parts. An attempt with part candidates is not a candidate as a whole."""
        reported: set[PartKey] = set()
        for index in uncertain:
            incoming = batch[index]
            attempts_in_parts = {(part.message_id, part.attempt) for part in parts.get(index, ())}
            candidates = [
                *parts.get(index, ()),
                *(
                    whole
                    for whole in wholes.get(index, ())
                    if (whole.message_id, whole.attempt) not in attempts_in_parts
                ),
            ]
            match = matches[index] = self._choose(
                incoming, candidates, has_waited=self._has_waited(incoming), reported=reported
            )
            if match is None:
                self._count_mismatch(incoming, candidates)
            elif match.candidate.part and TABLE[MessageState(incoming.receipt.state)].final:
                reported.add((match.candidate.message_id, match.candidate.attempt, match.candidate.part))

    def _count_mismatch(self, incoming: IncomingReceipt, candidates: Sequence[ReceiptCandidate]) -> None:
        """Counts, once for each receipt, what shows that a carrier's receipts name other numbers than the
        recipient's.
        """
        receipt = incoming.receipt
        if incoming.parked_id is None and is_contradicted(receipt.carrier_ref, receipt.number, candidates):
            self._formats.count_mismatch(incoming.carrier_id)

    def _choose(
        self,
        incoming: IncomingReceipt,
        candidates: Sequence[ReceiptCandidate],
        *,
        has_waited: bool,
        reported: set[PartKey] | None = None,
    ) -> ReceiptMatch | None:
        receipt = incoming.receipt
        return choose(
            receipt.carrier_ref,
            receipt.number if self._formats.has_recipient_numbers(incoming.carrier_id) else None,
            keys_by_format(receipt.carrier_ref),
            candidates,
            self._formats.learnt(incoming.carrier_id),
            has_waited=has_waited,
            reported=reported or (),
        )

    def _has_waited(self, incoming: IncomingReceipt) -> bool:
        """Whether every submit that was in flight when the receipt came must have its answer by now."""
        since = incoming.waiting_since
        return since is not None and (self._clock() - since).total_seconds() >= limits.RECEIPT_UNANSWERED_S_MIN

    async def match_unanswered(
        self, transaction: DatabaseConnection, batch: Sequence[IncomingReceipt], matches: list[ReceiptMatch | None]
    ) -> None:
        """Matches receipts that have waited and whose ID no message has to attempts whose answer was lost; sets
        `matches`.

        Such an attempt must be the only one of the carrier to the receipt's number in its time, and no receipt with
        another ID may claim it. It then gets the receipt's ID.
        """
        unmatched = [
            (index, incoming)
            for index, (incoming, match) in enumerate(zip(batch, matches, strict=True))
            if match is None and incoming.receipt.number and incoming.receipt.carrier_ref and self._has_waited(incoming)
        ]
        if not unmatched:
            return
        unanswered = await self._unanswered_attempts(transaction, [incoming for _index, incoming in unmatched])
        claims_by_attempt: dict[tuple[int, int], list[Claim]] = {}
        for index, incoming in unmatched:
            possible = [attempt for attempt in unanswered if _is_possible(incoming, attempt)]
            if len(possible) == 1:
                candidate = _candidate(possible[0])
                claims_by_attempt.setdefault((candidate.message_id, candidate.attempt), []).append((index, candidate))
        unambiguous = [
            claims
            for claims in claims_by_attempt.values()
            if len({batch[index].receipt.carrier_ref for index, _attempt in claims}) == 1
        ]
        updated = await self._set_references(transaction, batch, [claims[0] for claims in unambiguous])
        for claims in unambiguous:
            for index, candidate in claims:
                if (candidate.message_id, candidate.attempt) in updated:
                    matches[index] = ReceiptMatch(candidate)

    async def _unanswered_attempts(
        self, transaction: DatabaseConnection, batch: Sequence[IncomingReceipt]
    ) -> Sequence[UnansweredAttempt]:
        """None of a carrier that has more than are read: then no attempt is certain to be the only possible one."""
        oldest = min(incoming.receipt.received_at for incoming in batch)
        first_id, beyond_id = span_of(batch, self._clock())
        attempts = await statements.receipts.attempts_unanswered(
            transaction,
            carrier_ids=sorted({incoming.carrier_id for incoming in batch}),
            first_id=first_id,
            beyond_id=beyond_id,
            started_since=oldest - timedelta(seconds=RECEIPT_UNANSWERED_S_MAX),
            rows_max=RECEIPT_UNANSWERED_MAX,
        )
        counts = Counter(attempt.carrier_id for attempt in attempts)
        return [attempt for attempt in attempts if counts[attempt.carrier_id] < RECEIPT_UNANSWERED_MAX]

    async def _set_references(
        self, transaction: DatabaseConnection, batch: Sequence[IncomingReceipt], claims: Sequence[Claim]
    ) -> set[tuple[int, int]]:
        """Stores the receipts' IDs with their attempts; the (message ID, attempt) of those that had none until now."""
        if not claims:
            return set()
        ordered = sorted(claims, key=lambda claim: (claim[1].account_id, claim[1].message_id))
        rows = await statements.receipts.attempts_set_reference(
            transaction,
            attempts=[
                AttemptReference(
                    account_id=candidate.account_id,
                    message_id=candidate.message_id,
                    attempt=candidate.attempt,
                    carrier_ref=batch[index].receipt.carrier_ref,
                    is_current=candidate.is_current,
                )
                for index, candidate in ordered
            ],
        )
        return {(row.message_id, row.attempt) for row in rows}


class _MatchStatement(Protocol):
    """One of the statements that find candidates by reference."""

    def __call__(
        self,
        db: Executor,
        *,
        references: Sequence[ReceiptReference],
        first_id: int,
        beyond_id: int,
        looked_max: int,
        candidates_max: int,
    ) -> Awaitable[Sequence[ReceiptCandidate]]: ...


async def candidates_of(
    db: Executor, lookup_keys: Sequence[LookupKey], span: tuple[int, int]
) -> dict[int, list[ReceiptCandidate]]:
    """By the receipt's index, the whole messages whose answer has one of its keys. `span`: as of `span_of`."""
    return await _look_up(db, statements.receipts.receipts_match, lookup_keys, span, RECEIPT_CANDIDATES_MAX)


async def part_candidates_of(
    db: Executor, lookup_keys: Sequence[LookupKey], span: tuple[int, int]
) -> dict[int, list[ReceiptCandidate]]:
    """As `candidates_of`, of parts of messages."""
    return await _look_up(db, statements.receipts.receipts_match_parts, lookup_keys, span, RECEIPT_PART_CANDIDATES_MAX)


async def _look_up(
    db: Executor,
    match: _MatchStatement,
    lookup_keys: Sequence[LookupKey],
    span: tuple[int, int],
    candidates_max: int,
) -> dict[int, list[ReceiptCandidate]]:
    if not lookup_keys:
        return {}
    first_id, beyond_id = span
    rows = await match(
        db,
        references=[ReceiptReference(carrier_id=carrier_id, key=key) for _index, carrier_id, key in lookup_keys],
        first_id=first_id,
        beyond_id=beyond_id,
        looked_max=RECEIPT_REPEATED_REFS_MAX,
        candidates_max=candidates_max,
    )
    candidates: dict[int, list[ReceiptCandidate]] = {}
    for row in rows:
        index, _carrier_id, _key = lookup_keys[row.nth - 1]
        candidates.setdefault(index, []).append(row)
    return candidates


def _candidate(attempt: UnansweredAttempt) -> ReceiptCandidate:
    return ReceiptCandidate(
        account_id=attempt.account_id,
        message_id=attempt.message_id,
        attempt=attempt.attempt,
        part=attempt.part,
        state=attempt.state,
        carrier_ref=attempt.carrier_ref,
        number=attempt.number,
        sender=attempt.sender,
        segments=attempt.segments,
        is_current=attempt.is_current,
        sent_at=attempt.sent_at,
        nth=0,
    )


def span_of(batch: Sequence[IncomingReceipt], now: datetime) -> tuple[int, int]:
    """The message IDs that receipts can be about, as (first, beyond the last): those of some days before the oldest,
    which for replayed receipts is not now. The upper bound keeps the partitions of coming weeks out of the plan.
    """
    oldest = min((incoming.receipt.received_at for incoming in batch if incoming.parked_id is not None), default=now)
    oldest = max(min(oldest, now), now - timedelta(days=RECEIPT_REPLAY_DAYS_MAX))
    return (
        _first_id_at(oldest - timedelta(days=limits.RECEIPT_MATCH_DAYS)),
        _first_id_at(now + timedelta(seconds=RECEIPT_MATCH_AHEAD_S)),
    )


def _keys_of(incoming: IncomingReceipt) -> set[str]:
    """Every key that the answer's ID may have."""
    return set(keys_by_format(incoming.receipt.carrier_ref).values())


def _lookup_keys(
    batch: Sequence[IncomingReceipt], keys_by_index: Iterable[tuple[int, Iterable[str]]]
) -> list[LookupKey]:
    return [(index, batch[index].carrier_id, key) for index, keys in keys_by_index for key in keys]


def _is_possible(incoming: IncomingReceipt, attempt: UnansweredAttempt) -> bool:
    began_before_s = (incoming.receipt.received_at - attempt.started_at).total_seconds()
    return (
        attempt.carrier_id == incoming.carrier_id
        and -limits.RECEIPT_CLOCK_AHEAD_S_MAX <= began_before_s <= RECEIPT_UNANSWERED_S_MAX
        and agrees(incoming.receipt.number, attempt.number, attempt.sender) is True
    )


def _first_id_at(at: datetime) -> int:
    return ids.first_id_at(int(at.timestamp() * 1000))
