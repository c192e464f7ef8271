"""The asynchronous transport: aiohttp over kept connections."""

import asyncio
from types import SimpleNamespace

import aiohttp
from yarl import URL

from homing_clients import limits
from homing_clients.call import BaseUrl, CallTerms, ClientReply, ClientRequest
from homing_clients.errors import NotSent, TooLarge, Unanswered


class ConnectionBroke(Exception):
    """A connection broke."""


class AsyncTransport:
    def __init__(self, base: BaseUrl, terms: CallTerms) -> None:
        self._base = base
        self._terms = terms
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def exchange(self, request: ClientRequest, timeout_s: float) -> ClientReply:
        """Raises `NotSent` when there was no connection, `Unanswered` when it broke or took too long, `TooLarge`."""
        way = SimpleNamespace(connected=False)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._open().request(
                    request.method,
                    URL(self._base.origin + request.target, encoded=True),
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    trace_request_ctx=way,
                ) as response,
            ):
                headers = {name.lower(): value for name, value in response.headers.items()}
                return ClientReply(response.status, headers, await _read(response))
        except (aiohttp.ClientError, ConnectionBroke, OSError, ValueError) as error:
            if way.connected:
                raise Unanswered(_reason(error), in_doubt=True) from error
            raise NotSent(_reason(error)) from error

    async def close(self) -> None:
        self._closed = True
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._session is None:
            watch = aiohttp.TraceConfig()
            watch.on_connection_create_end.append(_connected)
            watch.on_connection_reuseconn.append(_connected)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._terms.connections,
                    keepalive_timeout=limits.IDLE_S,
                    ssl=self._terms.tls or True,
                    resolver=self._terms.resolver,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._terms.connect_timeout_s),
                auto_decompress=False,
                trace_configs=[watch],
                middlewares=[_once],
            )
        return self._session


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _event: object) -> None:
    """From here on the request may be on its way."""
    context.trace_request_ctx.connected = True


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends a GET again by itself when a connection breaks; what is tried again is `Course`'s to decide."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroke(f"{type(error).__name__}: {error}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """A body within bounds."""
    chunks: list[bytes] = []
    size = response.content_length or 0
    if size <= limits.REPLY_BYTES_MAX:
        size = 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.REPLY_BYTES_MAX:
                break
        else:
            return b"".join(chunks)
    response.close()
    raise TooLarge(f"above {limits.REPLY_BYTES_MAX} bytes", http_status=response.status, in_doubt=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionBroke):
        return str(error)
    return f"{type(error).__name__}: {error}"
