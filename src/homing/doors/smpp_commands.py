"""What each request of a bound customer does. A submit is answered by a callback when its transaction is durable: no
task belongs to a message.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from homing import errors, limits
from homing.accounts.profile import Credential, Profile
from homing.doors import smpp_long, smpp_text
from homing.doors.failures import FailureLog
from homing.doors.smpp_parts import MultipartStore, StoredPart
from homing.doors.smpp_queries import Query, QueryHandler
from homing.doors.smpp_submit import Submit, SubmitRequest, invalid_destinations, read_submit
from homing.doors.smpp_words import RequestRejected, status_of
from homing.intake.intake import Intake, Verdict
from homing.intake.submission import Accepted, Fate, Refused
from homing.kit.buckets import TokenBuckets
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


class CommandSession(Protocol):
    """A bind as its requests see it."""

    name: str
    app_id: str
    credential: Credential

    def respond(self, sequence: int, answer: pdus.ResponsePdu | int) -> None: ...


class SubmitRateLimiter:
    """How many submits a second an account may make; kept in this process."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._buckets: TokenBuckets[int] = TokenBuckets(limits.PROFILES_MAX)

    def take(self, account: Profile, messages: int) -> bool:
        rate = account.submits_per_s
        if rate is None:
            return True
        now_s = self._clock_s()
        bucket = self._buckets.bucket(account.account_id, rate, rate, now_s)
        # A submit_multi of more than a second's worth takes all of a second.
        return bucket.take(now_s, min(messages, rate))


class CommandHandler:
    """Serves batches of requests, each as it came from one read of a socket."""

    def __init__(
        self,
        intake: Intake,
        long: MultipartStore,
        queries: QueryHandler,
        tally: SmppMetrics,
        next_id: Callable[[], int],
        clock: Callable[[], datetime],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intake = intake
        self._long = long
        self._queries = queries
        self._tally = tally
        self._next_id = next_id
        self._clock = clock
        self._clock_s = clock_s
        self._rates = SubmitRateLimiter(clock_s)
        self._failures = FailureLog()
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, asker: CommandSession, account: Profile, batch: Sequence[IncomingRequest]) -> None:
        """Never raises: every request has its answer, now or later."""
        now, began_s = self._clock(), self._clock_s()
        for sequence, request in batch:
            kind = type(request)  # asking isinstance of a union costs more than all of this line
            if kind in SUBMITS:
                self._submit(asker, account, sequence, request, now, began_s)  # type: ignore[arg-type]
            elif kind in COMMANDS:
                task = asyncio.get_running_loop().create_task(
                    self._query(asker, account, sequence, request)  # type: ignore[arg-type]
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                asker.respond(sequence, CommandStatus.RINVCMDID)

    def refuse(self, asker: CommandSession, batch: Sequence[IncomingRequest], status: int) -> None:
        """Answers a batch that cannot be served."""
        for sequence, request in batch:
            self._answer(asker, sequence, request, status)

    async def drained(self) -> None:
        """Returns when every request has its answer."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _submit(
        self, asker: CommandSession, account: Profile, sequence: int, pdu: Submit, now: datetime, began_s: float
    ) -> None:
        try:
            asked = self._read(account, pdu, now)
            request_id = f"{asker.name}/{sequence}"
            if asked.part is not None:
                self._put_part(asker, account, sequence, pdu, asked, request_id, began_s)
                return
            text = smpp_text.decode(asked.octets, asked.data_coding, account.smpp_charset)
            fates, verdict = self._intake.begin(asked.submission(account, asker.app_id, request_id, text))
        except Exception as error:
            self._fail(asker, sequence, pdu, error)
            return
        verdict.add_done_callback(partial(self._stored, asker, sequence, pdu, fates, began_s))

    def _read(self, account: Profile, pdu: Submit, now: datetime) -> SubmitRequest:
        """Raises `RequestRejected`. What is refused counts as a submit too: it takes as much time."""
        try:
            asked = read_submit(account, pdu, now)
        except Exception:
            if not self._rates.take(account, 1):
                raise RequestRejected(CommandStatus.RTHROTTLED) from None
            raise
        if not self._rates.take(account, len(asked.recipients)):
            raise RequestRejected(CommandStatus.RTHROTTLED)
        return asked

    def _stored(
        self,
        asker: CommandSession,
        sequence: int,
        pdu: Submit,
        fates: Sequence[Fate],
        began_s: float,
        verdict: "asyncio.Future[Verdict]",
    ) -> None:
        refused = verdict.exception() or verdict.result()
        if refused is not None:
            self._fail(asker, sequence, pdu, refused)
        elif type(pdu) is SubmitMulti:
            self._answer(asker, sequence, pdu, _multi_resp(pdu, fates))
        else:
            fate = fates[0]
            assert type(fate) is Accepted
            self._accept(asker, sequence, pdu, fate.message_id, began_s)

    def _accept(self, asker: CommandSession, sequence: int, pdu: Submit, message_id: int, began_s: float) -> None:
        made = DataSmResp if type(pdu) is DataSm else SubmitSmResp
        self._tally.took(self._clock_s() - began_s, 1)
        self._answer(asker, sequence, pdu, made(str(message_id)))

    def _put_part(
        self,
        asker: CommandSession,
        account: Profile,
        sequence: int,
        pdu: Submit,
        asked: SubmitRequest,
        request_id: str,
        began_s: float,
    ) -> None:
        credential = asker.credential
        part = smpp_long.part_of(
            asked, account, self._next_id(), credential.door, credential.key, asker.app_id, request_id
        )
        self._long.put(part).add_done_callback(partial(self._part_stored, asker, sequence, pdu, began_s))

    def _part_stored(
        self, asker: CommandSession, sequence: int, pdu: Submit, began_s: float, stored: "asyncio.Future[StoredPart]"
    ) -> None:
        error = stored.exception()
        refused = error or stored.result().verdict
        if refused is not None:
            self._fail(asker, sequence, pdu, refused)
        else:
            self._accept(asker, sequence, pdu, stored.result().part_id, began_s)

    async def _query(self, asker: CommandSession, account: Profile, sequence: int, request: Query) -> None:
        try:
            self._answer(asker, sequence, request, await self._queries.answer(account, request))
        except Exception as error:
            self._fail(asker, sequence, request, error)

    def _fail(self, asker: CommandSession, sequence: int, request: pdus.RequestPdu, error: BaseException) -> None:
        if not isinstance(error, errors.Refusal) and isinstance(error, Exception):
            self._failures.tell(f"{asker.name}/{sequence}", f"smpp.{COMMANDS[type(request)]}", error)
        self._answer(asker, sequence, request, status_of(error))

    def _answer(
        self, asker: CommandSession, sequence: int, request: pdus.RequestPdu, answer: pdus.ResponsePdu | int
    ) -> None:
        status = answer if isinstance(answer, int) else int(answer.status)
        self._tally.count(COMMANDS.get(type(request), "other"), status)
        asker.respond(sequence, answer)


def _multi_resp(pdu: SubmitMulti, fates: Sequence[Fate]) -> SubmitMultiResp:
    """The first message's id, which all of the submission's receipts name, and each destination that has no message."""
    wrong = [(one.destination_addr, CommandStatus.RINVDSTADR) for one in invalid_destinations(pdu)]
    unserved = [(fate.recipient.raw, status_of(fate.reason)) for fate in fates if isinstance(fate, Refused)]
    statuses: dict[str, int] = dict([*wrong, *unserved])
    message_id = next(fate.message_id for fate in fates if isinstance(fate, Accepted))
    return SubmitMultiResp(
        str(message_id),
        tuple(
            UnsuccessSme(
                one.dest_addr_ton,
                one.dest_addr_npi,
                one.destination_addr[:ADDRESS_CHARS_MAX],  # longer ones are read, and cannot be written
                statuses[one.destination_addr],
            )
            for one in pdu.dest_addresses
            if isinstance(one, pdus.SmeAddress) and one.destination_addr in statuses
        ),
    )
