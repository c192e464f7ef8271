"""The time format of SMPP (3.4, section 7.1): "YYMMDDhhmmsstnn" and a sign, absolute or relative.

Absolute times end in `+` or `-` and count tenths of a second and quarters of an hour from UTC; relative ones end
in `R` and are a span from the message centre's now. A receipt's text has dates of its own, which are not these.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_FORMAT: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([+\-R])", re.ASCII)

_YEAR_PIVOT: Final = 38
"""Section 7.1.1: years 00 to 37 are 20yy and those from 38 are 19yy."""

QUARTERS_MAX: Final = 48

DAYS_OF_MONTH: Final = 30
DAYS_OF_YEAR: Final = 365
"""How long the months and years of a relative time are, which the specification leaves open."""

RELATIVE_MAX: Final = timedelta(days=99 * DAYS_OF_YEAR)


def parse(text: str) -> datetime | timedelta | None:
    """The time in UTC, or the span, that `text` says; None for the empty one ("at once", "the default").

    Raises ValueError for anything else.
    """
    if not text:
        return None
    matched = _FORMAT.fullmatch(text)
    if matched is None:
        raise ValueError(f"not a time of SMPP: {text!r}")
    years, months, days, hours, minutes, seconds, tenths, quarters = map(int, matched.groups()[:8])
    if matched[9] == "R":
        return timedelta(
            days=years * DAYS_OF_YEAR + months * DAYS_OF_MONTH + days, hours=hours, minutes=minutes, seconds=seconds
        )
    if quarters > QUARTERS_MAX:
        raise ValueError(f"not a time of SMPP: {text!r} is {quarters} quarters of an hour from UTC")
    offset = timedelta(minutes=15 * quarters)
    zone = timezone(offset if matched[9] == "+" else -offset)
    century = 1900 if years >= _YEAR_PIVOT else 2000
    try:
        there = datetime(century + years, months, days, hours, minutes, seconds, tenths * 100_000, zone)
        return there.astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"not a time of SMPP: {text!r}: {fault}") from None


def absolute(moment: datetime) -> str:
    """The moment as an absolute time in UTC, tenths of a second cut. Raises ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("an absolute time needs a time zone")
    moment = moment.astimezone(UTC)
    century = 1900 if moment.year < 2000 else 2000
    years = moment.year - century
    if not 0 <= years <= 99 or (years >= _YEAR_PIVOT) != (century == 1900):
        raise ValueError(f"SMPP has no year {moment.year}")
    return f"{moment:%y%m%d%H%M%S}{moment.microsecond // 100_000}00+"


def relative(span: timedelta) -> str:
    """The span as a relative time, fractions of a second cut. Raises ValueError below 0 or beyond 99 years.

    Days are carried into years and months of 365 and 30 days, as `parse` reads them: some message centres read a
    month as a calendar's, so whoever needs more than 30 days exactly sends an absolute time.
    """
    if not timedelta(0) <= span <= RELATIVE_MAX:
        raise ValueError(f"SMPP cannot say {span}")
    years, days = divmod(span.days, DAYS_OF_YEAR)
    # Eleven months at most, so that the last days of a year stay days where they fit two digits.
    months = min(days // DAYS_OF_MONTH, 11)
    days -= months * DAYS_OF_MONTH
    hours, left = divmod(span.seconds, 3600)
    minutes, seconds = divmod(left, 60)
    return f"{years:02}{months:02}{days:02}{hours:02}{minutes:02}{seconds:02}000R"
