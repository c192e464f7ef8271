"""The console as an ASGI application: routing, sessions, and the checks before every change."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homing import errors
from homing.common.client_address import client_address
from homing.common.networks import Network
from homing.console.console_state import ConsoleState
from homing.console.navigation import Navigation
from homing.console.page import Page
from homing.console.pages import SECTIONS
from homing.console.request_context import SESSION_COOKIE, PageNotFound, RequestContext
from homing.console.security import HEADERS, TLS_HEADERS, is_own_host, is_own_request, origin_of
from homing.console.templating import StaticFile
from homing.observe.logs import describe
from homing.users.sessions import find_session

log = structlog.get_logger()

Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """`application` is the ASGI application. `url`: where people reach the console."""

    def __init__(self, console_state: ConsoleState, url: str, trusted_proxies: Sequence[Network]) -> None:
        self._console_state = console_state
        self._origin = origin_of(url)
        self._trusted = trusted_proxies
        console_state.templates.navigation = Navigation(
            (entry for section in SECTIONS for entry in section.entries),
            ((page.path, page.seen_by) for section in SECTIONS for page in section.pages),
        )
        routes = [
            Route(page.path, self._endpoint(page), methods=["GET", "POST"] if page.change else ["GET"])
            for section in SECTIONS
            for page in section.pages
        ]
        routes += [Route(file.url, _static(file)) for file in console_state.templates.files.values()]
        routes += [Route("/favicon.ico", _static(console_state.templates.files["homing.svg"]))]
        routes += [Route("/{rest:path}", self._not_found, methods=["GET", "POST"])]
        self.application: ASGIApp = _with_headers(
            _own_host_only(Starlette(routes=routes), url), console_state.is_secure
        )

    def _endpoint(self, page: Page) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            context: RequestContext | None = None
            try:
                context = await self._request_context(request)
                return await self._answer(page, context)
            except errors.PlatformFailure as failure:
                log.warning(
                    "database_unavailable",
                    component="console",
                    path=page.path,
                    failure=str(failure),
                    **describe(failure),
                )
                return _plain("The database cannot be reached. Try again in a moment.", 503)
            except Exception as error:
                log.error("console_failed", path=page.path, **describe(error))
                if context is None:
                    return _plain("Something went wrong. It is in the log.", 500)
                return context.page("500.html", 500)

        return endpoint

    async def _not_found(self, request: Request) -> Response:
        context = await self._request_context(request)
        return context.page("404.html", 404)

    async def _request_context(self, request: Request) -> RequestContext:
        console_state, now = self._console_state, self._console_state.clock()
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted)
        name = f"__Host-{SESSION_COOKIE}" if console_state.is_secure else SESSION_COOKIE
        token = request.cookies.get(name)
        session = None
        if token:
            async with console_state.database.connection() as connection:
                session = await find_session(connection, token, now)
        return RequestContext(request=request, console_state=console_state, session=session, address=address, now=now)

    async def _answer(self, page: Page, context: RequestContext) -> Response:
        refusal = self._refusal(page, context)
        if refusal is not None:
            return refusal
        try:
            if context.request.method != "POST":
                return await page.show(context)
            return await self._change(page, context)
        except PageNotFound:
            return context.page("404.html", 404)

    def _refusal(self, page: Page, context: RequestContext) -> Response | None:
        """The response for a viewer who may not see the page; None: they may."""
        if not page.seen_by:
            return None
        if not context.is_signed_in:
            back = context.path + ("?" + context.request.url.query if context.request.url.query else "")
            is_start = back == "/" or context.request.method == "POST"
            return context.redirect("/sign-in" if is_start else f"/sign-in?{urlencode({'next': back})}")
        if context.user.role not in page.seen_by:
            return context.page("404.html", 404)
        return None

    async def _change(self, page: Page, context: RequestContext) -> Response:
        assert page.change is not None
        host = context.request.headers.get("host", "")
        origins = frozenset((self._origin, f"http://{host}", f"https://{host}"))
        if not is_own_request(context.request.headers, origins):
            return context.page("form_expired.html", 403)
        try:
            await context.read_form()
        except errors.InvalidInput as error:
            context.refill(error)
            return await page.show(context)
        if not context.has_valid_form_token():
            return context.page("form_expired.html", 403)
        if page.seen_by and context.user.role not in page.changed_by:
            return context.page("403.html", 403)
        try:
            return await page.change(context)
        except errors.InvalidInput as error:
            context.refill(error)
            return await page.show(context)


def _static(file: StaticFile) -> Endpoint:
    async def endpoint(_request: Request) -> Response:
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(file.body, media_type=file.content_type, headers=headers)

    return endpoint


def _plain(text: str, status: int) -> Response:
    return PlainTextResponse(text + "\n", status)


def _own_host_only(application: ASGIApp, url: str) -> ASGIApp:
    """Answers requests for another host with the console's URL."""
    text = f"This console is at {url}: that is what console.url says. Other names are not served.\n"
    refusal = PlainTextResponse(text, 421)
    malformed = PlainTextResponse("one Host is needed\n", 400)

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            await malformed(scope, receive, send)
        elif is_own_host(hosts[0], url):
            await application(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    return wrapped


def _with_headers(application: ASGIApp, is_secure: bool) -> ASGIApp:
    """Adds the security headers to every response."""
    common = {**HEADERS, **(TLS_HEADERS if is_secure else {})}
    encoded = [(name.encode(), value.encode()) for name, value in common.items()]

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _value in message["headers"]}
                message["headers"] = [*message["headers"], *(header for header in encoded if header[0] not in own)]
            await send(message)

        await application(scope, receive, send_with)

    return wrapped
