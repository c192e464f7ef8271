"""Receipts' messages, looked up by the ids that their answers may have had."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.common import ids
from homing.model import CarrierReceipt
from homing.receipts.id_formats import key_in_format, keys
from homing.receipts.learnt_formats import LearntIdFormats
from homing.receipts.matching import PartKey, ReceiptCandidate, ReceiptMatch, agrees, choose, is_contradicted
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.receipts import AttemptName, CandidateRow, ReceiptReference, UnansweredAttempt

RECEIPT_CANDIDATES_MAX: Final = 8  # messages of one reference that are looked at: the latest
RECEIPT_PART_CANDIDATES_MAX: Final = 64
RECEIPT_REPEATED_REFS_MAX: Final = 1_000  # read for those: a carrier that answers the same id for ever costs no more
RECEIPT_MATCH_AHEAD_S: Final = 3_600.0  # ids of machines whose clocks are ahead
RECEIPT_REPLAY_DAYS_MAX: Final = 60  # how far back a replayed receipt's match days may begin
RECEIPT_UNANSWERED_S_MAX: Final = 21_600.0  # such a submit began at most this long before its receipt
RECEIPT_UNANSWERED_MAX: Final = 10_000


class ArrivedReceipt(msgspec.Struct, frozen=True):
    """A receipt with the carrier it came by. The rest is of those that have waited; `is_last`: it is their last try."""

    carrier_id: int
    carrier: str
    receipt: CarrierReceipt
    parked_id: int | None = None
    waiting_since: datetime | None = None
    is_last: bool = False


Wanted = tuple[int, int, str]  # the place of the receipt in its batch, its carrier, a key


class ReceiptLookup:
    """Matches batches of receipts. The hot path is one statement: the id in the carrier's learnt form, among messages
    that left as one. What that does not settle is looked for in every form, and among parts.
    """

    def __init__(self, learning: LearntIdFormats, clock: Callable[[], datetime]) -> None:
        self._learning = learning
        self._clock = clock

    async def match(
        self, transaction: DatabaseConnection, arrived: Sequence[ArrivedReceipt]
    ) -> list[ReceiptMatch | None]:
        """One answer for each receipt, in their order."""
        span = span_of(arrived, self._clock())
        likely = [self._likely(one) for one in arrived]
        found = await candidates_of(transaction, _wanted(arrived, enumerate(likely)), span)
        matches = [self._first(one, found.get(nth)) for nth, one in enumerate(arrived)]
        unsettled = [nth for nth, match in enumerate(matches) if match is None or match.candidate.segments > 1]
        if unsettled:
            others = [(nth, _keys_of(arrived[nth]) - likely[nth]) for nth in unsettled if matches[nth] is None]
            for nth, more in (await candidates_of(transaction, _wanted(arrived, others), span)).items():
                found.setdefault(nth, []).extend(more)
            every = [(nth, _keys_of(arrived[nth])) for nth in unsettled]
            parts = await part_candidates_of(transaction, _wanted(arrived, every), span)
            self._settle(arrived, matches, unsettled, found, parts)
        for one, match in zip(arrived, matches, strict=True):
            if match and match.confirmed:
                self._learning.confirm(one.carrier_id, match.confirmed)
        return matches

    def _first(self, one: ArrivedReceipt, candidates: Sequence[ReceiptCandidate] | None) -> ReceiptMatch | None:
        """The first look. One message, found in the form that is learnt, to the number that is told: there is nothing
        to weigh, and nearly all receipts of a carrier that is known are so.
        """
        if candidates is None:
            return None
        learnt = self._learning.form(one.carrier_id)
        if learnt and len(candidates) == 1 and candidates[0].number == one.receipt.number:
            return ReceiptMatch(candidates[0], learnt)
        return self._choose(one, candidates, waited=False)

    def _likely(self, one: ArrivedReceipt) -> set[str]:
        """The key in the learnt form where there is one and the id can be in it, else in every form."""
        learnt = self._learning.form(one.carrier_id)
        likely = key_in_format(learnt, one.receipt.carrier_ref) if learnt else None
        return _keys_of(one) if likely is None else {likely}

    def _settle(
        self,
        arrived: Sequence[ArrivedReceipt],
        matches: list[ReceiptMatch | None],
        unsettled: Sequence[int],
        wholes: Mapping[int, Sequence[ReceiptCandidate]],
        parts: Mapping[int, Sequence[ReceiptCandidate]],
    ) -> None:
        """Chooses among parts and wholes. A message that left in parts is meant by them and not as a whole."""
        taken: set[PartKey] = set()
        for nth in unsettled:
            in_parts = {(part.message_id, part.attempt) for part in parts.get(nth, ())}
            candidates = [
                *parts.get(nth, ()),
                *(one for one in wholes.get(nth, ()) if (one.message_id, one.attempt) not in in_parts),
            ]
            one = arrived[nth]
            match = matches[nth] = self._choose(one, candidates, waited=self._has_waited(one), taken=taken)
            if match is None:
                self._wonder(one, candidates)
            elif match.candidate.part and TABLE[MessageState(one.receipt.state)].final:
                taken.add((match.candidate.message_id, match.candidate.attempt, match.candidate.part))

    def _wonder(self, one: ArrivedReceipt, candidates: Sequence[ReceiptCandidate]) -> None:
        """Whether it is this carrier's way to name other numbers than the recipient's."""
        if one.parked_id is None and is_contradicted(one.receipt.carrier_ref, one.receipt.number, candidates):
            self._learning.contradict(one.carrier_id)

    def _choose(
        self,
        one: ArrivedReceipt,
        candidates: Sequence[ReceiptCandidate],
        *,
        waited: bool,
        taken: set[PartKey] | None = None,
    ) -> ReceiptMatch | None:
        receipt = one.receipt
        return choose(
            receipt.carrier_ref,
            receipt.number if self._learning.believes_numbers(one.carrier_id) else None,
            keys(receipt.carrier_ref),
            candidates,
            self._learning.form(one.carrier_id),
            waited=waited,
            taken=taken or (),
        )

    def _has_waited(self, one: ArrivedReceipt) -> bool:
        """Whether every submit that was under way when the receipt came must have its answer by now."""
        since = one.waiting_since
        return since is not None and (self._clock() - since).total_seconds() >= limits.RECEIPT_UNANSWERED_S_MIN

    async def match_unanswered(
        self, transaction: DatabaseConnection, arrived: Sequence[ArrivedReceipt], matches: list[ReceiptMatch | None]
    ) -> None:
        """Receipts that have waited, and whose id nobody has: each is that of the one submit of its carrier to its
        number whose answer was lost, if there is exactly one, and it is the only such receipt. The attempt then gets
        the id.
        """
        open_ones = [
            (nth, one)
            for nth, (one, match) in enumerate(zip(arrived, matches, strict=True))
            if match is None and one.receipt.number and one.receipt.carrier_ref and self._has_waited(one)
        ]
        if not open_ones:
            return
        rows = await self._unanswered(transaction, [one for _nth, one in open_ones])
        claims: dict[tuple[int, int], list[tuple[int, ReceiptCandidate]]] = {}
        for nth, one in open_ones:
            fitting = [row for row in rows if _fits(one, row)]
            if len(fitting) == 1:
                candidate = _candidate(fitting[0])
                claims.setdefault((candidate.message_id, candidate.attempt), []).append((nth, candidate))
        lone = [
            claim for claim in claims.values() if len({arrived[nth].receipt.carrier_ref for nth, _one in claim}) == 1
        ]
        named = await self._name(transaction, arrived, [claim[0] for claim in lone])
        for claim in lone:
            for nth, candidate in claim:
                if (candidate.message_id, candidate.attempt) in named:
                    matches[nth] = ReceiptMatch(candidate)

    async def _unanswered(
        self, transaction: DatabaseConnection, arrived: Sequence[ArrivedReceipt]
    ) -> Sequence[UnansweredAttempt]:
        oldest = min(one.receipt.received_at for one in arrived)
        first_id, beyond_id = span_of(arrived, self._clock())
        rows = await statements.receipts.attempts_unanswered(
            transaction,
            carrier_ids=sorted({one.carrier_id for one in arrived}),
            first_id=first_id,
            beyond_id=beyond_id,
            started_since=oldest - timedelta(seconds=RECEIPT_UNANSWERED_S_MAX),
            rows_max=RECEIPT_UNANSWERED_MAX,
        )
        counts = Counter(row.carrier_id for row in rows)
        # where there are more than were read, none can be told to be the only one
        return [row for row in rows if counts[row.carrier_id] < RECEIPT_UNANSWERED_MAX]

    async def _name(
        self,
        transaction: DatabaseConnection,
        arrived: Sequence[ArrivedReceipt],
        claims: Sequence[tuple[int, ReceiptCandidate]],
    ) -> set[tuple[int, int]]:
        """Writes the ids down; gives those attempts that had none until now."""
        if not claims:
            return set()
        ordered = sorted(claims, key=lambda claim: (claim[1].account_id, claim[1].message_id))
        rows = await statements.receipts.attempts_name(
            transaction,
            attempts=[
                AttemptName(
                    account_id=candidate.account_id,
                    message_id=candidate.message_id,
                    attempt=candidate.attempt,
                    carrier_ref=arrived[nth].receipt.carrier_ref,
                    is_current=candidate.is_current,
                )
                for nth, candidate in ordered
            ],
        )
        return {(row.message_id, row.attempt) for row in rows}


async def candidates_of(
    db: Executor, wanted: Sequence[Wanted], span: tuple[int, int]
) -> dict[int, list[ReceiptCandidate]]:
    """The messages, meant as wholes, that have one of the keys, by the receipt's place."""
    if not wanted:
        return {}
    first_id, beyond_id = span
    rows = await statements.receipts.receipts_match(
        db,
        references=_references(wanted),
        first_id=first_id,
        beyond_id=beyond_id,
        looked_max=RECEIPT_REPEATED_REFS_MAX,
        candidates_max=RECEIPT_CANDIDATES_MAX,
    )
    return _by_place(wanted, rows)


