"""How strict the guard is with an account, and what each strictness would have done with its traffic of late.

`account_id`: whose setting it is; GENERAL: every account's.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from homing import errors
from homing.common import ids
from homing.guard.backtest import Backtest, BacktestResult, Between, PastMessage
from homing.guard.risk import DestinationRisks, learn_risks
from homing.guard.service import read_country_traffic, read_lists, read_risk_settings, read_strictness
from homing.guard.strictness import Strictness, StrictnessSettings
from homing.model import GENERAL
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.guard import GuardBacktestRow, NewGuardBacktest, PastMessageRow

BACKTEST_DAYS: Final = 14
BACKTEST_WARM_UP_DAYS: Final = 1  # before these, observed and not counted: in service the model has a past as well
BACKTEST_MESSAGES_MAX: Final = 100_000  # of more, the latest alone
BACKTEST_PAGE: Final = 2_000  # messages that are read at once


class StrictnessReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a strictness would have done with an account's messages from `since` until `until`: how many it would have
    refused, worth `refused_charge_micro`; how many of these were probably `people`, and what is left of the charge
    without theirs, `stopped_micro`. None: nothing tells people from an attack. `is_set`: the one that the account has.
    """

    account: str
    strictness: Strictness
    is_set: bool
    made_at: datetime
    since: datetime
    until: datetime
    messages: int
    charge_micro: int
    refused: int
    refused_charge_micro: int
    people: Between | None
    stopped_micro: Between | None


async def read_reports(
    connection: DatabaseConnection | Database, account_id: int | None = None
) -> Sequence[StrictnessReport]:
    """The latest of each account, or of one, from the most lenient strictness on."""
    settings = await read_strictness(connection)
    rows = await statements.guard.guard_backtests(connection, account_id=account_id)
    return [_report(row, settings) for row in rows]


def _report(row: GuardBacktestRow, settings: StrictnessSettings) -> StrictnessReport:
    people = stopped = None
    if row.people is not None and row.people_low is not None and row.people_high is not None:
        people = Between(row.people, row.people_low, row.people_high)
        each_micro = row.refused_micro / row.refused if row.refused else 0.0
        of_attack = [(row.refused - count) * each_micro for count in (row.people, row.people_high, row.people_low)]
        stopped = Between(*of_attack)
    return StrictnessReport(
        account=row.account,
        strictness=Strictness(row.strictness),
        is_set=settings.of(row.account_id) == row.strictness,
        made_at=row.made_at,
        since=row.since,
        until=row.until,
        messages=row.messages,
        charge_micro=row.charge_micro,
        refused=row.refused,
        refused_charge_micro=row.refused_micro,
        people=people,
        stopped_micro=stopped,
    )


async def set_strictness(connection: DatabaseConnection | Database, account_id: int, strictness: Strictness) -> None:
    await statements.guard.guard_strictness_set(connection, account_id=account_id, strictness=int(strictness))


async def remove_strictness(connection: DatabaseConnection | Database, account_id: int) -> None:
    """The general strictness holds again; or, of GENERAL, the standard. Raises `InvalidInput` when none is set."""
    if await statements.guard.guard_strictness_remove(connection, account_id=account_id) is None:
        raise errors.InvalidInput("no strictness is set for these accounts")


async def backtest(
    database: Database, account_id: int, now: datetime, messages_max: int = BACKTEST_MESSAGES_MAX
) -> Sequence[BacktestResult]:
    """An account's messages of the last 14 days through the guard at each strictness; stored, and returned. Empty: it
    had none. Of more than `messages_max` the latest are taken; 100,000 take a minute or two of a processor.
    Raises a `PlatformFailure`.
    """
    first_id, since = await _span(database, account_id, now, messages_max)
    allowed = [entry for entry in await read_lists(database) if entry.account_id in (GENERAL, account_id)]
    risks = DestinationRisks(await read_risk_settings(database), learn_risks(await read_country_traffic(database, now)))
    guards = Backtest(count_from_s=since.timestamp(), allowed=allowed, risks=risks)
    beyond_id = _first_id(now)
    while first_id < beyond_id:
        rows = await statements.guard.guard_past_messages(
            database, account_id=account_id, first_id=first_id, beyond_id=beyond_id, rows_max=BACKTEST_PAGE
        )
        await asyncio.to_thread(guards.observe, [_past_message(account_id, row) for row in rows])
        first_id = rows[-1].message_id + 1 if len(rows) == BACKTEST_PAGE else beyond_id
    results = guards.results()
    if not results[0].messages:
        return ()
    await statements.guard.guard_backtests_write(database, results=[_row(account_id, result) for result in results])
    return results


async def _span(database: Database, account_id: int, now: datetime, messages_max: int) -> tuple[int, datetime]:
    """(the first message's id, from when on they are counted). Where there are more than may be read, the first quarter
    of the time is what the model begins with, or of the messages where these came sooner: those of an account that was
    busy for an hour and is silent since would all lie in the first quarter of the time.
    """
    since = now - timedelta(days=BACKTEST_DAYS)
    first_id = _first_id(since - timedelta(days=BACKTEST_WARM_UP_DAYS))
    cut_id, counted_id = [
        await statements.guard.guard_past_cut(database, account_id=account_id, first_id=first_id, messages_max=most)
        for most in (messages_max, messages_max * 3 // 4)
    ]
    if cut_id is None or counted_id is None:
        return first_id, since
    cut, counted = _at(cut_id), _at(counted_id)
    return cut_id, max(since, min(counted, cut + (now - cut) / 4))


def _at(message_id: int) -> datetime:
    return datetime.fromtimestamp(ids.id_time_ms(message_id) / 1000, UTC)


def _first_id(at: datetime) -> int:
    return ids.first_id_at(int(at.timestamp() * 1000))


def _past_message(account_id: int, row: PastMessageRow) -> PastMessage:
    return PastMessage(
        account_id=account_id,
        message_id=row.message_id,
        app_id=row.app_id,
        number=row.number,
        country=row.country,
        mcc=row.mcc,
        mnc=row.mnc,
        carrier_id=row.carrier_id,
        charge_micro=row.charge_micro,
        credited_s=None if row.credited_at is None else row.credited_at.timestamp(),
        is_resent=row.is_resent,
        was_refused=row.was_refused,
    )


def _row(account_id: int, result: BacktestResult) -> NewGuardBacktest:
    return NewGuardBacktest(
        account_id=account_id,
        strictness=int(result.strictness),
        since=datetime.fromtimestamp(result.since_s, UTC),
        until=datetime.fromtimestamp(result.until_s, UTC),
        messages=result.messages,
        charge_micro=result.charge_micro,
        refused=result.refused,
        refused_micro=result.refused_micro,
        people=result.people,
        people_low=result.people_low,
        people_high=result.people_high,
    )
