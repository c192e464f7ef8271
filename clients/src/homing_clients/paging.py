"""Lists that are answered in pages: one page, or all rows of this page and those after it."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from homing_clients.asynchronous import AsyncClient
from homing_clients.blocking import BlockingClient
from homing_clients.call import ClientCall, ClientDialect

C = TypeVar("C", bound=ClientDialect)
P = ParamSpec("P")
R = TypeVar("R")


class Page(msgspec.Struct, Generic[R], frozen=True):
    """`next_cursor`: where the next page begins; "" on the last one. A page before it can be short or empty."""

    rows: tuple[R, ...]
    next_cursor: str = ""


def blocking_rows(
    build: Callable[Concatenate[C, P], ClientCall[Page[R]]],
) -> Callable[Concatenate[BlockingClient[C], P], Iterator[R]]:
    """The method of a synchronous client that goes through the pages of the call which `build` builds."""

    @functools.wraps(build)
    def method(client: BlockingClient[C], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        call: ClientCall[Page[R]] | None = build(client._calls, *args, **kwargs)
        while call is not None:
            page = client.run(call)
            yield from page.rows
            call = _following(call, page)

    return method


def asynchronous_rows(
    build: Callable[Concatenate[C, P], ClientCall[Page[R]]],
) -> Callable[Concatenate[AsyncClient[C], P], AsyncIterator[R]]:
    """The same of an asynchronous client, for `async for`."""

    @functools.wraps(build)
    async def method(client: AsyncClient[C], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        call: ClientCall[Page[R]] | None = build(client._calls, *args, **kwargs)
        while call is not None:
            page = await client.run(call)
            for row in page.rows:
                yield row
            call = _following(call, page)

    return method


def _following(call: ClientCall[Page[R]], page: Page[R]) -> ClientCall[Page[R]] | None:
    if not page.next_cursor:
        return None
    return msgspec.structs.replace(call, parameters={**call.parameters, "cursor": page.next_cursor})
