"""Numbers, money and times as the viewer reads them: by language and zone."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import dates, numbers

from homing.common.money import MICRO
from homing.common.urls import without_password
from homing.console.languages import Language
from homing.model import CURRENCY
from homing.statistics.report import RateWithInterval
from homing.text.numbers import dashed

ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", re.ASCII)


def zone_named(name: str | None) -> ZoneInfo:
    """The zone of a cookie; UTC where it names none."""
    if name and ZONE.fullmatch(name):
        with contextlib.suppress(KeyError, ValueError, OSError):  # no such zone; a folder of zones
            return ZoneInfo(name)
    return ZoneInfo("UTC")


class Formats:
    """What a viewer's templates format with. None is shown as a dash."""

    absent = "–"

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self._locale = language.locale
        self.zone = zone
        self._now = now

    def address(self, url: str) -> str:
        """Without its password, which is a secret of whoever receives there."""
        return without_password(url)

    def network(self, digits: str) -> str:
        return dashed(digits)

    def number(self, value: float | None) -> str:
        return self.absent if value is None else numbers.format_decimal(value, locale=self._locale)

    def short(self, value: float | None) -> str:
        """`12.3K`, where there is little room."""
        if value is None:
            return self.absent
        if abs(value) < 10_000:
            return self.number(value)
        return numbers.format_compact_decimal(value, locale=self._locale, fraction_digits=1)

    def money(self, micro: int | None, decimals: int = 2) -> str:
        """Of micro-units, in the ledger's currency."""
        if micro is None:
            return self.absent
        amount = Decimal(micro) / MICRO
        pattern = "¤#,##0." + "0" * decimals if decimals else "¤#,##0"
        return numbers.format_currency(amount, CURRENCY, pattern, locale=self._locale, currency_digits=False)

    def exact(self, micro: int | None) -> str:
        """Every decimal that there is, at least two."""
        if micro is None:
            return self.absent
        return numbers.format_currency(
            Decimal(micro) / MICRO, CURRENCY, "¤#,##0.00####", locale=self._locale, currency_digits=False
        )

    def percent(self, share: float | RateWithInterval | None) -> str:
        if share is None:
            return self.absent
        value = share.mean if isinstance(share, RateWithInterval) else share
        return numbers.format_percent(value, "0.0%" if 0.0005 <= value < 0.9995 else "0%", locale=self._locale)

    def interval(self, rate: RateWithInterval | None) -> str:
        """Where the true share lies in 95 of 100 cases."""
        return self.absent if rate is None else f"{self.percent(rate.low)} – {self.percent(rate.high)}"

    def time(self, at: datetime | None) -> str:
        """Date and time to the second, in the viewer's zone."""
        return f"{self._date(at, 'yMMMd')} {at.astimezone(self.zone):%H:%M:%S}" if at else self.absent

    def clock(self, at: datetime | None, with_seconds: bool = False) -> str:
        if at is None:
            return self.absent
        return f"{at.astimezone(self.zone):{'%H:%M:%S' if with_seconds else '%H:%M'}}"

    def day(self, at: datetime | None) -> str:
        return self._date(at, "MMMd") if at else self.absent

    def iso(self, at: datetime) -> str:
        """For machines: <time datetime>."""
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ago(self, at: datetime | None) -> str:
        """How long ago or ahead, in the unit that tells most."""
        if at is None:
            return self.absent
        return dates.format_timedelta(at - self._now, add_direction=True, threshold=1.2, locale=self._locale)

    def span(self, seconds: float | None) -> str:
        """How long something took."""
        if seconds is None:
            return self.absent
        if seconds < 10:
            return dates.format_timedelta(timedelta(seconds=1), format="short", locale=self._locale).replace(
                "1", numbers.format_decimal(round(seconds, 1), locale=self._locale), 1
            )
        return dates.format_timedelta(timedelta(seconds=seconds), threshold=1.2, format="short", locale=self._locale)

    def country(self, code: str) -> str:
        """A country's name by its two letters."""
        return (self._locale.territories.get(code) if code else None) or code or self.absent

    def _date(self, at: datetime, skeleton: str) -> str:
        return dates.format_skeleton(skeleton, at, tzinfo=self.zone, locale=self._locale)
