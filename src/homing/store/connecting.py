"""Connecting to PostgreSQL host by host.

A URL may name several hosts: a primary and the standby that takes over. The driver's time-out is for all of them
together, so a host that hangs (stopped, or dead behind a firewall) would use it up before the next is tried. Here each
host has a time of its own, as libpq's connect_timeout counts, and the host that answered last is tried first.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from homing import limits
from homing.store.unavailable import UNAVAILABLE_ERRORS


def hosts_of(dsn: str) -> Sequence[str]:
    """The URL once for each host that it names, in their order; what else it says stands in each."""
    parts = urlsplit(dsn)
    credentials, at, places = parts.netloc.rpartition("@")
    if "," in places:
        return [parts._replace(netloc=f"{credentials}{at}{place}").geturl() for place in places.split(",")]
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    names = options.get("host", "").split(",")
    if len(names) == 1:
        return [dsn]
    ports = options.get("port", "").split(",")
    each = ports if len(ports) == len(names) else ports[:1] * len(names)
    rest = {name: value for name, value in options.items() if name not in ("host", "port")}
    queries = [
        {**rest, "host": name, **({"port": port} if port else {})} for name, port in zip(names, each, strict=True)
    ]
    return [parts._replace(query=urlencode(query)).geturl() for query in queries]


async def answers(dsn: str) -> bool:
    """Whether a database answers at one of the URL's hosts."""
    try:
        connection = await Connector(dsn).connect()
    except (*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.PostgresError):
        return False
    connection.terminate()
    return True


class Connector:
    """Connects to whichever host of a URL answers. `switches`: how often another host than the one before did."""

    def __init__(self, dsn: str) -> None:
        self._hosts = list(hosts_of(dsn))
        self.switches = 0

    async def connect(self, *, timeout_s: float = limits.DATABASE_HOST_TIMEOUT_S, **settings: Any) -> Any:
        """A connection of asyncpg; `settings` are its own. Raises what the last host failed with, of
        `UNAVAILABLE_ERRORS`, TimeoutError and asyncpg's errors; one that refuses what it is asked (a password) is not
        asked for twice.
        """
        failure: BaseException = TimeoutError()
        for host in tuple(self._hosts):
            try:
                async with asyncio.timeout(timeout_s):
                    found = await asyncpg.connect(host, **settings)
            except (*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.exceptions.TargetServerAttributeNotMatched) as error:
                failure = error
                continue
            if host != self._hosts[0]:
                self._hosts.remove(host)
                self._hosts.insert(0, host)
                self.switches += 1
            return found
        raise failure

    async def for_pool(self, _dsn: str, **settings: Any) -> Any:
        """What a pool of asyncpg calls for each of its connections; its own time-out is for all hosts together, and so
        has no say here.
        """
        settings.pop("timeout", None)
        return await self.connect(**settings)
