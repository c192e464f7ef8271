"""Calls from pages of other origins (the Fetch standard's CORS protocol), for origins that the operator names."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec

from homing.api.http.wire import HttpRequest, HttpResponse

PREFLIGHT: Final = "OPTIONS"
PREFLIGHT_AGE_S: Final = 600
VARY: Final = ("vary", "origin")


class CrossOrigin:
    """`origins`: as browsers send them, such as https://shop.example.com."""

    def __init__(self, origins: Collection[str], methods: Collection[str]) -> None:
        self._origins = frozenset(origins)
        self._preflight = (
            ("access-control-allow-methods", ", ".join(sorted(methods))),
            ("access-control-allow-headers", "content-type"),
            ("access-control-max-age", str(PREFLIGHT_AGE_S)),
        )
        self.methods = frozenset((*methods, PREFLIGHT)) if self._origins else frozenset(methods)

    def wrap(
        self, handler: Callable[[HttpRequest], Awaitable[HttpResponse]]
    ) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        """The handler with preflights answered, and its answers readable by pages of the named origins. A page of
        another origin gets an answer that its browser keeps from it.
        """
        if not self._origins:
            return handler

        async def answering(request: HttpRequest) -> HttpResponse:
            origin = request.headers.get("origin") or ""
            headers = (VARY, ("access-control-allow-origin", origin)) if origin in self._origins else (VARY,)
            if request.method == PREFLIGHT:
                return HttpResponse(b"", 204, headers=(*headers, *self._preflight))
            return msgspec.structs.replace(await handler(request), headers=headers)

        return answering
