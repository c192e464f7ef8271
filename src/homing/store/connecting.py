"""Connecting to PostgreSQL host by host.

A URL may name several hosts: a primary and the standby that takes over. The driver's time-out is for all of them
together, so a host that hangs (stopped, or dead behind a firewall) would use it up before the next is tried. Here each
host has its own time-out, as libpq's connect_timeout counts, and the host that answered last is tried first.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from homing import limits
from homing.store.unavailable import UNAVAILABLE_ERRORS


def hosts_of(dsn: str) -> Sequence[str]:
    """A URL for each host that this one names, in their order, with the other parts unchanged."""
    parts = urlsplit(dsn)
    credentials, at, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        return [parts._replace(netloc=f"{credentials}{at}{host}").geturl() for host in hosts.split(",")]
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    names = options.get("host", "").split(",")
    if len(names) == 1:
        return [dsn]
    ports = options.get("port", "").split(",")
    each = ports if len(ports) == len(names) else ports[:1] * len(names)
    other_options = {name: value for name, value in options.items() if name not in ("host", "port")}
    queries = [
        {**other_options, "host": name, **({"port": port} if port else {})}
        for name, port in zip(names, each, strict=True)
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
    """Connects to the first host of a URL that answers. `switches`: how often that was another host than before."""

    def __init__(self, dsn: str) -> None:
        self._hosts = list(hosts_of(dsn))
        self.switches = 0

    async def connect(self, *, timeout_s: float = limits.DATABASE_HOST_TIMEOUT_S, **settings: Any) -> Any:
        """A connection of asyncpg; `settings` are its own. Raises what the last host failed with, of
        `UNAVAILABLE_ERRORS`, TimeoutError and asyncpg's errors. When a host refuses the connection (a wrong password),
        no other is tried.
        """
        failure: BaseException = TimeoutError()
        for host in tuple(self._hosts):
            try:
                async with asyncio.timeout(timeout_s):
                    connection = await asyncpg.connect(host, **settings)
            except (*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.exceptions.TargetServerAttributeNotMatched) as error:
                failure = error
                continue
            if host != self._hosts[0]:
                self._hosts.remove(host)
                self._hosts.insert(0, host)
                self.switches += 1
            return connection
        raise failure

    async def for_pool(self, _dsn: str, **settings: Any) -> Any:
        """Called by asyncpg's pool for each of its connections. The pool's time-out is for all hosts together and is
        ignored.
        """
        settings.pop("timeout", None)
        return await self.connect(**settings)
