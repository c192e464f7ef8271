"""Calls with an `Idempotency-Key`: the same key and body within a day get the first answer, byte for byte.

A call that submits stores its answer in the transaction of its messages (intake/terms.py), one that changes settings in
that of its change. Other calls store it once they are done. While one runs, others with its key wait for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Final

from homing.api.http.wire import HttpResponse
from homing.common.crypto import Vault
from homing.dialects.v1.calls import V1Call
from homing.dialects.v1.problems import V1Refusal
from homing.intake.commit import ANSWERS_KEPT
from homing.intake.prepare import PreparedSubmission
from homing.intake.terms import AnswerOnce, EarlierAnswer
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.intake import NewAnsweredCall

SCOPE: Final = "v1"
REPLAYED: Final = (("idempotency-replayed", "true"),)
STATUS_DIGITS: Final = 3
SEALED: Final = b"*"  # in place of a status, before an answer that holds a secret
STORED_TRIES: Final = 5
STORED_S: Final = 0.05  # between two looks for what another process is about to store


def once(call: V1Call, status: int, answer: Callable[[PreparedSubmission], bytes]) -> AnswerOnce | None:
    """Of a call that submits; None without a key."""
    if call.key is None:
        return None
    return AnswerOnce(
        scope=SCOPE,
        key=call.key,
        digest=call.digest,
        answer=lambda prepared: b"%d" % status + answer(prepared),
    )


def replayed(call: V1Call, earlier: EarlierAnswer) -> HttpResponse:
    """Raises `V1Refusal` when the earlier call was another one."""
    if earlier.digest != call.digest:
        raise V1Refusal("idempotency_key_reused")
    return HttpResponse(earlier.answer[STATUS_DIGITS:], int(earlier.answer[:STATUS_DIGITS]), headers=REPLAYED)


class AnsweredCalls:
    """The answers of calls with a key."""

    def __init__(self, database: Database, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._running: dict[tuple[int, str], asyncio.Future[None]] = {}

    async def find(self, call: V1Call) -> HttpResponse | None:
        """The answer that the call's key has had. Raises `V1Refusal` when that was of another call."""
        return await self._find(self._database, call)

    async def _find(self, db: Executor, call: V1Call) -> HttpResponse | None:
        if call.key is None:
            return None
        row = await statements.intake.answered_call_find(
            db,
            account_id=call.account.account_id,
            scope=SCOPE,
            key=call.key,
            since=self._clock() - ANSWERS_KEPT,
        )
        return None if row is None else self._replayed(call, row.answer, row.digest)

    async def answer(self, call: V1Call, run: Callable[[V1Call], Awaitable[HttpResponse]]) -> HttpResponse:
        """Carries out a call that does not submit, or gives the answer that its key has had. Of calls with one key in
        several processes each may be carried out.
        """
        if call.key is None:
            return await run(call)
        async with self._in_turn(call.account.account_id, call.key):
            try:
                return await self.find(call) or await self._store(self._database, call, await run(call))
            except V1Refusal as refusal:
                if refusal.code != "already_verified":
                    raise
                earlier = await self._find_soon(call)
                if earlier is None:
                    raise
                return earlier

    async def change(
        self,
        call: V1Call,
        run: Callable[[V1Call, DatabaseConnection], Awaitable[HttpResponse]],
        *,
        is_secret: bool = False,
    ) -> HttpResponse:
        """Carries out a call whose change is one transaction, with its answer in it: once over all processes, also when
        one of them ends between the two. `is_secret`: the answer is stored sealed.
        """
        if call.key is None:
            async with self._database.transaction() as transaction:
                return await run(call, transaction)
        account_id = call.account.account_id
        async with self._in_turn(account_id, call.key), self._database.transaction() as transaction:
            await statements.intake.answered_call_lock(transaction, account_id=account_id, scope=SCOPE, key=call.key)
            earlier = await self._find(transaction, call)
            return earlier or await self._store(transaction, call, await run(call, transaction), is_secret)

    @contextlib.asynccontextmanager
    async def _in_turn(self, account_id: int, key: str) -> AsyncIterator[None]:
        """In this process: who waits here has no connection."""
        place = (account_id, key)
        while place in self._running:
            await asyncio.wait([self._running[place]])
        done = self._running[place] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._running[place]
            done.set_result(None)

    async def _find_soon(self, call: V1Call) -> HttpResponse | None:
        """What another process that did the same call a moment ago is about to store."""
        for _try in range(STORED_TRIES):
            if (earlier := await self.find(call)) is not None:
                return earlier
            await asyncio.sleep(STORED_S)
        return None

    async def _store(self, db: Executor, call: V1Call, response: HttpResponse, is_secret: bool = False) -> HttpResponse:
        """What the key is answered with: another process may have been first."""
        assert call.key is not None
        assert isinstance(response.body, bytes)
        answer = b"%d" % response.status + response.body
        if is_secret:
            answer = SEALED + self._vault.seal(answer.decode(), _owner(call))
        now = self._clock()
        (row,) = await statements.intake.answered_calls_take(
            db,
            now=now,
            since=now - ANSWERS_KEPT,
            calls=[
                NewAnsweredCall(
                    account_id=call.account.account_id,
                    scope=SCOPE,
                    key=call.key,
                    digest=call.digest,
                    answer=answer,
                )
            ],
        )
        return self._replayed(call, row.answer, row.digest) if row.is_earlier else response

    def _replayed(self, call: V1Call, answer: bytes, digest: bytes) -> HttpResponse:
        if answer.startswith(SEALED) and digest == call.digest:
            try:
                answer = self._vault.open(answer.removeprefix(SEALED), _owner(call)).encode()
            except ValueError:  # by an installation's key of before
                raise V1Refusal("idempotency_key_reused") from None
        return replayed(call, EarlierAnswer(answer, digest))


def _owner(call: V1Call) -> str:
    return f"answer of account {call.account.account_id}, key {call.key}"
