"""The simulated carrier: a pure story for each message, by the odds that were set, and a carrier's manners."""

import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors
from homing.carriers.base import CarrierReport
from homing.carriers.kinds import KINDS, make
from homing.carriers.simulator import (
    MAGIC,
    SimulatedDestination,
    SimulatedOutcome,
    SimulatorCarrier,
    SimulatorSettings,
    outcome_of,
)
from homing.common.steady_clock import SteadyClock
from homing.intake.intake import utc_now
from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outcome, Outstanding
from homing.states import MessageState
from tests.support.carriers import first_answers, unmarked
from tests.support.waiting import in_time

SAMPLE = 20_000
ODDS = SimulatorSettings(
    seed=9,
    receipt_ms_mean=500.0,
    refused=0.1,
    lost=0.05,
    undeliverable=0.2,
    expired=0.1,
    fake=0.5,
    converted=0.6,
    replied=0.3,
)
EXPIRES = datetime.now(UTC) + timedelta(days=2)

references = st.integers(0, 2**64 - 1).map("{:016x}".format)
numbers = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)


@given(references, numbers, st.integers(0, 2**63))
def test_the_same_message_always_has_the_same_fate(carrier_ref: str, number: str, seed: int) -> None:
    settings = SimulatorSettings(seed=seed, refused=0.2, undeliverable=0.3, fake=0.5)
    assert outcome_of(settings, carrier_ref, number) == outcome_of(settings, carrier_ref, number)


@given(references, st.from_regex(r"[1-9][0-9]{2,10}", fullmatch=True), st.sampled_from(sorted(MAGIC)))
def test_a_recipients_last_four_digits_force_the_outcome_whatever_the_odds(ref: str, head: str, tail: str) -> None:
    assert (
        outcome_of(SimulatorSettings(refused=1.0), ref, head + tail)
        == outcome_of(ODDS, ref, head + tail)
        == MAGIC[tail]
    )


@pytest.mark.parametrize(
    ("tail", "refused", "reported", "reached"),
    [
        ("0001", False, MessageState.DELIVERED, True),
        ("0002", False, MessageState.UNDELIVERABLE, False),
        ("0003", True, None, False),
        ("0004", False, MessageState.EXPIRED, False),
        ("0005", False, None, False),
        ("0006", False, MessageState.DELIVERED, False),
    ],
)
def test_magic_numbers(tail: str, refused: bool, reported: MessageState | None, reached: bool) -> None:
    fate = outcome_of(ODDS, "0" * 16, f"861380013{tail}")
    assert (fate.refused, fate.reported, fate.reached, fate.receipt_ms) == (refused, reported, reached, 0.0)


@pytest.fixture(scope="module")
def fates() -> list[SimulatedOutcome]:
    return [outcome_of(ODDS, f"{n:016x}", f"8613800{n:06d}9") for n in range(SAMPLE)]


def share(fates: Sequence[SimulatedOutcome], count: int, odds: float) -> None:
    """Within five standard deviations: a fixed sample, so that it holds or does not."""
    expected, deviation = len(fates) * odds, (len(fates) * odds * (1 - odds)) ** 0.5
    assert abs(count - expected) < 5 * deviation, f"{count} of {len(fates)}, not about {expected:.0f}"


def test_fates_follow_the_odds(fates: list[SimulatedOutcome]) -> None:
    share(fates, sum(one.refused for one in fates), 0.1)
    taken = [one for one in fates if not one.refused]
    share(taken, sum(one.reached for one in taken), 0.65)
    share(taken, sum(one.reported is MessageState.EXPIRED for one in taken), 0.1 * 0.5)
    share(taken, sum(one.reported is None for one in taken), 0.05 * 0.5)
    share(taken, sum(one.reported is MessageState.UNDELIVERABLE for one in taken), 0.2 * 0.5)
    reached = [one for one in taken if one.reached]
    assert all(one.reported is MessageState.DELIVERED for one in reached)
    share(reached, sum(one.converted for one in reached), 0.6)
    share(reached, sum(one.replied for one in reached), 0.3)
    missed = [one for one in taken if not one.reached]
    share(missed, sum(one.reported is MessageState.DELIVERED for one in missed), 0.5)
    assert not any(one.converted or one.replied for one in missed)
    mean_ms = sum(one.receipt_ms for one in taken) / len(taken)
    assert 480 < mean_ms < 520


def test_another_seed_tells_another_story(fates: list[SimulatedOutcome]) -> None:
    other = SimulatorSettings(**{**{f: getattr(ODDS, f) for f in ODDS.__struct_fields__}, "seed": 10})
    again = [outcome_of(other, f"{n:016x}", f"8613800{n:06d}9") for n in range(200)]
    assert again != fates[:200]


def test_a_prefixs_own_behaviour_stands_before_the_general_one_and_the_longest_wins() -> None:
    settings = SimulatorSettings(
        refused=1.0, prefixes={"44": SimulatedDestination(undeliverable=1.0), "447": SimulatedDestination(expired=1.0)}
    )
    assert outcome_of(settings, "1", "15550000009").refused
    assert outcome_of(settings, "1", "44999999999").reported is MessageState.UNDELIVERABLE
    expired = SimulatorSettings(
        prefixes={
            "44": SimulatedDestination(undeliverable=1.0),
            "447": SimulatedDestination(undeliverable=0, expired=1.0),
        }
    )
    assert outcome_of(expired, "1", "44799999999").reported is MessageState.EXPIRED


def outbound(number: str, message_id: int = 1) -> Outbound:
    return Outbound(1, message_id, 1, number, "HOMING", "hi", 0, 1, EXPIRES)


