"""Serves the requests of bound customers. A submit is answered by a callback when its transaction is durable: there is
no task for each message.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.accounts.refusal_log import RefusalLog
from homing.accounts.refused_calls import Caller, RefusedCall, reason_for
from homing.api.http.failure_log import FailureLog
from homing.api.smpp import message_text, multipart
from homing.api.smpp.part_store import MultipartStore, StoredPart
from homing.api.smpp.queries import Query, QueryHandler
from homing.api.smpp.session import EsmeSession
from homing.api.smpp.statuses import RequestRejected, shown_status, status_of
from homing.api.smpp.submit import Submit, SubmitRequest, invalid_destinations, read_submit
from homing.common.token_bucket import TokenBuckets
from homing.intake.intake import Intake, SubmitOutcome
from homing.intake.submission import AcceptedMessage, RefusedRecipient, RepeatedReferences, Submission, SubmitResult
from homing.observe.smpp import SmppMetrics
from homing.smpp import pdus
from homing.smpp.pdus import DataSm, DataSmResp, SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp, UnsuccessSme
from homing.smpp.session import IncomingRequest
from homing.smpp.statuses import CommandStatus

COMMANDS = {
    SubmitSm: "submit_sm",
    SubmitMulti: "submit_multi",
    DataSm: "data_sm",
    pdus.QuerySm: "query_sm",
    pdus.CancelSm: "cancel_sm",
    pdus.ReplaceSm: "replace_sm",
}
ADDRESS_CHARS_MAX = 20
SUBMITS = frozenset({SubmitSm, SubmitMulti, DataSm})


class SubmitRateLimiter:
    """Limits the messages that an account submits in a second; counted in this process alone."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._buckets: TokenBuckets[int] = TokenBuckets(limits.PROFILES_MAX)

    def take(self, account: Profile, messages: int) -> bool:
        rate = account.submits_per_s
        if rate is None:
            return True
        now_s = self._clock_s()
        bucket = self._buckets.bucket(account.account_id, rate, rate, now_s)
        # A submit_multi of more than a second's messages takes a second's tokens.
        return bucket.take(now_s, min(messages, rate))


