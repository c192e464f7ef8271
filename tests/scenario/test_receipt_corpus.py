"""The corpus of receipts (tests/corpus/), through the real inbox and database: every case comes out as it says."""

import tomllib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from homing.model import CarrierReceipt, Outcome, Traffic
from homing.smpp.receipt_text import DeliveryKind, ReceiptTlvs, kind_of, parse
from homing.states import MessageState
from tests.support import server as serving
from tests.support.receipts import NUMBER, SENDER, PostRoom

FOLDER = Path(__file__).parents[1] / "corpus" / "receipts"
SENT_AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
HEARD_AT = datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
]
CASES_MIN = 60


@pytest.fixture(scope="module")
async def post(postgres: str, worker: str) -> AsyncIterator[PostRoom]:
    opened = await PostRoom.open(await serving.migrated_database(postgres, f"corpus_{worker}"), SENT_AT)
    yield opened
    await opened.close()


class Play:
    """One case under way."""

    def __init__(self, post: PostRoom, carriers: Mapping[str, int], sender: str) -> None:
        self._post = post
        self._carriers = carriers
        self._sender = sender
        self.messages: dict[str, int] = {}
        self.kinds: list[DeliveryKind] = []

    async def step(self, step: Mapping[str, Any]) -> None:
        match step:
            case {"submit": name}:
                self.messages[name] = await self._post.submit(
                    self._carriers["main"],
                    step.get("number", NUMBER),
                    sender=self._sender,
                    segments=step.get("segments", 1),
                    traffic=Traffic.PROMOTIONAL,
                )
            case {"answer": name}:
                await self._post.answer(
                    self.messages[name],
                    self._carriers[step.get("carrier", "main")],
                    step.get("ids", []),
                    attempt=step.get("attempt", 1),
                    outcome=Outcome.UNKNOWN if step.get("lost") else Outcome.ACCEPTED,
                    waits=step.get("waits", True),
                )
            case {"receipt": pdu}:
                self._post.now = max(self._post.now, HEARD_AT)
                await self.hear(pdu)
            case {"wait_s": seconds}:
                await self._post.wait_trying(seconds, process=1)
            case {"sweep": True}:
                await self._post.sweep()
            case _:
                raise AssertionError(f"no such step: {step}")

    async def hear(self, pdu: Mapping[str, Any]) -> None:
        """A deliver_sm, read as a carrier's session reads it."""
        text = bytes.fromhex(pdu["hex"]) if "hex" in pdu else pdu["text"].encode("latin-1")
        told = dict(pdu.get("tlvs", {}))
        if "network_error_code" in told:
            told["network_error_code"] = bytes.fromhex(told["network_error_code"])
        tlvs = ReceiptTlvs(**told)
        kind = kind_of(pdu.get("esm_class", 4), text, tlvs)
        self.kinds.append(kind)
        if kind is DeliveryKind.INBOUND:
            return
        read = parse(text, tlvs, arrived_at=self._post.now, intermediate=kind is DeliveryKind.INTERMEDIATE)
        receipt = CarrierReceipt(
            read.carrier_ref,
            int(MessageState.SENT if read.state is None else read.state),
            read.done_at,
            read.error_code,
            text.decode("latin-1"),
            pdu.get("source", NUMBER),
        )
        await self._post.take(self._carriers[pdu.get("carrier", "main")], receipt, process=pdu.get("bind", 1) - 1)


def steps_of(case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "steps" in case:
        return list(case["steps"])
    receipts = case["receipts"] if "receipts" in case else [case["receipt"]]
    return [
        {"submit": "a", "segments": case.get("segments", len(case["ids"]))},
        {"answer": "a", "ids": case["ids"]},
        *({"receipt": receipt} for receipt in receipts),
    ]


@pytest.mark.parametrize("case", CASES)
async def test_a_receipt_comes_out_as_the_corpus_says(post: PostRoom, case: Mapping[str, Any]) -> None:
    post.now = SENT_AT
    carriers = {"main": await post.carrier(), "backup": await post.carrier()}
    if "learnt" in case:
        await post.sql("INSERT INTO id_format VALUES ($1, $2, 1000)", carriers["main"], case["learnt"])
        for inbox in post.inboxes:
            await inbox.exchange_formats()
    play = Play(post, carriers, case.get("sender", SENDER))
    for step in steps_of(case):
        await play.step(step)
    expected = dict(case["expect"]) if "steps" in case else {"a": case["expect"]}
    unmatched = expected.pop("unmatched", case["expect"].get("unmatched", 0))
    parked = [row["carrier_ref"] for carrier_id in carriers.values() for row in await post.parked(carrier_id)]
    assert len(parked) == unmatched, parked
    for name, end in expected.items():
        await comes_out(post, play.messages[name], end)
    is_inbound = case["expect"].get("kind") == "inbound"
    assert (DeliveryKind.INBOUND in play.kinds) == is_inbound


async def comes_out(post: PostRoom, message_id: int, end: Mapping[str, Any]) -> None:
    message = await post.message(message_id)
    assert MessageState(message["state"]).name.lower() == end["state"]
    if "error" in end:
        assert (message["error_code"] or "") == end["error"]
    if "done" in end:
        assert message["final_at"] == datetime.fromisoformat(end["done"])
    kept = await post.receipts(message_id)
    if "receipts" in end:
        assert len(kept) == end["receipts"]
    if "applied" in end:
        assert sum(applied for _state, applied in kept) == end["applied"]


def test_every_case_says_what_it_imitates_and_no_two_are_the_same() -> None:
    cases: list[Any] = [param.values[0] for param in CASES]
    assert len(cases) >= CASES_MIN
    assert all(case["imitates"] and case["expect"] for case in cases)
    assert len({param.id for param in CASES}) == len(CASES)
    assert len({repr((case.get("steps"), case.get("ids"), case.get("receipt"))) for case in cases}) >= len(CASES) - 1
