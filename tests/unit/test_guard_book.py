"""What the guard's book says to those who learn from the same traffic."""

import random
from collections.abc import Callable, Sequence

import msgspec
import pytest

from homing.conversions.learning import Learning
from homing.guard.book import Verdict, VerdictBook
from homing.reasons import Reason, ReasonCode
from homing.routing.cells import Belief, CellKey
from homing.routing.tariff import Tariff
from homing.statistics.delta import Delta

SINCE_S = 1_800_000_000.0
MINUTE = int(SINCE_S // 60)
VERDICT = Verdict(Reason.of(ReasonCode.GUARD_BURST, messages=90, limit=8), SINCE_S, SINCE_S + 7_200.0)
SENT = Delta(MINUTE + 1, 7, "app", "LK", "41302", "94771234", 3, "ACME", submitted=5, sent=5)


def book(digits: str, verdict: Verdict = VERDICT) -> VerdictBook:
    return VerdictBook(verdicts={(7, "app", "41302", digits): verdict})


@pytest.mark.parametrize("digits", ["94771234", "9477123", "947712"])
def test_a_range_and_all_that_lies_in_it_is_condemned(digits: str) -> None:
    assert book(digits).condemns(SENT)


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": 8},
        {"app_id": "other"},
        {"network": "41301"},
        {"block": "94771334"},
        {"minute": MINUTE},  # what was sent before anybody knew has been learnt from: the rest of its facts follow it
    ],
)
def test_what_is_another_range_or_was_before_is_not(change: dict[str, object]) -> None:
    assert not book("9477123").condemns(msgspec.structs.replace(SENT, **change))


def test_nor_is_what_nothing_but_its_density_speaks_against() -> None:
    unsure = msgspec.structs.replace(VERDICT, sure=False)
    assert not book("9477123", unsure).condemns(SENT)
    assert not VerdictBook().condemns(SENT)


def test_nobody_learns_of_a_carrier_from_stolen_messages() -> None:
    genuine = msgspec.structs.replace(SENT, block="94775555")
    came = msgspec.structs.replace(genuine, submitted=0, sent=0, converted=4, conversion_bucket=5)

    def believed(deltas: list[Delta], verdicts: Callable[[], VerdictBook]) -> Sequence[Belief]:
        learning = Learning(lambda: Tariff((), (), (), ()), random.Random(1), verdicts)
        learning.learner.declare("app", True)
        learning.hear(deltas)
        learning.learner.think(SINCE_S + 4 * 3_600.0)
        return learning.learner.beliefs(CellKey(7, "app", "LK", "41302"), [3])

    alone = believed([genuine, came], VerdictBook)
    assert believed([SENT, genuine, SENT, came], lambda: book("9477123")) == alone
    (blurred,) = believed([SENT, genuine, SENT, came], VerdictBook)
    assert blurred.mean < alone[0].mean
