"""Two minutes of a customer's traffic, through the API."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from homing.states import MessageState
from tests.support.client import Client, signed
from tests.support.installation import Installation
from tests.support.waiting import until
from tools.console_pictures.setup import COUNTRIES, DENIED, SENDER, TEMPLATE, UNREACHED, SampleCountry, SampleCustomer

GENUINE: Final = 6_000
GENUINE_S: Final = 100.0
PUMPED_RANGES: Final = ("6281288071", "6281236640", "6285714302")
PUMPED: Final = 900
PUMPED_FROM_S: Final = 55.0  # when the guard knows the countries' usual traffic
PUMPED_PAUSE_S: Final = 0.05
CODE: Final = "471906"
RESEND_S: Final = 31.0  # a number is sent one code in 30 seconds
DENIED_MESSAGES: Final = 26
CALLS_MAX: Final = 40
TRIES: Final = 9


@dataclass(frozen=True)
class SampleItems:
    """Ids of the message and of the verification that have a picture of their own."""

    message_id: int
    verification_id: int


@dataclass
class ApiCaller:
    """Calls with the customer's keys."""

    client: Client
    customer: SampleCustomer
    draw: random.Random = field(default_factory=lambda: random.Random(20))
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_MAX))

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a call of Homing's own API."""
        headers = {"Authorization": f"Bearer {self.customer.token}", "Content-Type": "application/json"}
        async with self.calls:
            reply = await self.client.call("POST", f"/v1/{path}", headers=headers, body=msgspec.json.encode(body))
        return reply.status, reply.json

    async def verification(self, number: str, reference: str | None = None) -> str | None:
        """The id; None when it was refused."""
        body = {"to": number, "code": CODE, "template": TEMPLATE}
        status, answer = await self.post(
            "verifications", body if reference is None else {**body, "reference": reference}
        )
        return str(answer["id"]) if status == 201 else None


async def send_traffic(installation: Installation, customer: SampleCustomer) -> SampleItems:
    """Returns when everything has been sent, checked and counted."""
    client = Client(installation.url)
    caller = ApiCaller(client, customer)
    try:
        await until(lambda: _is_ready(caller))
        resend = asyncio.create_task(_resent(caller))
        await asyncio.gather(_genuine(caller), _pumped(caller), _denied(caller))
        verification_id = await resend
        message_id = await _reported(installation, caller)
    finally:
        await client.close()
    return SampleItems(message_id, verification_id)


async def _is_ready(caller: ApiCaller) -> bool:
    """Whether the processes know the customer's settings and the carriers serve."""
    return await caller.verification(_number(caller.draw, COUNTRIES[0])) is not None


def _number(draw: random.Random, country: SampleCountry) -> str:
    prefix = draw.choice(country.prefixes)
    # Without zeros: the simulated carriers have forced outcomes for numbers that end in 0001 to 0006.
    return prefix + "".join(draw.choices("123456789", k=country.digits - len(prefix)))


async def _genuine(caller: ApiCaller) -> None:
    async with asyncio.TaskGroup() as group:
        for country in caller.draw.choices(COUNTRIES, [each.share for each in COUNTRIES], k=GENUINE):
            group.create_task(_person(caller, country, caller.draw.uniform(0, GENUINE_S)))


async def _person(caller: ApiCaller, country: SampleCountry, at_s: float) -> None:
    """Asks for a code, and mostly enters it some seconds later."""
    number, enters = _number(caller.draw, country), caller.draw.random() < country.converted
    types_s = caller.draw.uniform(4.0, 14.0)
    await asyncio.sleep(at_s)
    verification_id = await caller.verification(number)
    if verification_id is not None and enters:
        await asyncio.sleep(types_s)
        await caller.post(f"verifications/{verification_id}/check", {"code": CODE})


async def _pumped(caller: ApiCaller) -> None:
    """Codes to a few ranges that nobody enters."""
    await asyncio.sleep(PUMPED_FROM_S)
    for n in range(PUMPED):
        await caller.verification(f"{PUMPED_RANGES[n % len(PUMPED_RANGES)]}{caller.draw.randrange(111, 999)}")
        await asyncio.sleep(PUMPED_PAUSE_S)


async def _denied(caller: ApiCaller) -> None:
    """Numbers of the deny list."""
    for n in range(DENIED_MESSAGES):
        await caller.verification(f"{DENIED}{4_100_000 + 7_919 * n}")
        await asyncio.sleep(0.5)


async def _resent(caller: ApiCaller) -> int:
    """A verification whose first message does not arrive, and whose code is mistyped once."""
    verification_id = await caller.verification(f"{UNREACHED}358214", "order 88213")
    if verification_id is None:
        raise SystemExit("the verification was refused")
    await asyncio.sleep(RESEND_S)
    await caller.post(f"verifications/{verification_id}/resend", {})
    await asyncio.sleep(9.0)
    await caller.post(f"verifications/{verification_id}/check", {"code": "417906"})
    await asyncio.sleep(5.0)
    await caller.post(f"verifications/{verification_id}/check", {"code": CODE})
    return int(verification_id)


async def _reported(installation: Installation, caller: ApiCaller) -> int:
    """A delivered message whose report was pushed and whose conversion was reported."""
    for n in range(TRIES):
        message_id = await _sent(caller, f"861393572{418 + n}6")
        if await _final_state(installation, message_id) == MessageState.DELIVERED:
            await asyncio.sleep(5.0)
            status, answer = await caller.post("conversions", {"message_id": str(message_id)})
            if status == 201:
                return message_id
            raise SystemExit(f"the conversion was refused: {answer}")
    raise SystemExit(f"of {TRIES} messages none was delivered")


async def _sent(caller: ApiCaller, number: str) -> int:
    """The id of a message that is sent through laaffic's API, which pushes reports."""
    body = {
        "appId": caller.customer.app_id,
        "numbers": number,
        "content": f"{CODE} is your Acme code. Share it with nobody.",
        "senderId": SENDER,
    }
    headers = signed(caller.customer)
    reply = await caller.client.call("POST", "/v3/sendSms", headers=headers, body=msgspec.json.encode(body))
    return int(reply.json["array"][0]["msgId"])


async def _final_state(installation: Installation, message_id: int) -> int:
    query = "SELECT state FROM message WHERE message_id = $1 AND final_at IS NOT NULL"
    rows = await until(lambda: installation.query(query, message_id))
    return int(rows[0]["state"])
