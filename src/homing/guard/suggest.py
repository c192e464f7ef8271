"""Budgets that a country's own past would have kept within. Pure."""

from collections.abc import Iterable
from math import ceil
from statistics import median

import msgspec


class Hour(msgspec.Struct, frozen=True):
    """What was sent to a country in an hour, what of it converted, and what it cost its customer."""

    submitted: int
    converted: int
    revenue_micro: int


class Suggestion(msgspec.Struct, frozen=True):
    """`hour_messages`: the budget; it would have refused `refused` messages worth `refused_micro` in `hours` hours with
    traffic, and `people` of them are thought to have been people.
    """

    hour_messages: int
    hours: int
    people: int
    refused: int
    refused_micro: int


MESSAGES_MIN = 50
ROOM = 1.2


def suggest(hours: Iterable[Hour]) -> Suggestion | None:
    """The least budget that no hour's people would have met, and a fifth on top. None where too little is known.

    An hour's people are its conversions over the rate of an ordinary hour (the median of those with five messages or
    more): theft has messages and no conversions, so that it does not raise the budget.
    """
    known = [hour for hour in hours if hour.submitted > 0]
    rates = [hour.converted / hour.submitted for hour in known if hour.submitted >= 5]
    usual = median(rates) if rates else 0.0
    if sum(hour.submitted for hour in known) < MESSAGES_MIN or usual <= 0:
        return None
    people = [min(hour.submitted, ceil(hour.converted / usual)) for hour in known]
    budget = max(1, ceil(max(people) * ROOM))
    over = [max(0, hour.submitted - budget) for hour in known]
    refused_micro = sum(
        hour.revenue_micro * more // hour.submitted for hour, more in zip(known, over, strict=True) if more
    )
    met = sum(max(0, someone - budget) for someone in people)
    return Suggestion(budget, len(known), met, sum(over), refused_micro)
