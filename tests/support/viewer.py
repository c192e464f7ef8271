"""Somebody who looks at the console without a browser: keeps cookies, finds forms' tokens, sends forms."""

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Self

import aiohttp
from multidict import CIMultiDictProxy

from homing.model import UserRole
from homing.store.database import Database
from homing.users.admin import create_user
from homing.users.links import make_link
from tests.support.waiting import until

PASSWORD = "a long enough password"
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
ADDRESSES = (f"198.51.{high}.{low}" for high, low in itertools.product(range(100), range(1, 250)))


@dataclass(frozen=True)
class Seen:
    """An answer."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    body: bytes = b""

    @property
    def words(self) -> str:
        """What a person reads, without the markup."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.text)).split())

    @property
    def goes_to(self) -> str:
        assert self.status == 303, (self.status, self.words)
        return self.headers["location"]


@dataclass
class Viewer:
    """`cookies` by name. Each has an address of its own, which the trusted proxy of the tests tells."""

    url: str
    address: str = field(default_factory=lambda: next(ADDRESSES))
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    form_token: str = ""

    def twin(self) -> Self:
        """Another browser with the same cookies."""
        return type(self)(self.url, self.address, dict(self.cookies), form_token=self.form_token)

    async def get(self, path: str, **headers: str) -> Seen:
        return await self._ask("GET", path, None, headers)

    async def shows(self, path: str, *words: str) -> str:
        """The page's words, once they have all of these."""
        seen = await until(lambda: self.get(path), lambda seen: all(word in seen.words for word in words))
        return seen.words

    async def post(self, path: str, values: Mapping[str, str] | bytes = {}, /, **headers: str) -> Seen:
        """With the token of the last form seen, unless the values hold one."""
        body = values if isinstance(values, bytes) else {"form_token": self.form_token, **values}
        return await self._ask("POST", path, body, headers)

    async def follow(self, answer: Seen) -> Seen:
        return await self.get(answer.goes_to)

    async def sign_in(self, name: str, password: str = PASSWORD) -> Seen:
        await self.get("/sign-in")
        return await self.post("/sign-in", {"name": name, "password": password, "next": "/"})

    async def _ask(
        self, method: str, path: str, body: Mapping[str, str] | bytes | None, headers: Mapping[str, str]
    ) -> Seen:
        given = {
            "x-forwarded-for": self.address,
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if isinstance(body, bytes):
            given["content-type"] = "application/x-www-form-urlencoded"
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(cookie_jar=jar) as session,
            session.request(method, self.url + path, data=body, headers=given, allow_redirects=False) as answer,
        ):
            content = await answer.read()
            text = content.decode(answer.get_encoding(), "replace")
            self.set_cookies = answer.headers.getall("set-cookie", [])
            for line in self.set_cookies:
                name, _equals, value = line.partition(";")[0].partition("=")
                if "max-age=0" in line.lower():
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = value
            token = FORM_TOKEN.search(text)
            self.form_token = token[1] if token else self.form_token
            return Seen(answer.status, answer.headers, text, content)


NAMES = itertools.count(1)


async def new_link(database: Database, role: UserRole, account_id: int | None = None) -> tuple[str, str]:
    """(name, path) of a new user's one-time link."""
    name = f"{role.name.lower()}-{next(NAMES)}"
    async with database.transaction() as transaction:
        user_id = await create_user(transaction, name, role, account_id)
        token = await make_link(transaction, user_id)
    return name, f"/welcome/{token}"


async def accept(viewer: Viewer, path: str, name: str, password: str = PASSWORD) -> Seen:
    """Sets a password by a link."""
    await viewer.get(path)
    return await viewer.post(path, {"name": name, "password": password, "password_again": password})


async def signed_in(
    url: str, database: Database, role: UserRole = UserRole.OPERATOR, account_id: int | None = None
) -> tuple[str, Viewer]:
    """(name, viewer) of a new user who is signed in."""
    name, path = await new_link(database, role, account_id)
    viewer = Viewer(url)
    start = await viewer.follow(await accept(viewer, path, name))
    assert start.status == 200
    return name, viewer


@asynccontextmanager
async def stream(viewer: Viewer, path: str) -> AsyncIterator[aiohttp.StreamReader]:
    """An open stream of events."""
    cookie = "; ".join(f"{name}={value}" for name, value in viewer.cookies.items())
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(viewer.url + path, headers={"cookie": cookie, "x-forwarded-for": viewer.address}) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.content
