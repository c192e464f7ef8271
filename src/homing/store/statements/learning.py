"""Adaptive routing: terms, shares, what they rest on, and fake receipts.

Made by tools/sql_bindings.py from sql/learning.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("learning")


class LearnTermsRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_terms`."""

    account_id: int
    app_id: str
    worth_micro: int | None
    quality_floor: float | None
    explore_min: float | None
    share_max: float | None
    opted_out: bool


class DeclaredApp(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_declared`."""

    app_id: str
    expects_conversions: bool


class NewShares(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_shares_write` is given."""

    account_id: int
    app_id: str
    country: str
    network: str
    rule: str
    reason: str
    rests_on: str
    carriers: str
    weights: str


class SharesKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_shares_drop` is given."""

    account_id: int
    app_id: str
    country: str
    network: str
    rule: str


class SharesRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_shares_read`."""

    account_id: int
    app_id: str
    country: str
    network: str
    rule: str
    version: int
    carriers: list[int]
    weights: list[int]
    reason: str


class SharesReason(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_shares_of`."""

    account_id: int
    app_id: str
    country: str
    network: str
    rule: str
    version: int
    reason: str
    made_at: datetime
    rests_on: str


class SharesPageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_shares_page`."""

    account_id: int
    account: str
    app_id: str
    country: str
    network: str
    rule: str
    version: int
    reason: str
    made_at: datetime
    rests_on: str


class NamedLearnTerms(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_terms_named`."""

    account_id: int
    account: str
    app_id: str
    worth_micro: int | None
    quality_floor: float | None
    explore_min: float | None
    share_max: float | None
    opted_out: bool


class LearnChoiceRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_choice`."""

    made_at: datetime
    version: int
    country: str
    network: str
    reason: str
    rests_on: str


class LearnAppRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_apps`."""

    account_id: int
    app_id: str
    expects_conversions: bool | None
    sent: int
    converted: int


class NewFake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_fakes_write` is given."""

    carrier_id: int
    kind: str
    reason: str


class FakeRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_fakes`."""

    carrier_id: int
    carrier: str
    kind: str
    found_at: datetime
    seen_at: datetime
    reason: str


class AppKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_fake_messages` is given."""

    account_id: int
    app_id: str


class FakeMessageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_fake_messages`."""

    account_id: int
    account: str
    app_id: str
    message_id: int
    carrier_ref: str | None
    country: str
    mcc: str
    mnc: str
    sender: str
    submitted_at: datetime
    sent_at: datetime | None
    final_at: datetime | None
    receipt_s: float | None
    segments: int
    carrier_cost_micro: int | None


class AppRef(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_resending_apps`."""

    account_id: int
    app_id: str


class NewOutlook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_outlooks_write` is given."""

    account_id: int
    app_id: str
    country: str
    network: str
    outlook: str


class ResentSums(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_resent`."""

    minute: int
    account_id: int
    app_id: str
    country: str
    network: str
    carrier_id: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    conversion_bucket: int
    superseded: int
    superseded_age_s: int
    superseded_receipt: int


class RepeatingApp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `learn_repeats` is given."""

    account_id: int
    app_id: str
    since: datetime


class RepeatSums(msgspec.Struct, frozen=True, gc=False):
    """A row of `learn_repeats`."""

    minute: int
    account_id: int
    app_id: str
    country: str
    network: str
    block: str
    carrier_id: int
    is_lost: bool
    bucket: int
    repeated: int


async def learn_terms(db: Executor) -> list[LearnTermsRow]:
    return await fetch_rows(db, _SQL["learn_terms"], LearnTermsRow)


async def learn_terms_set(
    db: Executor,
    *,
    account_id: int,
    app_id: str,
    worth_micro: int | None,
    quality_floor: float | None,
    explore_min: float | None,
    share_max: float | None,
    opted_out: bool | None,
) -> None:
    await execute(
        db, _SQL["learn_terms_set"], account_id, app_id, worth_micro, quality_floor, explore_min, share_max, opted_out
    )


async def learn_declared(db: Executor) -> list[DeclaredApp]:
    return await fetch_rows(db, _SQL["learn_declared"], DeclaredApp)


async def learn_shares_write(db: Executor, *, made_at: datetime, shares: Sequence[NewShares]) -> None:
    """Each change is kept as a version of its own; the shares in force are the latest. Who reads them is told."""
    await execute(db, _SQL["learn_shares_write"], made_at, *columns(shares, 9))


async def learn_shares_drop(db: Executor, *, shares: Sequence[SharesKey]) -> None:
    await execute(db, _SQL["learn_shares_drop"], *columns(shares, 5))


async def learn_shares_read(db: Executor, *, after_version: int) -> list[SharesRow]:
    return await fetch_rows(db, _SQL["learn_shares_read"], SharesRow, after_version)


async def learn_shares_of(db: Executor, *, account_id: int | None, app_id: str | None) -> list[SharesReason]:
    return await fetch_rows(db, _SQL["learn_shares_of"], SharesReason, account_id, app_id)


async def learn_shares_page(
    db: Executor, *, app_id: str | None, before_version: int | None, rows_max: int
) -> list[SharesPageRow]:
    """Those that changed last first, below a version (`before_version`); of an app (`app_id`) or all."""
    return await fetch_rows(db, _SQL["learn_shares_page"], SharesPageRow, app_id, before_version, rows_max)


async def learn_terms_named(db: Executor, *, rows_max: int) -> list[NamedLearnTerms]:
    return await fetch_rows(db, _SQL["learn_terms_named"], NamedLearnTerms, rows_max)


async def learn_choice(db: Executor, *, account_id: int, version: int) -> LearnChoiceRow | None:
    return await fetch_row_or_none(db, _SQL["learn_choice"], LearnChoiceRow, account_id, version)


async def learn_apps(db: Executor, *, first_day: int) -> list[LearnAppRow]:
    return await fetch_rows(db, _SQL["learn_apps"], LearnAppRow, first_day, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def learn_choices_forget(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["learn_choices_forget"], before)


async def learn_fakes_write(db: Executor, *, seen_at: datetime, fakes: Sequence[NewFake]) -> None:
    await execute(db, _SQL["learn_fakes_write"], seen_at, *columns(fakes, 3))


async def learn_fakes(db: Executor) -> list[FakeRow]:
    return await fetch_rows(db, _SQL["learn_fakes"], FakeRow)


async def learn_fake_messages(
    db: Executor, *, first_id: int, beyond_id: int, carrier_id: int, apps: Sequence[AppKey], rows_max: int
) -> list[FakeMessageRow]:
    """The evidence: messages that a carrier reported as delivered and that brought nobody back, of apps that report
    who comes back (a code that left twice may have brought its person back by the other message), in [`first_id`,
    `beyond_id`) by id.
    """
    return await fetch_rows(
        db,
        _SQL["learn_fake_messages"],
        FakeMessageRow,
        first_id,
        beyond_id,
        carrier_id,
        *columns(apps, 2),
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def learn_resending_apps(db: Executor) -> list[AppRef]:
    """Apps whose likely lost codes go out again."""
    return await fetch_rows(db, _SQL["learn_resending_apps"], AppRef)


async def learn_outlooks_write(db: Executor, *, made_at: datetime, outlooks: Sequence[NewOutlook]) -> None:
    await execute(db, _SQL["learn_outlooks_write"], made_at, *columns(outlooks, 5))


async def learn_outlooks_forget(db: Executor, *, before: datetime) -> None:
    await execute(db, _SQL["learn_outlooks_forget"], before)


async def learn_outlook(
    db: Executor, *, account_id: int, app_id: str, country: str, network: str, after: datetime
) -> str | None:
    return await fetch_row_or_none(db, _SQL["learn_outlook"], single(str), account_id, app_id, country, network, after)


async def learn_resent(db: Executor, *, since: datetime, minutes_from: int) -> list[ResentSums]:
    """What the learner leaves out of the stored statistics of messages since `since`, as deltas of codes that left
    more than once: what became of messages that carried them again (and of those that left after that), conversions
    that may be of either, and first messages that were superseded. By the hour of the submit, from the minute
    `minutes_from` on by minute.
    """
    return await fetch_rows(
        db, _SQL["learn_resent"], ResentSums, since, minutes_from, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def learn_repeats(
    db: Executor,
    *,
    apps: Sequence[RepeatingApp],
    until: datetime,
    lost_soon: timedelta,
    window_ids: int,
    partition_ids: int,
    candidates_max: int,
    rows_max: int,
) -> list[RepeatSums]:
    """Messages after which their number requested another of the same app within `window_ids` (a time, as ids count
    it), by the carrier of the first. The later ones are those of `apps` since their `since`, until `until`; those
    that carry a code again are requests of nobody. There is no other message to the number in twice that time, so
    that a number counts once. `is_lost`: its carrier had reported it as lost within `lost_soon`. Of a number with
    many messages the first `candidates_max` since the beginning of the partition are looked at, as for conversions.
    """
    return await fetch_rows(
        db,
        _SQL["learn_repeats"],
        RepeatSums,
        *columns(apps, 3),
        until,
        lost_soon,
        window_ids,
        partition_ids,
        candidates_max,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )
