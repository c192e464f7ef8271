"""A customer's program that calls Homing's own API: a bearer key and JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homing.admin import account_settings
from homing.dialects.registry import DIALECTS
from tests.support.client import Reply
from tests.support.server import Account, Server


@dataclass(frozen=True)
class V1Client:
    """Calls with one key."""

    server: Server
    account: Account
    token: str

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        """`body`: bytes as they are, anything else as JSON. `key`: the Idempotency-Key."""
        own = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            own["Content-Type"] = "application/json"
        if key is not None:
            own["Idempotency-Key"] = key
        return await self.server.client.call(method, path, headers={**own, **headers}, body=data)

    async def get(self, path: str) -> Reply:
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        return await self.call("POST", path, body, key=key)


def problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The document of an error, which is held against what it must be."""
    assert reply.headers["Content-Type"] == "application/problem+json", reply
    document: dict[str, Any] = reply.json
    assert (reply.status, document["status"], document["code"]) == (status, status, code), reply.text
    assert document["type"] == f"/v1/errors/{code}"
    return document


async def new_token(server: Server, account: Account, *scopes: str) -> str:
    """A further key of an account."""
    async with server.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction, server.vault, account.account_id, DIALECTS.named("v1"), scopes=scopes
        )
    server.secrets.add(made.secret)
    return made.token


async def v1_client(server: Server, account: Account | None = None, *scopes: str, **given: Any) -> V1Client:
    """A client of an account, made for it."""
    account = account or await server.account(**given)
    return V1Client(server, account, await new_token(server, account, *scopes))
