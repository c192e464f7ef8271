"""A code that leaves again is one request to the guard, and all of its messages are money."""

from homing.guard.model import FraudModel
from homing.statistics.delta import Delta

MINUTE = 30_000_000


def test_a_resent_code_is_one_request_that_either_message_answers() -> None:
    model = FraudModel()
    cohort = (MINUTE, 7, "app", "CN", "46000", "8613800138", 1, "S")
    model.observe(
        [
            Delta(*cohort, submitted=10, revenue_micro=100),
            Delta(*cohort, submitted=10, revenue_micro=100, resent=True),
            Delta(*cohort, converted=4, conversion_bucket=6),
            Delta(*cohort, converted=5, conversion_bucket=6, resent=True),
            Delta(*cohort, superseded=10, superseded_age_s=30),
        ]
    )
    for range_state in model.state.ranges.values():
        assert (range_state.recent_messages, range_state.recent_conversions) == (10.0, 9.0)
    model.update(MINUTE * 60.0 + 60, lambda _key, _carrier: 0.8, lambda _account, _app: "reporting")
    usage = model.snapshot.usage[7, "CN"]
    assert (usage.day_messages, usage.day_micro) == (20, 200)