async def part_candidates_of(
    db: Executor, wanted: Sequence[Wanted], span: tuple[int, int]
) -> dict[int, list[ReceiptCandidate]]:
    """As above, of parts of messages."""
    if not wanted:
        return {}
    first_id, beyond_id = span
    rows = await statements.receipts.receipts_match_parts(
        db,
        references=_references(wanted),
        first_id=first_id,
        beyond_id=beyond_id,
        looked_max=RECEIPT_REPEATED_REFS_MAX,
        candidates_max=RECEIPT_PART_CANDIDATES_MAX,
    )
    return _by_place(wanted, rows)


def _references(wanted: Sequence[Wanted]) -> Sequence[ReceiptReference]:
    return [ReceiptReference(carrier_id=carrier_id, key=each) for _place, carrier_id, each in wanted]


def _by_place(wanted: Sequence[Wanted], rows: Sequence[CandidateRow]) -> dict[int, list[ReceiptCandidate]]:
    found: dict[int, list[ReceiptCandidate]] = {}
    for row in rows:
        place, _carrier_id, _key = wanted[row.nth - 1]
        found.setdefault(place, []).append(_candidate(row))
    return found


def _candidate(row: CandidateRow | UnansweredAttempt) -> ReceiptCandidate:
    return ReceiptCandidate(
        account_id=row.account_id,
        message_id=row.message_id,
        attempt=row.attempt,
        part=row.part,
        state=row.state,
        carrier_ref=row.carrier_ref,
        number=row.number,
        sender=row.sender,
        segments=row.segments,
        is_current=row.is_current,
        sent_at=row.sent_at,
    )


