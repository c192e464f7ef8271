"""Carriers' pushes: receipts and inbound messages. GET or POST /carriers/NAME/TOKEN/...

The name is the carrier's, the token that of its settings. What follows is the kind's own: `report`, `inbound`. A call
is answered once what it told is durable; a carrier that hears anything but 2xx comes again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.api.http.failure_log import FailureLog
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.carriers.base import CarrierReport, Clock, MalformedReport, WebhookParser, WebhookRequest
from homing.carriers.kinds import listener, read_settings
from homing.carriers.sealing import open_text
from homing.common.crypto import Vault, same
from homing.model import CarrierInbound
from homing.store import statements
from homing.store.database import Database
from homing.text.segments import has_lone_surrogate

INBOUND_NAME_CHARS_MAX: Final = 64  # its number and its recipient
CARRIERS_AGE_S_MAX: Final = 30.0  # even if a change notice is missed
log = structlog.get_logger()

PATH: Final = "/carriers/"
METHODS: Final = frozenset(("GET", "POST"))
PLAIN: Final = "text/plain; charset=utf-8"
NOBODY: Final = "0" * limits.API_TOKEN_CHARS_MIN

Keep = Callable[[int, str, Sequence[CarrierReport]], Awaitable[None]]
"""Makes a carrier's reports durable: its id, its name, the reports."""


class PushingCarrier(msgspec.Struct, frozen=True):
    """A carrier that pushes."""

    carrier_id: int
    name: str
    token: str
    listener: WebhookParser


class PushingCarriers:
    """The carriers that push, by name: from memory until their settings change (a notice from the database) or some
    seconds pass. They are few and all of them are read at once, so that no unknown name reaches the database.

    A disabled carrier is among them: what it was given before still comes home.
    """

    def __init__(
        self, *, database: Database, vault: Vault, clock: Clock, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`vault`: what opens the carriers' secrets. `clock`: what they tell came about at, where they do not say."""
        self._clock = clock
        self._vault = vault
        self._database = database
        self._clock_s = clock_s
        self._by_name: Mapping[str, PushingCarrier] = {}
        self._fresh_until_s = 0.0
        self._changes = 0
        self._loading = asyncio.Lock()

    def settings_changed(self, _account: str) -> None:
        self.settings_missed()

    def settings_missed(self) -> None:
        self._changes += 1
        self._fresh_until_s = 0.0

    async def find(self, name: str) -> PushingCarrier | None:
        """Raises a `PlatformFailure` when it cannot be read."""
        if self._clock_s() >= self._fresh_until_s:
            async with self._loading:
                if self._clock_s() >= self._fresh_until_s:
                    await self._load()
        return self._by_name.get(name)

    async def _load(self) -> None:
        changes = self._changes
        carriers = {}
        for row in await statements.admin.carrier_list(self._database):
            try:
                settings = open_text(self._vault, row.name, row.kind, row.settings)
                reader = listener(row.kind, settings, self._clock)
                token = getattr(read_settings(row.kind, settings), "push_token", "")
            except errors.InvalidInput:
                continue  # the link tells of it
            if reader is not None and token:
                carriers[row.name] = PushingCarrier(row.carrier_id, row.name, token, reader)
        self._by_name = carriers
        if changes == self._changes:  # else it may be stale already
            self._fresh_until_s = self._clock_s() + CARRIERS_AGE_S_MAX


class CarrierWebhooks:
    """Each call: find the carrier, compare its token, read what it says, store it, answer."""

    def __init__(self, carriers: PushingCarriers, keep: Keep) -> None:
        self._carriers = carriers
        self._keep = keep
        self._failures = FailureLog()

    def endpoints(self) -> Mapping[str, HttpEndpoint]:
        """One, for every path that begins so."""
        return {PATH: HttpEndpoint("carriers.push", METHODS, self._take)}

    async def _take(self, request: HttpRequest) -> HttpResponse:
        name, _slash, rest = request.path.removeprefix(PATH).partition("/")
        token, _slash, path = rest.partition("/")
        try:
            carrier = await self._carriers.find(name)
            if not same(token, carrier.token if carrier else NOBODY) or carrier is None:
                return HttpResponse(b"not found\n", 404, PLAIN)
            await request.read(limits.HTTP_BODY_BYTES_MAX)
            result = carrier.listener.read(_pushed(request, path.rstrip("/")))
            _check(result.reports)
            if result.reports:
                await self._keep(carrier.carrier_id, carrier.name, result.reports)
        except MalformedReport as error:
            log.warning("push_not_understood", carrier=name, request_id=request.request_id, detail=str(error))
            return HttpResponse(f"{error}\n".encode(), 400, PLAIN)
        except errors.PlatformFailure as failure:
            self._failures.tell(request.request_id, "carriers.push", failure)
            return HttpResponse(b"not stored, come again\n", 503, PLAIN)
        return HttpResponse(result.body, result.status, result.content_type)


def _check(reports: Sequence[CarrierReport]) -> None:
    """Raises `MalformedReport` for an inbound message that cannot be stored as it is. Receipts have own bounds."""
    for report in reports:
        if isinstance(report, CarrierInbound) and (
            max(len(report.number), len(report.recipient)) > INBOUND_NAME_CHARS_MAX
            or len(report.content) > limits.INBOUND_TEXT_CHARS_MAX
            or "\0" in report.number + report.recipient
            or any(map(has_lone_surrogate, (report.number, report.recipient, report.content)))
        ):
            raise MalformedReport("a number, recipient or text that cannot be stored")


def _pushed(request: HttpRequest, path: str) -> WebhookRequest:
    content_type = request.headers.get("content-type") or ""
    return WebhookRequest(request.method, path, request.query.encode(), content_type, request.body)
