"""Quotas: how much an account, or an app of it, may send; and how much of that is used up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import errors
from homing.model import DAY_S, SendQuota, windows_under_way
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

QUOTA_WARNING_SHARE: Final = 0.8  # of a day's quota


class QuotaUse(msgspec.Struct, frozen=True, kw_only=True):
    """A quota, and what was sent of it since its day began; money in micro-units. `app_id`: "" for the account's.
    `day_began_ms`: of the day that began last, of messages or of money, Unix time; 0: none is under way.
    """

    account_id: int
    account: str
    app_id: str
    messages_per_s: int | None
    messages_per_day: int | None
    money_per_day_micro: int | None
    messages_used: int
    money_used_micro: int
    day_began_ms: int = 0

    @property
    def used_share(self) -> float:
        """The larger part that is used up of the day's messages or money."""
        messages = self.messages_used / self.messages_per_day if self.messages_per_day else 0.0
        money = self.money_used_micro / self.money_per_day_micro if self.money_per_day_micro else 0.0
        return max(messages, money)


async def set_quota(connection: DatabaseConnection, account_id: int, app_id: str, quota: SendQuota) -> None:
    """Sets the quota of an app, or with "" of the account, in place of the one that it has. Raises `InvalidInput` when
    the app is not the account's or nothing is limited.
    """
    await _check_app(connection, account_id, app_id)
    values = msgspec.structs.astuple(quota)
    if all(value is None for value in values):
        raise errors.InvalidInput("a quota limits the messages a second or a day, or the money a day")
    if any(value is not None and value < 1 for value in values):
        raise errors.InvalidInput("a quota is larger than 0")
    await statements.admin.quota_set(
        connection,
        account_id=account_id,
        app_id=app_id,
        messages_per_s=quota.messages_per_s,
        messages_per_day=quota.messages_per_day,
        money_per_day_micro=quota.money_per_day_micro,
    )


async def remove_quota(connection: DatabaseConnection, account_id: int, app_id: str) -> None:
    """Raises `InvalidInput` when there is none."""
    if await statements.admin.quota_remove(connection, account_id=account_id, app_id=app_id) is None:
        raise errors.InvalidInput("there is no such quota")


async def list_quotas(
    connection: DatabaseConnection | Database, now: datetime, account_id: int | None = None
) -> Sequence[QuotaUse]:
    """Of an account or of all."""
    now_ms = int(now.timestamp() * 1000)
    return [
        QuotaUse(
            account_id=row.account_id,
            account=row.account,
            app_id=row.app_id,
            messages_per_s=row.messages_per_s,
            messages_per_day=row.messages_per_day,
            money_per_day_micro=row.money_per_day_micro,
            messages_used=_used(row.message_windows, now_ms),
            money_used_micro=_used(row.money_windows, now_ms),
            day_began_ms=max(_began_ms(row.message_windows, now_ms), _began_ms(row.money_windows, now_ms)),
        )
        for row in await statements.admin.quota_list(connection, account_id=account_id)
    ]


def _used(windows: str | None, now_ms: int) -> int:
    """Of the day that is under way."""
    day = None if windows is None else windows_under_way(windows, now_ms).get(DAY_S)
    return 0 if day is None else day.used


def _began_ms(windows: str | None, now_ms: int) -> int:
    day = None if windows is None else windows_under_way(windows, now_ms).get(DAY_S)
    return 0 if day is None else day.started_ms


async def _check_app(connection: DatabaseConnection, account_id: int, app_id: str) -> None:
    if app_id:
        row = await statements.admin.app_find(connection, app_id=app_id)
        if row is None or row.account_id != account_id:
            raise errors.InvalidInput(
                "app {app} does not exist; `homing app list` lists an account's apps", app=repr(app_id)
            )
