"""The guard: rules, snapshots, verdicts, decisions.

Made by tools/sql_bindings.py from sql/guard.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import (
    Executor,
    columns,
    composites,
    execute,
    fetch_row,
    fetch_row_or_none,
    fetch_rows,
    nullable,
    single,
)

_SQL: Final = queries.load("guard")


class GuardModeRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_modes`."""

    account_id: int
    rule: str
    mode: int


class GuardListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_lists`."""

    account_id: int
    kind: str
    value: str
    is_allowed: bool


class GuardBudgetRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_budgets`."""

    account_id: int
    country: str
    hour_messages: int | None
    day_messages: int | None
    hour_micro: int | None
    day_micro: int | None


class GuardStrictnessRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_strictness_all`."""

    account_id: int
    strictness: int


class NamedGuardStrictness(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_strictness_of`."""

    account_id: int
    account: str | None
    strictness: int


class GuardRiskRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_risks`."""

    account_id: int
    kind: str
    value: str
    level: int


class NamedGuardRisk(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_risks_of`."""

    account: str | None
    kind: str
    value: str
    level: int
    note: str
    changed_at: datetime


class GuardTrafficRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_country_traffic`."""

    account_id: int
    app_id: str
    country: str
    messages: int
    converted: int


class NamedGuardAlert(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_alerts_of`."""

    account_id: int
    account: str | None
    url: str


class NamedGuardRule(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_rules_of`."""

    account: str | None
    rule: str
    mode: int


class NamedGuardList(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_lists_of`."""

    account: str | None
    kind: str
    value: str
    is_allowed: bool
    note: str
    created_at: datetime


class NamedGuardBudget(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_budgets_of`."""

    account: str | None
    country: str
    hour_messages: int | None
    day_messages: int | None
    hour_micro: int | None
    day_micro: int | None


class GuardSnapshotRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_snapshot_read`."""

    made_at: datetime
    snapshot: bytes


class NewGuardVerdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_verdicts_add` is given."""

    account_id: int
    app_id: str
    country: str
    network: str
    digits: str
    reason: str
    text: str
    may_block: bool
    since: datetime
    until: datetime


class GuardRangeKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_verdicts_end` is given."""

    account_id: int
    app_id: str
    network: str
    digits: str


class ActiveVerdict(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_verdicts_active`."""

    account_id: int
    app_id: str
    network: str
    digits: str
    reason: str
    may_block: bool
    since: datetime
    until: datetime


class LiftedVerdict(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_verdicts_lifted`."""

    account_id: int
    app_id: str
    network: str
    digits: str
    since: datetime
    lifted_at: datetime


class NamedVerdict(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_verdicts_of`."""

    verdict_id: int
    account: str | None
    app: str | None
    country: str
    network: str
    digits: str
    reason: str
    may_block: bool
    since: datetime
    until: datetime
    lifted_at: datetime | None


class NewGuardNetworkState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_network_states_write` is given."""

    account_id: int
    app_id: str
    network: str
    state: bytes


class GuardNetworkStateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_network_states_read`."""

    account_id: int
    app_id: str
    network: str
    state: bytes


class NewGuardDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_decisions_add` is given."""

    account_id: int
    at: datetime
    message_id: int
    app_id: str
    number: str
    country: str
    network: str
    action: int
    rule: str
    reason: str
    reason_code: str
    scope: str
    charge_micro: int


class GuardDecisionRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_decisions_of`, `guard_decisions_page`, `guard_decisions_page_of`, `guard_decisions_page_for`."""

    decision_id: int
    at: datetime
    account: str | None
    message_id: int
    number: str
    country: str
    network: str
    action: int
    rule: str
    reason: str
    scope: str
    charge_micro: int


class GuardRefusalRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_refusal`."""

    at: datetime
    account: str | None
    message_id: int
    number: str
    rule: str
    reason: str
    scope: str
    charge_micro: int


class ReasonCountRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_reason_counts`."""

    reason_code: str
    action: int
    messages: int
    charge_micro: int
    last_at: datetime


class VerdictPageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_verdicts_page`."""

    verdict_id: int
    account_id: int
    account: str | None
    app: str | None
    country: str
    network: str
    digits: str
    reason: str
    may_block: bool
    since: datetime
    until: datetime


class VerdictTotals(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_verdicts_count`."""

    verdicts: int
    may_block: int


class GuardSavingRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_saved`."""

    account: str | None
    country: str
    rule: str
    action: int
    messages: int
    charge_micro: int


class GuardHourRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_hours`."""

    account_id: int
    country: str
    period: int
    submitted: int
    converted: int
    revenue_micro: int


class RuleSavingRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_saved_by_rule`."""

    rule: str
    action: int
    messages: int
    charge_micro: int


class PeriodSavingRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_saved_over_time`."""

    period: int
    messages: int
    charge_micro: int


class NewGuardAddress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_addresses_add` is given."""

    message_id: int
    account_id: int
    app_id: str
    network: str
    address: int
    prefix: int
    site: int | None
    number: int


class GuardAddressRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_address_take`, `guard_addresses_read`."""

    account_id: int
    app_id: str
    network: str
    minute: int
    address: int
    prefix: int
    site: int | None
    number: int
    is_conversion: bool


class FlaggedAddressKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_addresses_lift` is given."""

    account_id: int
    app_id: str
    address: int


class GuardAddressLift(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_address_lifts`."""

    account_id: int
    app_id: str
    address: int
    lifted_at: datetime


class GuardAccountName(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_account_names`."""

    account_id: int
    name: str


class PastMessageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_past_messages`."""

    message_id: int
    app_id: str
    number: str
    country: str
    mcc: str
    mnc: str
    carrier_id: int
    charge_micro: int
    credited_at: datetime | None
    is_resent: bool
    was_refused: bool


class NewGuardBacktest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `guard_backtests_write` is given."""

    account_id: int
    strictness: int
    since: datetime
    until: datetime
    messages: int
    charge_micro: int
    refused: int
    refused_micro: int
    people: float | None
    people_low: float | None
    people_high: float | None


class GuardBacktestRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `guard_backtests`."""

    account_id: int
    account: str
    strictness: int
    made_at: datetime
    since: datetime
    until: datetime
    messages: int
    charge_micro: int
    refused: int
    refused_micro: int
    people: float | None
    people_low: float | None
    people_high: float | None


async def guard_modes(db: Executor) -> list[GuardModeRow]:
    return await fetch_rows(db, _SQL["guard_modes"], GuardModeRow)


async def guard_lists(db: Executor) -> list[GuardListRow]:
    return await fetch_rows(db, _SQL["guard_lists"], GuardListRow)


async def guard_budgets(db: Executor) -> list[GuardBudgetRow]:
    return await fetch_rows(db, _SQL["guard_budgets"], GuardBudgetRow)


async def guard_modes_hold(db: Executor) -> None:
    """Rows that are not there yet cannot be locked, so that it is the table; messages' way only reads it."""
    await execute(db, _SQL["guard_modes_hold"])


async def guard_mode_set(db: Executor, *, account_id: int, mode: int, rules: Sequence[str]) -> None:
    await execute(db, _SQL["guard_mode_set"], account_id, mode, rules)


async def guard_strictness_all(db: Executor) -> list[GuardStrictnessRow]:
    return await fetch_rows(db, _SQL["guard_strictness_all"], GuardStrictnessRow)


async def guard_strictness_of(db: Executor, *, account_id: int | None) -> list[NamedGuardStrictness]:
    return await fetch_rows(db, _SQL["guard_strictness_of"], NamedGuardStrictness, account_id)


async def guard_strictness_set(db: Executor, *, account_id: int, strictness: int) -> None:
    await execute(db, _SQL["guard_strictness_set"], account_id, strictness)


async def guard_strictness_remove(db: Executor, *, account_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["guard_strictness_remove"], single(int), account_id)


async def guard_list_set(db: Executor, *, account_id: int, kind: str, value: str, is_allowed: bool, note: str) -> None:
    await execute(db, _SQL["guard_list_set"], account_id, kind, value, is_allowed, note)


async def guard_list_remove(db: Executor, *, account_id: int, kind: str, value: str, is_allowed: bool) -> str | None:
    return await fetch_row_or_none(db, _SQL["guard_list_remove"], single(str), account_id, kind, value, is_allowed)


async def guard_budget_set(
    db: Executor,
    *,
    account_id: int,
    country: str,
    hour_messages: int | None,
    day_messages: int | None,
    hour_micro: int | None,
    day_micro: int | None,
) -> None:
    await execute(db, _SQL["guard_budget_set"], account_id, country, hour_messages, day_messages, hour_micro, day_micro)


async def guard_budget_remove(db: Executor, *, account_id: int, country: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["guard_budget_remove"], single(str), account_id, country)


async def guard_alert_set(db: Executor, *, account_id: int, url: str) -> None:
    await execute(db, _SQL["guard_alert_set"], account_id, url)


async def guard_alert_remove(db: Executor, *, account_id: int) -> str | None:
    return await fetch_row_or_none(db, _SQL["guard_alert_remove"], single(str), account_id)


async def guard_risks(db: Executor) -> list[GuardRiskRow]:
    return await fetch_rows(db, _SQL["guard_risks"], GuardRiskRow)


async def guard_risk_set(db: Executor, *, account_id: int, kind: str, value: str, level: int, note: str) -> None:
    await execute(db, _SQL["guard_risk_set"], account_id, kind, value, level, note)


async def guard_risk_remove(db: Executor, *, account_id: int, kind: str, value: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["guard_risk_remove"], single(str), account_id, kind, value)


async def guard_risks_of(db: Executor, *, account_id: int | None) -> list[NamedGuardRisk]:
    return await fetch_rows(db, _SQL["guard_risks_of"], NamedGuardRisk, account_id)


async def guard_country_traffic(db: Executor, *, first_day: int, beyond_day: int) -> list[GuardTrafficRow]:
    """What was paid for and may have come, and what of it converted, by app and country, on the days from
    `first_day` to before `beyond_day`.
    """
    return await fetch_rows(
        db,
        _SQL["guard_country_traffic"],
        GuardTrafficRow,
        first_day,
        beyond_day,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def guard_alerts_of(db: Executor, *, account_id: int | None) -> list[NamedGuardAlert]:
    return await fetch_rows(db, _SQL["guard_alerts_of"], NamedGuardAlert, account_id)


async def guard_rules_of(db: Executor, *, account_id: int | None) -> list[NamedGuardRule]:
    return await fetch_rows(db, _SQL["guard_rules_of"], NamedGuardRule, account_id)


async def guard_lists_of(db: Executor, *, account_id: int | None) -> list[NamedGuardList]:
    return await fetch_rows(db, _SQL["guard_lists_of"], NamedGuardList, account_id)


async def guard_budgets_of(db: Executor, *, account_id: int | None) -> list[NamedGuardBudget]:
    return await fetch_rows(db, _SQL["guard_budgets_of"], NamedGuardBudget, account_id)


async def guard_snapshot_write(db: Executor, *, made_at: datetime, snapshot: bytes) -> None:
    await execute(db, _SQL["guard_snapshot_write"], made_at, snapshot)


async def guard_snapshot_read(db: Executor) -> GuardSnapshotRow | None:
    return await fetch_row_or_none(db, _SQL["guard_snapshot_read"], GuardSnapshotRow)


async def guard_verdicts_add(db: Executor, *, verdicts: Sequence[NewGuardVerdict]) -> None:
    """A new verdict is pushed to its account and to the operator, but not again for a range with a verdict of within
    the hour, unless that blocked nothing and this one does. The push's message_id is the verdict's: pushes of one
    verdict go out in their order.
    """
    await execute(db, _SQL["guard_verdicts_add"], *columns(verdicts, 10))


async def guard_verdicts_end(db: Executor, *, until: datetime, ranges: Sequence[GuardRangeKey]) -> None:
    await execute(db, _SQL["guard_verdicts_end"], until, *columns(ranges, 4))


async def guard_verdicts_active(db: Executor, *, now: datetime) -> list[ActiveVerdict]:
    return await fetch_rows(db, _SQL["guard_verdicts_active"], ActiveVerdict, now)


async def guard_verdicts_lifted(db: Executor, *, lifted_since: datetime) -> list[LiftedVerdict]:
    return await fetch_rows(db, _SQL["guard_verdicts_lifted"], LiftedVerdict, lifted_since)


async def guard_verdicts_of(
    db: Executor, *, account_id: int | None, with_past: bool, rows_max: int
) -> list[NamedVerdict]:
    return await fetch_rows(db, _SQL["guard_verdicts_of"], NamedVerdict, account_id, with_past, rows_max)


async def guard_verdict_lift(db: Executor, *, digits: str, account_id: int | None, network: str | None) -> list[str]:
    return await fetch_rows(db, _SQL["guard_verdict_lift"], single(str), digits, account_id, network)


async def guard_network_states_write(
    db: Executor, *, saved_at: datetime, states: Sequence[NewGuardNetworkState]
) -> None:
    await execute(
        db, _SQL["guard_network_states_write"], saved_at, *columns(states, 4), timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def guard_network_states_read(db: Executor, *, rows_max: int) -> list[GuardNetworkStateRow]:
    return await fetch_rows(
        db, _SQL["guard_network_states_read"], GuardNetworkStateRow, rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def guard_decisions_add(db: Executor, *, decisions: Sequence[NewGuardDecision]) -> None:
    await execute(db, _SQL["guard_decisions_add"], composites(decisions))


async def guard_decisions_of(
    db: Executor, *, account_id: int | None, rule: str | None, rows_max: int
) -> list[GuardDecisionRow]:
    return await fetch_rows(db, _SQL["guard_decisions_of"], GuardDecisionRow, account_id, rule, rows_max)


async def guard_refusal(db: Executor, *, message_id: int) -> GuardRefusalRow | None:
    """A refused message by its id, which has the time of its decision to the second or two."""
    return await fetch_row_or_none(db, _SQL["guard_refusal"], GuardRefusalRow, message_id)


async def guard_decisions_page(
    db: Executor, *, before_at: datetime | None, before_id: int | None, looked_max: int, rule: str | None, rows_max: int
) -> list[GuardDecisionRow]:
    """The latest first, below a key (`before_at` at, `before_id` id; null: from the top), of all accounts. With a
    rule (`rule`) those of it among the first `looked_max`.
    """
    return await fetch_rows(
        db, _SQL["guard_decisions_page"], GuardDecisionRow, before_at, before_id, looked_max, rule, rows_max
    )


async def guard_decisions_page_of(
    db: Executor, *, account_id: int, before_id: int | None, looked_max: int, rule: str | None, rows_max: int
) -> list[GuardDecisionRow]:
    """As above, of one account (`account_id`), below an id (`before_id`)."""
    return await fetch_rows(
        db, _SQL["guard_decisions_page_of"], GuardDecisionRow, account_id, before_id, looked_max, rule, rows_max
    )


async def guard_decisions_page_for(
    db: Executor,
    *,
    code: str,
    before_at: datetime | None,
    before_id: int | None,
    looked_max: int,
    account_id: int | None,
    rule: str | None,
    rows_max: int,
) -> list[GuardDecisionRow]:
    """The latest first, below a key (`before_at` at, `before_id` id; null: from the top), of a reason's code
    (`code`). Of an account (`account_id`) or a rule (`rule`) those among the first `looked_max`.
    """
    return await fetch_rows(
        db,
        _SQL["guard_decisions_page_for"],
        GuardDecisionRow,
        code,
        before_at,
        before_id,
        looked_max,
        account_id,
        rule,
        rows_max,
    )


async def guard_reason_counts(
    db: Executor, *, since: datetime, before: datetime, account_id: int | None
) -> list[ReasonCountRow]:
    """How many for which reason, in [`since`, `before`); of one account (`account_id`) or all."""
    return await fetch_rows(
        db,
        _SQL["guard_reason_counts"],
        ReasonCountRow,
        since,
        before,
        account_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def guard_verdicts_page(db: Executor, *, before_id: int | None, rows_max: int) -> list[VerdictPageRow]:
    """Verdicts in force, the latest first, below an id (`before_id`)."""
    return await fetch_rows(db, _SQL["guard_verdicts_page"], VerdictPageRow, before_id, rows_max)


async def guard_verdicts_count(db: Executor) -> VerdictTotals:
    return await fetch_row(db, _SQL["guard_verdicts_count"], VerdictTotals)


async def guard_saved(db: Executor, *, account_id: int | None, since: datetime) -> list[GuardSavingRow]:
    return await fetch_rows(db, _SQL["guard_saved"], GuardSavingRow, account_id, since)


async def guard_hours(db: Executor, *, first_hour: int, beyond_hour: int, account_id: int | None) -> list[GuardHourRow]:
    """What was sent to each country in each hour from `first_hour` (hours after 1970) to before `beyond_hour`; of
    one account (`account_id`) or all.
    """
    return await fetch_rows(
        db,
        _SQL["guard_hours"],
        GuardHourRow,
        first_hour,
        beyond_hour,
        account_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def guard_saved_by_rule(db: Executor, *, since: datetime) -> list[RuleSavingRow]:
    return await fetch_rows(db, _SQL["guard_saved_by_rule"], RuleSavingRow, since)


async def guard_saved_over_time(
    db: Executor, *, grain: int, since: datetime, account_id: int | None
) -> list[PeriodSavingRow]:
    """What refusals (`account_id`: of one account or all) saved since `since`, by periods of `grain` minutes."""
    return await fetch_rows(db, _SQL["guard_saved_over_time"], PeriodSavingRow, grain, since, account_id)


async def guard_delete_old(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["guard_delete_old"], before)


async def guard_addresses_add(db: Executor, *, messages: Sequence[NewGuardAddress]) -> None:
    await execute(db, _SQL["guard_addresses_add"], *columns(messages, 8))


async def guard_address_take(db: Executor, *, rows_max: int) -> list[GuardAddressRow]:
    """What has not been observed yet, the oldest first."""
    return await fetch_rows(db, _SQL["guard_address_take"], GuardAddressRow, rows_max)


async def guard_address_skip(db: Executor) -> None:
    await execute(db, _SQL["guard_address_skip"])


async def guard_addresses_read(db: Executor, *, since: datetime, rows_max: int) -> list[GuardAddressRow]:
    """The latest messages with an address, and whether each converted: what a new model begins with."""
    return await fetch_rows(
        db, _SQL["guard_addresses_read"], GuardAddressRow, since, rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def guard_addresses_lift(db: Executor, *, addresses: Sequence[FlaggedAddressKey]) -> list[int]:
    """Of verdicts on addresses or prefixes; gives the accounts. One that is lifted again is lifted from now on."""
    return await fetch_rows(db, _SQL["guard_addresses_lift"], single(int), *columns(addresses, 3))


async def guard_address_lifts(db: Executor, *, since: datetime) -> list[GuardAddressLift]:
    return await fetch_rows(db, _SQL["guard_address_lifts"], GuardAddressLift, since)


async def guard_address_lifts_forget(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["guard_address_lifts_forget"], before)


async def guard_addresses_forget(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["guard_addresses_forget"], before, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def guard_account_names(db: Executor, *, account_ids: Sequence[int]) -> list[GuardAccountName]:
    return await fetch_rows(db, _SQL["guard_account_names"], GuardAccountName, account_ids)


async def guard_past_cut(db: Executor, *, account_id: int, first_id: int, messages_max: int) -> int | None:
    """Where an account's latest `messages_max` messages since an id begin, or as many that were refused; null: there
    are fewer.
    """
    return await fetch_row(db, _SQL["guard_past_cut"], nullable(int), account_id, first_id, messages_max)


async def guard_past_messages(
    db: Executor, *, account_id: int, first_id: int, beyond_id: int, rows_max: int
) -> list[PastMessageRow]:
    """A page of an account's messages from an id on, in the order of their ids, with those that the guard refused
    and which have no row. By pages: a transaction of minutes would keep dead rows of busy tables from being removed.
    """
    return await fetch_rows(db, _SQL["guard_past_messages"], PastMessageRow, account_id, first_id, beyond_id, rows_max)


async def guard_backtests_write(db: Executor, *, results: Sequence[NewGuardBacktest]) -> None:
    await execute(db, _SQL["guard_backtests_write"], *columns(results, 11))


async def guard_backtests(db: Executor, *, account_id: int | None) -> list[GuardBacktestRow]:
    return await fetch_rows(db, _SQL["guard_backtests"], GuardBacktestRow, account_id)
