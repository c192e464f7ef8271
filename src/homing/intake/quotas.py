"""What an account's and its apps' quotas ask of a submission."""

from collections.abc import Iterator

from homing import errors
from homing.accounts.profile import Profile
from homing.intake.terms import LimitTake
from homing.model import DAY_S, LimitScope


def quota_takes(account: Profile, app_id: str, *, messages: int, total_micro: int) -> Iterator[LimitTake]:
    """The submission's parts of the quotas of its account and its app."""
    for key in {"", app_id}:
        quota = account.quotas.get(key)
        if quota is None:
            continue
        if quota.messages_per_s is not None:
            yield _take(LimitScope.MESSAGES, key, 1, quota.messages_per_s, messages)
        if quota.messages_per_day is not None:
            yield _take(LimitScope.MESSAGES, key, DAY_S, quota.messages_per_day, messages)
        if quota.money_per_day_micro is not None:
            yield _take(LimitScope.MONEY, key, DAY_S, quota.money_per_day_micro, total_micro)


def _take(scope: LimitScope, key: str, period_s: int, most: int, amount: int) -> LimitTake:
    return LimitTake(scope=scope, key=key, period_s=period_s, most=most, amount=amount, refusal=errors.QuotaReached)
