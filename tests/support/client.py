"""What a customer's program does to call either dialect, and no more: parameters, a signature, one HTTP call."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

TIMEOUT_S = 20.0
KEEPALIVE_S = 3.0
"""Of an idle connection. The server closes some, as after a refused body; a call that goes out on one at that moment
is not answered, and must not be repeated by itself.
"""
SAFE = "/?&=%+,;:@!$'()*~-._[]"
"""What goes out as it stands: a case writes its requests the way they are on the wire."""


class Credentials(Protocol):
    @property
    def api_id(self) -> str: ...
    @property
    def api_password(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def secret(self) -> str: ...


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def signature(key: str, secret: str, timestamp: str) -> str:
    """laaffic contract, section 1."""
    return hashlib.md5(f"{key}{secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def signed(account: Credentials, timestamp: str | None = None) -> dict[str, str]:
    """The four headers of a laaffic call."""
    timestamp = str(int(time.time())) if timestamp is None else timestamp
    return {
        "Content-Type": "application/json;charset=UTF-8",
        "Api-Key": account.key,
        "Timestamp": timestamp,
        "Sign": signature(account.key, account.secret, timestamp),
    }


class Client:
    """Calls one server; connections are kept, as good clients keep them."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One call. `target` is the path and query as they go over the wire."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
            )
        url = URL(self.base + quote(target, safe=SAFE), encoded=True)
        async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as response:
            return Reply(response.status, response.headers, await response.read())

    async def laaffic(
        self, account: Credentials, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Reply:
        """A signed call; `body` goes as JSON."""
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body).encode()
        return await self.call(method, target, headers=signed(account), body=data)

    async def lia(self, account: Credentials, path: str, **parameters: object) -> Reply:
        """A JSON POST with the account's credentials."""
        body = {"api_id": account.api_id, "api_password": account.api_password, **parameters}
        return await self.call(
            "POST", f"/api/{path}", headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()
