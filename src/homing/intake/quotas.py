"""What an account's and its apps' quotas ask of a submission."""

from collections.abc import Iterator, Mapping

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
        messages_max = {
            period_s: most
            for period_s, most in ((1, quota.messages_per_s), (DAY_S, quota.messages_per_day))
            if most is not None
        }
        if messages_max:
            yield _take(LimitScope.MESSAGES, key, messages_max, messages)
        if quota.money_per_day_micro is not None:
            yield _take(LimitScope.MONEY, key, {DAY_S: quota.money_per_day_micro}, total_micro)


def _take(scope: LimitScope, key: str, bounds: Mapping[int, int], amount: int) -> LimitTake:
    return LimitTake(scope=scope, key=key, bounds=bounds, amount=amount, refusal=errors.QuotaReached)
