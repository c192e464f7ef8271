"""Waiting for what comes when it comes: asked for again and again. A busy machine is slow: half a minute is allowed."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

WAIT_S = 30.0


async def until(
    ask: Callable[[], Any],
    enough: Callable[[Any], object] = bool,
    *,
    within_s: float = WAIT_S,
    every_s: float = 0.02,
    told: Callable[[], object] | None = None,
) -> Any:
    """The first answer that is enough. `ask` may be async; `told` is looked at when there is none in time."""
    given_up_s = time.monotonic() + within_s
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if enough(answer):
            return answer
        assert time.monotonic() < given_up_s, _late(within_s, told, answer)
        await asyncio.sleep(every_s)


def until_blocking(ask: Callable[[], Any], enough: Callable[[Any], object] = bool, *, within_s: float = WAIT_S) -> Any:
    """The same where no loop runs, or another thread's does."""
    given_up_s = time.monotonic() + within_s
    while not enough(answer := ask()):
        assert time.monotonic() < given_up_s, _late(within_s, None, answer)
        time.sleep(0.02)
    return answer


def _late(within_s: float, told: Callable[[], object] | None, answer: object) -> str:
    return f"not within {within_s:.0f} s: {answer if told is None else told()}"