async def submitted(carrier: SimulatorCarrier, batch: list[Outbound]) -> list[Answer]:
    """The answers in the batch's order."""
    found: dict[int, Answer] = {}
    await carrier.submit(batch, first_answers(found), unmarked)
    return [found[message.message_id] for message in batch]


async def reports(carrier: SimulatorCarrier, count: int) -> list[CarrierReport]:
    found: list[CarrierReport] = []
    async with in_time():
        async for batch in carrier.reports():
            found += batch
            if len(found) >= count:
                return found
    raise AssertionError


async def test_it_answers_for_each_message_in_order_and_reports_those_it_took() -> None:
    carrier = SimulatorCarrier(SimulatorSettings(submit_ms=1), utc_now)
    tails = ("0001", "0002", "0003", "0004", "0005", "0006")
    answers = await submitted(carrier, [outbound(f"8613800{tail}", n) for n, tail in enumerate(tails)])
    assert [one.outcome is Outcome.ACCEPTED for one in answers] == [True, True, False, True, True, True]
    refs = [one.carrier_ref for one in answers if one.carrier_ref]
    assert len(set(refs)) == 5
    assert answers[2].error_code == "11"
    found = await reports(carrier, 4)
    told = {one.carrier_ref: MessageState(one.state) for one in found if isinstance(one, CarrierReceipt)}
    assert told == {
        answers[0].carrier_ref: MessageState.DELIVERED,
        answers[1].carrier_ref: MessageState.UNDELIVERABLE,
        answers[3].carrier_ref: MessageState.EXPIRED,
        answers[5].carrier_ref: MessageState.DELIVERED,
    }


async def test_after_a_restart_it_tells_the_same_of_what_was_submitted_before() -> None:
    settings = SimulatorSettings(submit_ms=0, receipt_ms_mean=20, undeliverable=0.5)
    numbers = [f"8613800{n:04d}9" for n in range(60)]
    before = SimulatorCarrier(settings, utc_now)
    answers = await submitted(before, [outbound(number, n) for n, number in enumerate(numbers)])
    first = {one.carrier_ref: one for one in await reports(before, 55) if isinstance(one, CarrierReceipt)}
    after = SimulatorCarrier(settings, utc_now)
    await after.resume(
        [
            Outstanding(one.carrier_ref or "", number, "HOMING", datetime.now(UTC))
            for one, number in zip(answers, numbers, strict=True)
        ]
    )
    second = {one.carrier_ref: one for one in await reports(after, 55) if isinstance(one, CarrierReceipt)}
    assert {ref: second[ref] for ref in first if ref in second} == {ref: first[ref] for ref in first if ref in second}
    assert len(set(first) & set(second)) >= 50


async def test_two_processes_that_submit_in_the_same_millisecond_give_no_reference_twice() -> None:
    settings = SimulatorSettings(submit_ms=0)
    refs = set()
    for mark in (1, 2):
        carrier = SimulatorCarrier(settings, clock=lambda: datetime.fromtimestamp(1_800_000_000, UTC), mark=mark)
        refs |= {
            one.carrier_ref for one in await submitted(carrier, [outbound(f"86138{n:04d}0001", n) for n in range(50)])
        }
    assert len(refs) == 100


async def test_what_it_owes_comes_though_the_machines_clock_is_stepped_back() -> None:
    offset_s = 0.0
    clock = SteadyClock(lambda: time.time() + offset_s)
    carrier = SimulatorCarrier(SimulatorSettings(submit_ms=0, receipt_ms_mean=300, undeliverable=0, expired=0), clock)
    began = clock()  # not the machine's: the two differ by microseconds
    await submitted(carrier, [outbound(f"86138{n:04d}0009", n) for n in range(20)])
    offset_s = -3_600.0
    found = await reports(carrier, 20)
    assert min(one.received_at for one in found if isinstance(one, CarrierReceipt)) >= began


async def test_whom_it_reached_can_answer() -> None:
    carrier = SimulatorCarrier(
        SimulatorSettings(submit_ms=0, receipt_ms_mean=0, undeliverable=0, expired=0, replied=1), utc_now
    )
    await submitted(carrier, [outbound("861380000009")])
    found = await reports(carrier, 2)
    (reply,) = [one for one in found if isinstance(one, CarrierInbound)]
    assert (reply.number, reply.recipient) == ("861380000009", "HOMING")


# --- kinds -----------------------------------------------------------------------------------------------


def test_a_row_becomes_a_carrier() -> None:
    assert isinstance(make("simulator", "{}", random.Random(1), utc_now), SimulatorCarrier)
    settings = json.dumps({"seed": 2, "lost": 0.5, "prefixes": {"44": {"refused": 1}}})
    assert isinstance(make("simulator", settings, random.Random(1), utc_now), SimulatorCarrier)


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        ("smoke-signals", "{}", "smoke-signals"),
        ("simulator", '{"sede": 1}', "sede"),
        ("simulator", '{"seed": "x"}', "seed"),
        ("simulator", '{"prefixes": {"44": {"sede": 1}}}', "sede"),
        ("simulator", "not json", "simulator"),
        ("simulator", "[]", "simulator"),
        ("simulator", "", "simulator"),
    ],
)
def test_an_unknown_kind_or_setting_is_refused_by_its_name(kind: str, settings: str, named: str) -> None:
    with pytest.raises(errors.InvalidInput, match=named):
        make(kind, settings, random.Random(1), utc_now)
    assert "simulator" in KINDS


@pytest.mark.parametrize(
    "settings", ['{"lost": 1.5}', '{"refused": -0.1}', '{"receipt_ms_mean": -5}', '{"submit_ms": -1}']
)
def test_odds_and_times_that_cannot_be_are_refused(settings: str) -> None:
    with pytest.raises(errors.InvalidInput):
        make("simulator", settings, random.Random(1), utc_now)