class CommandHandler:
    """Serves batches of requests, each from one read of a socket."""

    def __init__(
        self,
        *,
        intake: Intake,
        part_store: MultipartStore,
        queries: QueryHandler,
        metrics: SmppMetrics,
        refusal_log: RefusalLog,
        next_id: Callable[[], int],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intake = intake
        self._part_store = part_store
        self._queries = queries
        self._metrics = metrics
        self._refusal_log = refusal_log
        self._next_id = next_id
        self._clock = clock
        self._clock_s = clock_s
        self._rates = SubmitRateLimiter(clock_s)
        self._failures = FailureLog()
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, session: EsmeSession, account: Profile, batch: Sequence[IncomingRequest]) -> None:
        """Never raises: every request gets its response, now or later."""
        now, began_s = self._clock(), self._clock_s()
        request: Any  # narrowed by its exact type: isinstance of a union costs several times as much
        for sequence, request in batch:
            kind = type(request)
            if kind in SUBMITS:
                self._submit(session, account, sequence, request, now, began_s)
            elif kind in COMMANDS:
                self._run(self._query(session, account, sequence, request))
            else:
                session.respond(sequence, CommandStatus.RINVCMDID)

    def refuse(self, session: EsmeSession, batch: Sequence[IncomingRequest], status: int) -> None:
        """Answers a batch that cannot be served."""
        for sequence, request in batch:
            self._answer(session, sequence, request, status)

    async def drained(self) -> None:
        """Returns when every request has its response."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _submit(
        self, session: EsmeSession, account: Profile, sequence: int, pdu: Submit, now: datetime, began_s: float
    ) -> None:
        try:
            submit = self._read(account, pdu, now)
            request_id = f"{session.name}/{sequence}"
            if submit.part is not None:
                self._put_part(session, account, sequence, pdu, submit, request_id, began_s)
                return
            text = message_text.decode(submit.octets, submit.data_coding, account.smpp_charset)
            submission = submit.submission(account, session.app_id, request_id, text)
            if submission.repeated_references is not RepeatedReferences.SENT:
                self._run(self._submit_unrepeated(session, sequence, pdu, submission, began_s))
                return
            results, outcome = self._intake.begin(submission)
        except Exception as error:
            self._fail(session, sequence, pdu, error)
            return
        outcome.add_done_callback(partial(self._stored, session, sequence, pdu, results, began_s))

    def _read(self, account: Profile, pdu: Submit, now: datetime) -> SubmitRequest:
        """Raises `RequestRejected`. A rejected submit counts for the rate as well: it costs as much time."""
        try:
            submit = read_submit(account, pdu, now)
        except Exception:
            if not self._rates.take(account, 1):
                raise RequestRejected(CommandStatus.RTHROTTLED) from None
            raise
        if not self._rates.take(account, len(submit.recipients)):
            raise RequestRejected(CommandStatus.RTHROTTLED)
        return submit

    def _stored(
        self,
        session: EsmeSession,
        sequence: int,
        pdu: Submit,
        results: Sequence[SubmitResult],
        began_s: float,
        outcome: "asyncio.Future[SubmitOutcome]",
    ) -> None:
        refused = outcome.exception() or outcome.result()
        if refused is not None:
            self._fail(session, sequence, pdu, refused)
        else:
            self._submitted(session, sequence, pdu, results, began_s)

    async def _submit_unrepeated(
        self, session: EsmeSession, sequence: int, pdu: Submit, submission: Submission, began_s: float
    ) -> None:
        try:
            results = await self._intake.submit(submission)
        except Exception as error:
            self._fail(session, sequence, pdu, error)
        else:
            self._submitted(session, sequence, pdu, results, began_s)

    def _submitted(
        self, session: EsmeSession, sequence: int, pdu: Submit, results: Sequence[SubmitResult], began_s: float
    ) -> None:
        if type(pdu) is SubmitMulti:
            self._log_unserved(session, sequence, pdu, results)
            self._answer(session, sequence, pdu, _multi_resp(pdu, results))
        else:
            result = results[0]
            assert type(result) is AcceptedMessage
            self._accept(session, sequence, pdu, result.message_id, began_s)

    def _log_unserved(
        self, session: EsmeSession, sequence: int, pdu: SubmitMulti, results: Sequence[SubmitResult]
    ) -> None:
        """The destinations of a submit_multi that have no message."""
        if invalid := invalid_destinations(pdu):
            status = CommandStatus.RINVDSTADR
            self._log(session, sequence, pdu, errors.NumbersAbnormal, status, len(invalid))
        for result in results:
            if isinstance(result, RefusedRecipient):
                self._log(session, sequence, pdu, result.reason, status_of(result.reason), 1)

    def _accept(self, session: EsmeSession, sequence: int, pdu: Submit, message_id: int, began_s: float) -> None:
        response = DataSmResp if type(pdu) is DataSm else SubmitSmResp
        self._metrics.took(self._clock_s() - began_s, 1)
        self._answer(session, sequence, pdu, response(str(message_id)))

    def _put_part(
        self,
        session: EsmeSession,
        account: Profile,
        sequence: int,
        pdu: Submit,
        submit: SubmitRequest,
        request_id: str,
        began_s: float,
    ) -> None:
        credential = session.credential
        part = multipart.part_of(
            submit,
            account,
            self._next_id(),
            dialect=credential.dialect,
            key=credential.key,
            app_id=session.app_id,
            request_id=request_id,
        )
        self._part_store.put(part).add_done_callback(partial(self._part_stored, session, sequence, pdu, began_s))

    def _part_stored(
        self, session: EsmeSession, sequence: int, pdu: Submit, began_s: float, stored: "asyncio.Future[StoredPart]"
    ) -> None:
        error = stored.exception()
        refused = error or stored.result().outcome
        if refused is not None:
            self._fail(session, sequence, pdu, refused)
        else:
            self._accept(session, sequence, pdu, stored.result().part_id, began_s)

    async def _query(self, session: EsmeSession, account: Profile, sequence: int, request: Query) -> None:
        try:
            self._answer(session, sequence, request, await self._queries.answer(account, request))
        except Exception as error:
            self._fail(session, sequence, request, error)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, session: EsmeSession, sequence: int, request: pdus.RequestPdu, error: BaseException) -> None:
        if not isinstance(error, errors.Refusal) and isinstance(error, Exception):
            self._failures.tell(f"{session.name}/{sequence}", f"smpp.{COMMANDS[type(request)]}", error)
        status = status_of(error)
        if type(request) in SUBMITS:
            known = error if isinstance(error, errors.HomingError) else errors.HomingError()
            messages = len(request.dest_addresses) if isinstance(request, SubmitMulti) else 1
            self._log(session, sequence, request, known, status, messages)
        self._answer(session, sequence, request, status)

    def _log(
        self,
        session: EsmeSession,
        sequence: int,
        request: pdus.RequestPdu,
        error: errors.HomingError | type[errors.HomingError],
        status: int,
        messages: int,
    ) -> None:
        refused = RefusedCall(
            code=shown_status(status), reason=reason_for(error), messages=messages, app_id=session.app_id
        )
        self._refusal_log.note(
            f"smpp.{COMMANDS[type(request)]}",
            Caller(session.account_id, session.credential.key),
            refused,
            address=session.address,
            request_id=f"{session.name}/{sequence}",
        )

    def _answer(
        self, session: EsmeSession, sequence: int, request: pdus.RequestPdu, answer: pdus.ResponsePdu | int
    ) -> None:
        status = answer if isinstance(answer, int) else int(answer.status)
        self._metrics.count(COMMANDS.get(type(request), "other"), status)
        session.respond(sequence, answer)


def _multi_resp(pdu: SubmitMulti, results: Sequence[SubmitResult]) -> SubmitMultiResp:
    """The first message's id, which all receipts of the submission name, and the destinations without a message."""
    invalid = [(destination.destination_addr, CommandStatus.RINVDSTADR) for destination in invalid_destinations(pdu)]
    unserved = [
        (result.recipient.raw, status_of(result.reason)) for result in results if isinstance(result, RefusedRecipient)
    ]
    statuses: dict[str, int] = dict([*invalid, *unserved])
    message_id = next(result.message_id for result in results if isinstance(result, AcceptedMessage))
    return SubmitMultiResp(
        str(message_id),
        tuple(
            UnsuccessSme(
                destination.dest_addr_ton,
                destination.dest_addr_npi,
                destination.destination_addr[:ADDRESS_CHARS_MAX],  # longer ones are read, and cannot be encoded
                statuses[destination.destination_addr],
            )
            for destination in pdu.dest_addresses
            if isinstance(destination, pdus.SmeAddress) and destination.destination_addr in statuses
        ),
    )
