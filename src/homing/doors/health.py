"""Health and metrics, beside the dialects."""

from collections.abc import Callable, Mapping

from homing import errors
from homing.doors.wire import Endpoint, Request, Response
from homing.observe.metrics import MetricsBoard
from homing.store.database import Database
from homing.store.depths import queue_depths

GET = frozenset(("GET", "HEAD"))
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class HealthDoor:
    """`/healthz`: 200 while this process takes traffic; 503 with the reason while it drains or has no database."""

    def __init__(self, database: Database, board: MetricsBoard, draining: Callable[[], bool]) -> None:
        self._database = database
        self._board = board
        self._draining = draining

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "/healthz": Endpoint("healthz", GET, self._health),
            "/metrics": Endpoint("metrics", GET, self._metrics),
        }

    async def _health(self, _request: Request) -> Response:
        if self._draining():
            return Response(b'{"status":"draining"}', 503)
        try:
            await self._database.row("ping")
        except errors.PlatformFailure:
            return Response(b'{"status":"unavailable","database":"away"}', 503)
        return Response(b'{"status":"ok","database":"ok"}')

    async def _metrics(self, _request: Request) -> Response:
        return Response(await self._board.render(lambda: queue_depths(self._database)), 200, TEXT)
