"""Messages to flagged ranges teach nothing about carriers."""

import random
from collections.abc import Callable, Sequence

import msgspec
import pytest

from homing.aggregation.routing_listener import RoutingListener
from homing.guard.snapshot import GuardSnapshot, Verdict
from homing.learning.posterior import Posterior
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

SINCE_S = 1_800_000_000.0
MINUTE = int(SINCE_S // 60)
VERDICT = Verdict(Reason.of(ReasonCode.GUARD_BURST, messages=90, limit=8), SINCE_S, SINCE_S + 7_200.0)
SENT = Delta(MINUTE + 1, 7, "app", "LK", "41302", "94771234", 3, "ACME", submitted=5, sent=5)


def flagging(digits: str, verdict: Verdict = VERDICT) -> GuardSnapshot:
    return GuardSnapshot(verdicts={(7, "app", "41302", digits): verdict})


@pytest.mark.parametrize("digits", ["94771234", "9477123", "947712"])
def test_messages_to_a_flagged_range_and_to_all_within_it_are_fraud(digits: str) -> None:
    assert flagging(digits).is_fraud(SENT)


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
def test_messages_to_another_range_or_of_before_are_not(change: dict[str, object]) -> None:
    assert not flagging("9477123").is_fraud(msgspec.structs.replace(SENT, **change))


def test_nor_are_those_of_an_app_that_reports_no_conversions() -> None:
    unreported = msgspec.structs.replace(VERDICT, may_block=False)
    assert not flagging("9477123", unreported).is_fraud(SENT)
    assert not GuardSnapshot().is_fraud(SENT)


def test_nothing_is_learnt_about_a_carrier_from_fraud() -> None:
    genuine = msgspec.structs.replace(SENT, block="94775555")
    came = msgspec.structs.replace(genuine, submitted=0, sent=0, converted=4, conversion_bucket=5)

    def believed(deltas: list[Delta], verdicts: Callable[[], GuardSnapshot]) -> Sequence[Posterior]:
        learning = RoutingListener(lambda: Catalogue(), random.Random(1), verdicts)
        learning.learner.declare("app", True)
        learning.observe(deltas)
        learning.learner.update(SINCE_S + 4 * 3_600.0)
        return learning.learner.posteriors(CellKey(7, "app", "LK", "41302"), [3])

    alone = believed([genuine, came], GuardSnapshot)
    assert believed([SENT, genuine, SENT, came], lambda: flagging("9477123")) == alone
    (blurred,) = believed([SENT, genuine, SENT, came], GuardSnapshot)
    assert blurred.mean < alone[0].mean
