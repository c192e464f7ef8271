"""The one intake: every dialect's submissions go through here, and share their transactions."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from homing import errors, limits
from homing.common.batching import Batcher
from homing.intake.prepare import GuardCheck, Prepared, prepare
from homing.intake.submission import Submission, SubmitResult
from homing.routing.catalogue_cache import CatalogueCache
from homing.store.database import Database
from homing.store.submissions import submit
from homing.text.numbers import Numbering

SUBMIT_LINGER_S: Final = 0.001  # what arrives within it shares a transaction
SUBMIT_LINGER_S_MAX: Final = 0.01  # while more keeps coming and batches take long
SUBMIT_BATCH_MESSAGES_TARGET: Final = 24  # messages that bear a transaction's own cost together: nobody waits for more
REQUERY_ROUNDS_MAX: Final = 8  # how often a submit batch is cut down to what the balance carries


Clock = Callable[[], datetime]
Verdict = errors.HomingError | None
"""Why a submission was not accepted; None: it is stored, paid for and queued."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Intake:
    """Accepts submissions: prepared at once, then stored, paid and queued in one group-committed transaction."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue_cache: CatalogueCache,
        numbering: Numbering,
        next_id: Callable[[], int],
        clock: Clock = utc_now,
        check: GuardCheck | None = None,
    ) -> None:
        self._database = database
        self._catalogue_cache = catalogue_cache
        self._numbering = numbering
        self._next_id = next_id
        self._clock = clock
        self._check = check
        self._commits: Batcher[Prepared, Verdict] = Batcher(
            self._commit,
            weight_max=limits.SUBMIT_MESSAGES_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            lanes=2,  # one is being written while the other gathers and is encoded
            linger_s=SUBMIT_LINGER_S,
            linger_s_max=SUBMIT_LINGER_S_MAX,
            weight_target=SUBMIT_BATCH_MESSAGES_TARGET,
            weigh=lambda prepared: len(prepared.messages),
        )

    async def submit(self, submission: Submission) -> Sequence[SubmitResult]:
        """The fate of each recipient, in order, once it is durable.

        Raises a `Refusal` (nothing was stored or charged), or a `PlatformFailure` (after one the caller cannot
        know: the connection may have broken between the commit and its answer).
        """
        fates, verdict = self.begin(submission)
        if (refused := await verdict) is not None:
            raise refused
        return fates

    def begin(
        self, submission: Submission, message_id: int | None = None
    ) -> tuple[Sequence[SubmitResult], "asyncio.Future[Verdict]"]:
        """As `submit`, without waiting: what the fates will be if the verdict is None. The future raises a
        `PlatformFailure`; this raises what can be told at once.

        `message_id`: the id that the submission's one message is to have. To submit it again is safe: a second message
        with the id is refused by the database, which raises `DatabaseFailed` with `poison`.
        """
        next_id = self._next_id if message_id is None else lambda: message_id
        prepared = prepare(submission, self._catalogue_cache.catalogue, self._numbering, next_id, self._check)
        return prepared.fates, self._commits.put(prepared)

    async def drained(self) -> None:
        await self._commits.drained()

    async def _commit(self, batch: Sequence[Prepared]) -> list[Verdict]:
        """What became of each submission. All are tried together; of an account that cannot pay for all of its own,
        another round tries what its money does cover, and what no round could cover is refused.

        A failure after a round was paid is the fate of those who were not in it: nothing that is durable is tried,
        or denied, again.
        """
        verdicts: dict[int, Verdict] = {}
        accounts = _by_account(batch)
        attempt = list(batch)
        for _round in range(REQUERY_ROUNDS_MAX):
            try:
                messages = list(chain.from_iterable(prepared.messages for prepared in attempt))
                payments = await submit(self._database, messages, now=self._clock())
            except errors.PlatformFailure as failure:
                if not verdicts:
                    raise  # nothing is decided: the batcher may look for a poisoned submission
                return [verdicts.get(id(prepared), failure) for prepared in batch]
            tried = _by_account(attempt)
            attempt = []
            for account_id, mine in tried.items():
                payment = payments[account_id]
                available_micro = payment.available_micro
                if payment.is_paid:
                    verdicts.update((id(prepared), None) for prepared in mine)
                    available_micro -= sum(prepared.total_micro for prepared in mine)
                open_ones = [prepared for prepared in accounts[account_id] if id(prepared) not in verdicts]
                covered = affordable(open_ones, available_micro)
                attempt += covered
                if not covered:
                    verdicts.update((id(prepared), errors.InsufficientBalance()) for prepared in open_ones)
            if not attempt:
                return [verdicts[id(prepared)] for prepared in batch]
        overloaded = errors.Overloaded("the balance changes faster than it can be read")
        return [verdicts.get(id(prepared), overloaded) for prepared in batch]


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
