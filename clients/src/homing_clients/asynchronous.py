"""The asynchronous clients' frame: a call's tries, one after the other."""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from homing_clients.call import CallTerms, ClientCall, ClientDialect
from homing_clients.course import RetryState
from homing_clients.errors import ClientError

C = TypeVar("C", bound=ClientDialect)
C_co = TypeVar("C_co", bound=ClientDialect, covariant=True)  # a call of a base class is made by its subclass' client
P = ParamSpec("P")
T = TypeVar("T")


class AsyncClient(Generic[C_co]):
    """Makes calls, any number at once, on one event loop. Close it, or use it in an `async with`."""

    def __init__(self, calls: C_co, terms: CallTerms) -> None:
        # aiohttp takes 0.3 s to import: whoever calls synchronously, or only reads settings, does without
        from homing_clients.aiohttp_transport import AsyncTransport

        self._calls = calls
        self._terms = terms
        self._transport = AsyncTransport(calls.base, terms)
        self._rng = random.SystemRandom()

    async def run(self, call: ClientCall[T]) -> T:
        """A call's result. Raises a `ClientError`."""
        course = RetryState(call=call, terms=self._terms, now_s=time.monotonic(), rng=self._rng)
        while True:
            try:
                request = self._calls.render(call, time.time())
                return course.read(await self._transport.exchange(request, course.left_s(time.monotonic())))
            except ClientError as error:
                pause_s = course.pause_s(error, time.monotonic())
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def asynchronous(
    build: Callable[Concatenate[C, P], ClientCall[T]],
) -> Callable[Concatenate[AsyncClient[C], P], Coroutine[Any, Any, T]]:
    """The method of an asynchronous client that makes the call which `build` builds, with the same arguments."""

    @functools.wraps(build)
    async def method(client: AsyncClient[C], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.run(build(client._calls, *args, **kwargs))

    return method
