"""The one intake: every door's submissions go through here, and share their transactions."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain

from homing import errors, limits
from homing.intake.prepare import Prepared, prepare
from homing.intake.submission import Fate, Submission
from homing.kit.batching import Batcher
from homing.routing.board import TariffBoard
from homing.store.database import Database
from homing.text.numbers import Numbering

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Intake:
    """Accepts submissions: prepared at once, then stored, paid and queued in one group-committed transaction."""

    def __init__(
        self,
        database: Database,
        board: TariffBoard,
        numbering: Numbering,
        next_id: Callable[[], int],
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._board = board
        self._numbering = numbering
        self._next_id = next_id
        self._clock = clock
        self._commits: Batcher[Prepared, bool] = Batcher(
            self._commit,
            weight_max=limits.SUBMIT_MESSAGES_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            lanes=2,  # one is being written while the other gathers and is encoded
            linger_s=limits.SUBMIT_LINGER_S,
            weigh=lambda prepared: len(prepared.rows),
        )

    async def submit(self, submission: Submission) -> Sequence[Fate]:
        """The fate of each recipient, in order, once it is durable.

        Raises a `Refusal` (nothing was stored or charged), or a `PlatformFailure` (after one the caller cannot
        know: the connection may have broken between the commit and its answer).
        """
        prepared = prepare(submission, self._board.tariff, self._numbering, self._next_id)
        if not await self._commits.put(prepared):
            raise errors.InsufficientBalance
        return prepared.fates

    async def drained(self) -> None:
        await self._commits.drained()

    async def _commit(self, batch: Sequence[Prepared]) -> list[bool]:
        """Whether each submission was paid for. Those that an account cannot pay are refused one by one, in order:
        what the balance does carry goes into another round.
        """
        paid: set[int] = set()
        waiting = list(batch)
        for _round in range(limits.REQUERY_ROUNDS_MAX):
            purses = await self._write(waiting)
            short: list[Prepared] = []
            for account_id, mine in _by_account(waiting).items():
                is_paid, available_micro = purses[account_id]
                if is_paid:
                    paid.update(map(id, mine))
                else:
                    short.extend(affordable(mine, available_micro))
            if not short:
                return [id(prepared) in paid for prepared in batch]
            waiting = short
        raise errors.Overloaded("the balance changes faster than it can be read")

    async def _write(self, batch: Sequence[Prepared]) -> dict[int, tuple[bool, int]]:
        """One transaction. An account that can pay for all of its part has it charged, stored and queued; of the
        others nothing is written. Gives for each account whether it paid, and what it had.
        """
        rows = list(chain.from_iterable(prepared.rows for prepared in batch))
        totals: dict[int, int] = {}
        before: list[int] = []
        for prepared in batch:
            spent_micro = totals.get(prepared.account_id, 0)
            before.extend(row[-1] + spent_micro for row in prepared.rows)  # type: ignore[operator]
            totals[prepared.account_id] = spent_micro + prepared.total_micro
        accounts = sorted(totals)  # one order for all, so that two batches cannot wait for each other
        columns = list(zip(*rows, strict=True))[:-1]
        found = await self._database.fetch(
            "submit",
            self._clock(),
            accounts,
            [totals[account] for account in accounts],
            *columns,
            before,
            limits.LANES_PER_CARRIER,
        )
        return {row["account_id"]: (row["is_paid"], row["available_micro"]) for row in found}


def affordable(submissions: Sequence[Prepared], available_micro: int) -> list[Prepared]:
    """Those that the money covers, in order: a dear one is passed over, a later cheap one may still go."""
    chosen = []
    for prepared in submissions:
        if prepared.total_micro <= available_micro:
            available_micro -= prepared.total_micro
            chosen.append(prepared)
    return chosen


def _by_account(batch: Sequence[Prepared]) -> dict[int, list[Prepared]]:
    grouped: dict[int, list[Prepared]] = {}
    for prepared in batch:
        grouped.setdefault(prepared.account_id, []).append(prepared)
    return grouped
