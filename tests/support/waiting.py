"""The one way to wait in tests: ask again and again, for as long as a busy machine may need.

    rows = await until(lambda: server.query("SELECT ..."), lambda rows: len(rows) == 3)

A test waits for what it is about, never for a length of time. Where nothing must come, it waits for something later
that does come; where there is no such thing, `stays` says for how long it looked.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

WAIT_S = 60.0
"""How long a test waits before it fails: no test that passes takes so long, so that it is enough on a slow machine."""
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05


@overload
async def until(
    ask: Callable[[], Awaitable[T]],
    enough: Callable[[T], object] = ...,
    *,
    within_s: float = ...,
    describe: Callable[[], object] | None = ...,
) -> T: ...


@overload
async def until(
    ask: Callable[[], T],
    enough: Callable[[T], object] = ...,
    *,
    within_s: float = ...,
    describe: Callable[[], object] | None = ...,
) -> T: ...


async def until(
    ask: Callable[[], Any],
    enough: Callable[[Any], object] = bool,
    *,
    within_s: float = WAIT_S,
    describe: Callable[[], object] | None = None,
) -> Any:
    """The first answer that is enough.

    ask: may be async. within_s: only where the product promises to be that quick. describe: what the failure shows in
    place of the last answer. Raises AssertionError when no answer is enough in time.
    """
    deadline_s, pause_s = time.monotonic() + within_s, FIRST_PAUSE_S
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if enough(answer):
            return answer
        assert time.monotonic() < deadline_s, _late(within_s, describe, answer)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def until_blocking(
    ask: Callable[[], T],
    enough: Callable[[T], object] = bool,
    *,
    within_s: float = WAIT_S,
    describe: Callable[[], object] | None = None,
) -> T:
    """The same where no loop runs, or another thread's does."""
    deadline_s, pause_s = time.monotonic() + within_s, FIRST_PAUSE_S
    while not enough(answer := ask()):
        assert time.monotonic() < deadline_s, _late(within_s, describe, answer)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return answer


def in_time() -> asyncio.Timeout:
    """`async with in_time():` around what waits by itself, such as a read. Raises TimeoutError."""
    return asyncio.timeout(WAIT_S)


async def stays(ask: Callable[[], Any], expected: object, *, for_s: float) -> None:
    """`ask`'s answer is `expected` all the time. `ask` may be async.

    It shows little: on a slow machine what must not come may come later. Wait for something later instead, if you can.
    """
    end_s = time.monotonic() + for_s
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        assert answer == expected
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            return
        await asyncio.sleep(min(left_s, LONGEST_PAUSE_S))


def _late(within_s: float, describe: Callable[[], object] | None, answer: object) -> str:
    return f"not within {within_s:.0f} s: {answer if describe is None else describe()}"
