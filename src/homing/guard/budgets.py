"""Budgets of countries: what accounts have used of them, and what a country's past suggests. Pure."""

from collections.abc import Iterable, Mapping
from math import ceil
from statistics import median
from typing import Final

import msgspec

from homing.guard.snapshot import BudgetUsage
from homing.statistics.delta import Delta

HOUR_MIN: Final = 60
DAY_MIN: Final = 1440
SUGGESTION_MESSAGES_MIN: Final = 50  # with fewer there is no suggestion
SUGGESTION_HEADROOM: Final = 1.2
RATE_MESSAGES_MIN: Final = 5  # of an hour whose conversion rate counts


class _Usage:
    """Counts of the latest hour and day."""

    __slots__ = ("day", "day_messages", "day_micro", "hour", "hour_messages", "hour_micro")

    def __init__(self, hour: int, day: int) -> None:
        self.hour, self.hour_messages, self.hour_micro = hour, 0, 0
        self.day, self.day_messages, self.day_micro = day, 0, 0

    def add(self, hour: int, day: int, messages: int, micro: int) -> None:
        if hour > self.hour:
            self.hour, self.hour_messages, self.hour_micro = hour, 0, 0
        if hour == self.hour:
            self.hour_messages += messages
            self.hour_micro += micro
        if day > self.day:
            self.day, self.day_messages, self.day_micro = day, 0, 0
        if day == self.day:
            self.day_messages += messages
            self.day_micro += micro


class UsageCounter:
    """Messages and money of each account to each country, by the hour and the day of UTC."""

    def __init__(self) -> None:
        self._usage: dict[tuple[int, str], _Usage] = {}

    def observe(self, delta: Delta) -> None:
        key = delta.account_id, delta.country
        hour, day = delta.minute // HOUR_MIN, delta.minute // DAY_MIN
        usage = self._usage.get(key)
        if usage is None:
            usage = self._usage[key] = _Usage(hour, day)
        usage.add(hour, day, delta.submitted, delta.revenue_micro)

    def trim(self, minute: int) -> None:
        """Forgets what was last used before yesterday."""
        for key, usage in list(self._usage.items()):
            if usage.day < minute // DAY_MIN - 1:
                del self._usage[key]

    def usage(self) -> Mapping[tuple[int, str], BudgetUsage]:
        """By account and country."""
        return {
            key: BudgetUsage(
                usage.hour, usage.hour_messages, usage.hour_micro, usage.day, usage.day_messages, usage.day_micro
            )
            for key, usage in self._usage.items()
        }


class TrafficHour(msgspec.Struct, frozen=True):
    """An hour's messages to a country, those of them that converted, and what they cost the customer."""

    submitted: int
    converted: int
    revenue_micro: int


class BudgetSuggestion(msgspec.Struct, frozen=True):
    """`hour_messages`: the budget; in `hours` hours with traffic it would have refused `refused` messages worth
    `refused_charge_micro`, and `people` of them are estimated to have been genuine.
    """

    hour_messages: int
    hours: int
    people: int
    refused: int
    refused_charge_micro: int


def suggest_budget(hours: Iterable[TrafficHour]) -> BudgetSuggestion | None:
    """The least budget that no hour's genuine messages would have reached, and a fifth on top; None where too little is
    known.

    An hour's genuine messages are its conversions over the conversion rate of an ordinary hour (the median of those
    with five messages or more): an attack has messages and no conversions, so that it does not raise the budget.
    """
    busy = [hour for hour in hours if hour.submitted > 0]
    rates = [hour.converted / hour.submitted for hour in busy if hour.submitted >= RATE_MESSAGES_MIN]
    rate = median(rates) if rates else 0.0
    if sum(hour.submitted for hour in busy) < SUGGESTION_MESSAGES_MIN or rate <= 0:
        return None
    genuine = [min(hour.submitted, ceil(hour.converted / rate)) for hour in busy]
    budget = max(1, ceil(max(genuine) * SUGGESTION_HEADROOM))
    refused = [max(0, hour.submitted - budget) for hour in busy]
    refused_charge_micro = sum(
        hour.revenue_micro * count // hour.submitted for hour, count in zip(busy, refused, strict=True) if count
    )
    refused_genuine = sum(max(0, count - budget) for count in genuine)
    return BudgetSuggestion(budget, len(busy), refused_genuine, sum(refused), refused_charge_micro)
