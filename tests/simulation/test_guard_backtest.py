"""Past traffic through the guard at each strictness: what is stopped, who is refused, and what is said where nothing
tells people from an attack.
"""

import random
from collections.abc import Sequence

import msgspec

from homing.common import ids
from homing.guard.backtest import Backtest, BacktestResult, PastMessage
from homing.guard.rules import ListEntry
from homing.guard.strictness import Strictness

START_S = 1_760_000_000.0
HOUR_S = 3_600.0
HOURS = 4
NETWORKS = (("ID", "510", "10", "62812"), ("PH", "515", "02", "63917"))
ATTACKED = "628127700"
CHARGE_MICRO = 20_000
ATTACK_S = START_S + 2 * HOUR_S


def people(*, reports: bool, returning: bool = False) -> list[PastMessage]:
    """Four hours of one message each five seconds, of which four in five convert. `returning`: a third of the people
    had a message on the day before as well.
    """
    draws = random.Random(3)
    messages = []
    for k in range(int(HOURS * HOUR_S / 5)):
        at_s = START_S + 5.0 * k
        country, mcc, mnc, prefix = draws.choice(NETWORKS)
        number = f"{prefix}{draws.randrange(10**7):07d}"
        credited_s = at_s + draws.uniform(5, 60) if reports and draws.random() < 0.8 else None
        messages.append(message(at_s, k, number, country, mcc, mnc, credited_s))
        if returning and draws.random() < 0.33:
            messages.append(message(at_s - 86_400.0, k, number, country, mcc, mnc, None))
    return messages


def attack(count: int = 600) -> list[PastMessage]:
    """In the third hour, a message a second to one range; nobody enters the code."""
    draws = random.Random(4)
    start_s = ATTACK_S
    return [
        message(start_s + k, k, f"{ATTACKED}{draws.randrange(1000):03d}", "ID", "510", "10", None) for k in range(count)
    ]


def message(
    at_s: float, nth: int, number: str, country: str, mcc: str, mnc: str, credited_s: float | None
) -> PastMessage:
    return PastMessage(
        account_id=7,
        message_id=ids.first_id_at(int(at_s * 1000)) + nth,
        app_id="shop",
        number=number,
        country=country,
        mcc=mcc,
        mnc=mnc,
        carrier_id=1,
        charge_micro=CHARGE_MICRO,
        credited_s=credited_s,
        is_resent=False,
        was_refused=False,
    )


def results_of(
    messages: Sequence[PastMessage], allowed: Sequence[ListEntry] = (), count_from_s: float = START_S
) -> dict[Strictness, BacktestResult]:
    backtest = Backtest(count_from_s=count_from_s, allowed=allowed)
    backtest.observe(sorted(messages, key=lambda each: each.message_id))
    return {result.strictness: result for result in backtest.results()}


def test_an_attack_is_stopped_at_each_strictness_and_people_are_not_refused() -> None:
    genuine, pumped = people(reports=True), attack()
    results = results_of(genuine + pumped)
    for result in results.values():
        assert result.messages == len(genuine) + len(pumped)
        assert result.charge_micro == result.messages * CHARGE_MICRO
        assert 0.95 * len(pumped) <= result.refused <= len(pumped) + 5
        assert result.refused_micro == result.refused * CHARGE_MICRO
        assert result.people is not None
        assert result.people_low is not None
        assert result.people_high is not None
        assert result.people_low <= result.people <= result.people_high < 20
    assert results[Strictness.LENIENT].refused <= results[Strictness.STANDARD].refused
    assert results[Strictness.STANDARD].refused <= results[Strictness.STRICT].refused


def test_without_an_attack_the_lenient_and_the_standard_guard_refuse_hardly_anybody() -> None:
    results = results_of(people(reports=True))
    assert results[Strictness.LENIENT].refused == 0
    assert results[Strictness.STANDARD].refused <= 2


def test_what_is_on_an_allow_list_passes() -> None:
    results = results_of(people(reports=True) + attack(), [ListEntry(7, "prefix", ATTACKED, True)])
    assert results[Strictness.STRICT].refused <= 5


def test_messages_before_the_counted_time_teach_and_are_not_counted() -> None:
    genuine, pumped = people(reports=True), attack()
    results = results_of(genuine + pumped, count_from_s=ATTACK_S)
    later = [each for each in genuine if ids.id_time_ms(each.message_id) >= ATTACK_S * 1000]
    assert results[Strictness.STANDARD].messages == len(later) + len(pumped)
    assert results[Strictness.STANDARD].refused >= 0.95 * len(pumped)


def test_of_an_app_that_reports_nothing_people_are_known_by_their_return() -> None:
    results = results_of(people(reports=False, returning=True) + attack())
    standard = results[Strictness.STANDARD]
    assert standard.refused >= 0.9 * 600
    assert standard.people is not None
    assert standard.people_high is not None
    assert standard.people_high < 30


def test_where_nobody_converts_or_returns_nothing_is_said_of_people() -> None:
    assert results_of(people(reports=False) + attack())[Strictness.STANDARD].people is None


def test_of_messages_that_were_refused_then_nothing_is_known() -> None:
    """Nobody could convert, so those that were sent stand for them; where none was, nothing tells."""
    refused_then = [msgspec.structs.replace(each, was_refused=True) for each in attack()]
    standard = results_of(people(reports=True) + refused_then)[Strictness.STANDARD]
    assert standard.refused >= 0.95 * 600
    assert standard.people is None


def test_genuine_people_whom_it_refuses_are_counted() -> None:
    """An office: three hundred people of one range in ten minutes, who convert. What is refused of it is estimated as
    people.
    """
    draws = random.Random(5)
    start_s = ATTACK_S
    office = [
        message(start_s + 2 * k, k, f"{ATTACKED}{k:03d}", "ID", "510", "10", start_s + 2 * k + draws.uniform(5, 60))
        for k in range(300)
    ]
    for result in results_of(people(reports=True) + office).values():
        assert result.refused > 20, "else the test says nothing"
        assert result.people is not None
        assert result.people >= 0.9 * result.refused
