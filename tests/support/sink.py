"""A customer's end of the pushes: an HTTP server that writes down what it is sent and answers as it is told."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from yarl import URL

from tests.support.waiting import until


@dataclass(frozen=True)
class Push:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


Answer = tuple[int, dict[str, str]]
"""A status and headers."""


class Box:
    """One address of the sink: `answers` are given in turn, the last one for ever."""

    def __init__(self, url: str, answers: list[Answer]) -> None:
        self.url = url
        self.pushes: list[Push] = []
        self._answers = answers

    async def take(self, push: Push) -> Answer:
        self.pushes.append(push)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def until(self, enough: Callable[[list[Push]], bool]) -> list[Push]:
        """The pushes, once they are enough."""
        return await until(lambda: list(self.pushes), enough, describe=lambda: [push.body for push in self.pushes])

    async def first(self, count: int = 1) -> list[Push]:
        return (await self.until(lambda pushes: len(pushes) >= count))[:count]


class Sink:
    """Serves on 127.0.0.1; `box` gives an address of its own to whoever asks."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._boxes: dict[str, Box] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner
        await self._runner.cleanup()

    def box(self, *answers: int | Answer) -> Box:
        """A new address. Answers are statuses, or statuses with headers; 200 when none is given."""
        path = f"/box/{len(self._boxes) + 1}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        told = [(answer, {}) if isinstance(answer, int) else answer for answer in answers or (200,)]
        self._boxes[path] = Box(f"http://{host}:{self.port}{path}", told)
        return self._boxes[path]

    def put(self, box: Box) -> None:
        """Another box in the place of the one at its address."""
        self._boxes[URL(box.url).path] = box

    async def _serve(self, request: web.Request) -> web.Response:
        push = Push(request.method, request.path, dict(request.headers), await request.read())
        box = self._boxes.get(request.path)
        if box is None:
            return web.Response(status=404)
        status, headers = await box.take(push)
        return web.Response(status=status, headers=headers, text="the sink has it")