def span_of(arrived: Sequence[ArrivedReceipt], now: datetime) -> tuple[int, int]:
    """The ids of messages that these receipts can be about: of the days before, which for a replayed one are not
    the last ones. The upper bound spares a look into the partitions of the weeks to come.
    """
    oldest = min((one.receipt.received_at for one in arrived if one.parked_id is not None), default=now)
    oldest = max(min(oldest, now), now - timedelta(days=RECEIPT_REPLAY_DAYS_MAX))
    return (
        _id_at(oldest - timedelta(days=limits.RECEIPT_MATCH_DAYS)),
        _id_at(now + timedelta(seconds=RECEIPT_MATCH_AHEAD_S)),
    )


def _keys_of(one: ArrivedReceipt) -> set[str]:
    """Every key that the id may have in an answer."""
    return set(keys(one.receipt.carrier_ref).values())


def _wanted(arrived: Sequence[ArrivedReceipt], wanted: Iterable[tuple[int, Iterable[str]]]) -> list[Wanted]:
    return [(nth, arrived[nth].carrier_id, each) for nth, wanted_keys in wanted for each in wanted_keys]


def _fits(one: ArrivedReceipt, unanswered: UnansweredAttempt) -> bool:
    began_s = (one.receipt.received_at - unanswered.started_at).total_seconds()
    return (
        unanswered.carrier_id == one.carrier_id
        and -limits.RECEIPT_CLOCK_AHEAD_S_MAX <= began_s <= RECEIPT_UNANSWERED_S_MAX
        and agrees(one.receipt.number, unanswered.number, unanswered.sender) is True
    )


def _id_at(at: datetime) -> int:
    return ids.first_id_at(int(at.timestamp() * 1000))
