"""The intake: submissions of all dialects are checked, charged, stored and queued here, many in one transaction."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Final

import structlog

from homing import errors, limits
from homing.common.batching import Batcher
from homing.guard.end_users import EndUserAddress
from homing.intake.commit import LeftOut, commit_on_terms
from homing.intake.prepare import GuardCheck, PreparedSubmission, prepare
from homing.intake.repeats import submit_unrepeated
from homing.intake.submission import RepeatedReferences, Submission, SubmitResult
from homing.intake.terms import NO_TERMS, EarlierAnswer
from homing.observe.logs import is_debug
from homing.routing.catalogue_cache import CatalogueCache
from homing.store.database import Database
from homing.store.statements.intake import NewMessage
from homing.store.submissions import Payment, submit
from homing.text.numbers import Destination, Numbering

SUBMIT_LINGER_S: Final = 0.001  # submissions that arrive within it share a transaction
SUBMIT_LINGER_S_MAX: Final = 0.01  # while more keep coming and transactions take long
SUBMIT_BATCH_MESSAGES_TARGET: Final = 24  # messages that are worth a transaction: a batch does not wait for more
REQUERY_ROUNDS_MAX: Final = 8  # how often a batch is reduced to what the balances cover

log = structlog.get_logger()

Clock = Callable[[], datetime]
NoteEndUser = Callable[[EndUserAddress, Sequence[NewMessage]], None]
SubmitOutcome = errors.HomingError | EarlierAnswer | None
"""Why a submission was not accepted; None: it is stored, charged and queued."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Intake:
    """Accepts submissions. They are checked and routed at once, then charged, stored and queued by group commit."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue_cache: CatalogueCache,
        numbering: Numbering,
        next_id: Callable[[], int],
        clock: Clock = utc_now,
        check: GuardCheck | None = None,
        note: NoteEndUser | None = None,
    ) -> None:
        """`check`: the guard's. `note`: takes the messages that an end user requested, once they are stored."""
        self._database = database
        self._catalogue_cache = catalogue_cache
        self._numbering = numbering
        self._next_id = next_id
        self._clock = clock
        self._check = check
        self._note = note
        self._commits: Batcher[PreparedSubmission, SubmitOutcome] = Batcher(
            self._commit,
            weight_max=limits.SUBMIT_MESSAGES_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            lanes=2,  # one batch is being written while the next one gathers and is encoded
            linger_s=SUBMIT_LINGER_S,
            linger_s_max=SUBMIT_LINGER_S_MAX,
            weight_target=SUBMIT_BATCH_MESSAGES_TARGET,
            weigh=lambda prepared: len(prepared.messages),
        )

    async def submit(self, submission: Submission, message_id: int | None = None) -> Sequence[SubmitResult]:
        """Returns the result of each recipient, in order, when the submission is durable. `message_id`: as of `begin`.

        Raises a `Refusal`: nothing was stored or charged; `EarlierAnswer`: neither, since it was done before; or a
        `PlatformFailure`: the submission may be stored, as the connection may have broken between the commit and its
        answer.
        """
        if submission.repeated_references is RepeatedReferences.SENT:
            return await self._submit_all(submission, message_id)
        submit = partial(self._submit_all, message_id=message_id)
        return await submit_unrepeated(self._database, submission, submit, self._clock)

    async def _submit_all(self, submission: Submission, message_id: int | None) -> Sequence[SubmitResult]:
        results, outcome = self.begin(submission, message_id)
        if (error := await outcome) is not None:
            raise error
        return results

    def begin(
        self, submission: Submission, message_id: int | None = None
    ) -> tuple[Sequence[SubmitResult], "asyncio.Future[SubmitOutcome]"]:
        """As `submit`, without waiting: returns the results that hold if the outcome is None, and the outcome. For a
        repeated reference that is an `EarlierAnswer` of the whole submission.

        Raises a `Refusal` that needs no database, or `Overloaded`; the future raises a `PlatformFailure`. `message_id`:
        the ID of the submission's only message. Submitting it again is safe: the database refuses a second message with
        the ID, and `DatabaseFailed` with `poison` is raised.
        """
        prepared, outcome = self.begin_prepared(submission, message_id)
        return prepared.results, outcome

    def begin_prepared(
        self, submission: Submission, message_id: int | None = None
    ) -> tuple[PreparedSubmission, "asyncio.Future[SubmitOutcome]"]:
        """As `begin`, with all that is known of the messages."""
        next_id = self._next_id if message_id is None else lambda: message_id
        prepared = prepare(submission, self._catalogue_cache.catalogue, self._numbering, next_id, self._check)
        outcome = self._commits.put(prepared)
        if prepared.end_user is not None:
            outcome.add_done_callback(lambda decided: self._note_end_user(prepared, decided))
        return prepared, outcome

    def quote(self, submission: Submission) -> PreparedSubmission:
        """What `submit` would store, with its prices, without the guard's judgement; nothing is stored or charged.
        Raises a `Refusal`.
        """
        return prepare(submission, self._catalogue_cache.catalogue, self._numbering, self._next_id)

    def look_up(self, account_id: int, number: str) -> tuple[Destination, int | None]:
        """Where a number is, and what a segment to it costs the account in micro-units; None: it has no price."""
        price = self._catalogue_cache.catalogue.price(account_id, number)
        return self._numbering.locate(number), None if price is None else price.micro

    async def drained(self) -> None:
        await self._commits.drained()

    async def _commit(self, batch: Sequence[PreparedSubmission]) -> list[SubmitOutcome]:
        """The outcome of each submission. All are submitted together; of an account that cannot pay for all of its own,
        another round submits those that its money covers, and the others are refused.

        If a round fails after another was committed, only the submissions that are still undecided fail: what is
        durable is neither submitted again nor reported as failed.
        """
        outcomes: dict[int, SubmitOutcome] = {}
        attempt = list(batch)
        for _round in range(REQUERY_ROUNDS_MAX):
            try:
                payments, left_out = await self._submit(attempt)
            except Exception as error:
                if not outcomes:
                    raise  # nothing is decided: the batcher halves the batch to find a poisoned submission
                failure = error if isinstance(error, errors.PlatformFailure) else errors.DatabaseFailed(repr(error))
                return [outcomes.get(id(prepared), failure) for prepared in batch]
            tried = _by_account([prepared for prepared in attempt if id(prepared) not in left_out])
            if is_debug():
                log.debug("messages_accepted", message_ids=_accepted_ids(tried, payments))
            if len(attempt) == len(batch) and not left_out and all(each.is_paid for each in payments.values()):
                return [None] * len(batch)  # as a rule: all else costs a microsecond a message
            outcomes.update((key, outcome) for key, outcome in left_out.items() if outcome is not None)
            again = [prepared for prepared in attempt if left_out.get(id(prepared), prepared) is None]
            attempt = []
            for account_id, submissions in _by_account(batch).items():
                if account_id in tried:
                    payment = payments[account_id]
                    available_micro = payment.available_micro
                    if payment.is_paid:
                        outcomes.update((id(prepared), None) for prepared in tried[account_id])
                        available_micro -= sum(prepared.total_micro for prepared in tried[account_id])
                undecided = [
                    prepared
                    for prepared in submissions
                    if id(prepared) not in outcomes and id(prepared) not in left_out
                ]
                if account_id not in tried:  # all that its money covered were left out: the others may be covered now
                    attempt += undecided
                    continue
                covered = affordable(undecided, available_micro)
                attempt += covered
                if not covered:
                    outcomes.update((id(prepared), errors.InsufficientBalance()) for prepared in undecided)
            attempt += again
            if not attempt:
                return [outcomes[id(prepared)] for prepared in batch]
        overloaded = errors.Overloaded("the balance changes faster than it can be read")
        return [outcomes.get(id(prepared), overloaded) for prepared in batch]

    def _note_end_user(self, prepared: PreparedSubmission, outcome: "asyncio.Future[SubmitOutcome]") -> None:
        is_stored = not outcome.cancelled() and outcome.exception() is None and outcome.result() is None
        if is_stored and prepared.end_user is not None and self._note is not None:
            self._note(prepared.end_user, prepared.messages)

    async def _submit(self, batch: Sequence[PreparedSubmission]) -> tuple[Mapping[int, Payment], LeftOut]:
        if any(prepared.terms is not NO_TERMS for prepared in batch):
            return await commit_on_terms(self._database, batch, now=self._clock())
        messages = list(chain.from_iterable(prepared.messages for prepared in batch))
        return await submit(self._database, messages, now=self._clock()), {}


def affordable(submissions: Sequence[PreparedSubmission], available_micro: int) -> list[PreparedSubmission]:
    """The submissions that an amount covers, taken in order; one that is too expensive is skipped."""
    selected = []
    for prepared in submissions:
        if prepared.total_micro <= available_micro:
            available_micro -= prepared.total_micro
            selected.append(prepared)
    return selected


def _accepted_ids(tried: Mapping[int, Sequence[PreparedSubmission]], payments: Mapping[int, Payment]) -> list[int]:
    return [
        message.message_id
        for account_id, submissions in tried.items()
        if payments[account_id].is_paid
        for prepared in submissions
        for message in prepared.messages
    ]


def _by_account(batch: Sequence[PreparedSubmission]) -> dict[int, list[PreparedSubmission]]:
    grouped: dict[int, list[PreparedSubmission]] = {}
    for prepared in batch:
        grouped.setdefault(prepared.account_id, []).append(prepared)
    return grouped
