"""What the guard would have made of an account's past messages at each strictness: the real model and enforcer over the
stored traffic, on its own clock. Pure.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.common import histogram, ids
from homing.common.poisson import poisson_interval
from homing.guard.enforcement import Enforcer, GuardRequest
from homing.guard.model import FraudModel, ModelPace
from homing.guard.risk import NO_RISKS, DestinationRisks
from homing.guard.rules import RULES, GuardRules, ListEntry, RuleMode
from homing.guard.strictness import Strictness, StrictnessSettings
from homing.learning.learner import RoutingLearner
from homing.model import GENERAL, GuardAction
from homing.statistics.delta import Delta, block_of, minute_of
from homing.statistics.due_deltas import DueDeltas
from homing.text.numbers import Destination

UPDATE_S: Final = 60.0
"""Past time between two updates of the models; those of service, every 2 s, would take too long. The enforcers count
what comes in between, as they do in service.
"""
PACE: Final = ModelPace(networks_s=60.0, ratios_s=120.0, wide_s=300.0)
UPDATE_MESSAGES: Final = 50  # after which a burst has its update sooner
UPDATE_S_MIN: Final = 2.0
LEARN_S: Final = 600.0
"""Between two updates of the learner, whose conversion rates move slowly."""
MODEL_RULES: Final = ("range", "burst", "network", "flood")
"""The rules that strictness concerns. Not `address`: end users' addresses are kept for a day alone."""


class PastMessage(msgspec.Struct, frozen=True, gc=False):
    """A message that was requested. `credited_s`: unix time of its conversion; None: none. `was_refused`: by the guard
    of then, so that it was never sent and nobody could convert.
    """

    account_id: int
    message_id: int
    app_id: str
    number: str
    country: str
    mcc: str
    mnc: str
    carrier_id: int
    charge_micro: int
    credited_s: float | None
    is_resent: bool
    was_refused: bool


class Between(msgspec.Struct, frozen=True):
    """An estimate with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """Of one account and strictness: `messages` requested since `since_s`, worth `charge_micro`; of these `refused`,
    worth `refused_micro`. `people`: how many of the refused were probably people, with the bounds of its 95 % interval;
    None where nothing tells people from an attack.
    """

    strictness: Strictness
    since_s: float
    until_s: float
    messages: int
    charge_micro: int
    refused: int
    refused_micro: int
    people: float | None
    people_low: float | None
    people_high: float | None


class Backtest:
    """An account's messages in the order of their times, through a guard of each strictness.

    A message that a guard refuses is not observed by its model, as in service. Deny lists and budgets refuse nothing
    here: strictness does not concern them. What is on an allow list passes.
    """

    def __init__(
        self, *, count_from_s: float, allowed: Iterable[ListEntry] = (), risks: DestinationRisks = NO_RISKS
    ) -> None:
        """`count_from_s`: messages before this unix time are observed and not counted."""
        rules = GuardRules(
            {(GENERAL, rule): RuleMode.BLOCK if rule in MODEL_RULES else RuleMode.OFF for rule in RULES},
            [entry for entry in allowed if entry.is_allowed],
        )
        self._count_from_s = count_from_s
        self._learner = RoutingLearner()
        self._variants = [_Variant(strictness, rules, risks) for strictness in Strictness]
        self._standard = next(each for each in self._variants if each.strictness is Strictness.STANDARD)
        self._signs = _PersonSigns()
        self._updated_s = self._learnt_s = 0.0
        self._since_update = 0
        self._messages = self._charge_micro = 0
        self._first_s = self._last_s = 0.0

    def observe(self, messages: Iterable[PastMessage]) -> None:
        """The next ones; none may be older than those before."""
        for message in messages:
            self._observe(message)

    def _observe(self, message: PastMessage) -> None:
        at_s = ids.id_time_ms(message.message_id) / 1000
        self._since_update += 1
        passed_s = at_s - self._updated_s
        if passed_s >= UPDATE_S or (passed_s >= UPDATE_S_MIN and self._since_update >= UPDATE_MESSAGES):
            self._update(at_s)
        is_counted = at_s >= self._count_from_s
        self._signs.observe(message, at_s)
        if is_counted:
            self._first_s = self._first_s or at_s
            self._messages += 1
            self._charge_micro += message.charge_micro
        self._last_s = at_s
        request = GuardRequest(
            account_id=message.account_id,
            app_id=message.app_id,
            message_id=message.message_id,
            number=message.number,
            destination=Destination(country=message.country, mcc=message.mcc, mnc=message.mnc),
            charge_micro=message.charge_micro,
        )
        refusals = [variant.decide(request, message, at_s, is_counted) for variant in self._variants]
        if is_counted and not any(refusals):
            self._signs.add_unsuspected(message)

    def _update(self, now_s: float) -> None:
        self._updated_s, self._since_update = now_s, 0
        for variant in self._variants:
            deltas = variant.due.take(now_s)
            if variant is self._standard:
                self._learner.observe(variant.model.snapshot.without_fraud(deltas))
            variant.model.observe(deltas)
        if now_s - self._learnt_s >= LEARN_S:
            self._learnt_s = now_s
            self._learner.update(now_s)
        for variant in self._variants:
            variant.update(now_s, self._learner)

    def results(self) -> Sequence[BacktestResult]:
        """From the most lenient on."""
        return [self._result(variant) for variant in self._variants]

    def _result(self, variant: "_Variant") -> BacktestResult:
        people = self._signs.people_of(variant.refused)
        return BacktestResult(
            strictness=variant.strictness,
            since_s=max(self._count_from_s, self._first_s),
            until_s=self._last_s,
            messages=self._messages,
            charge_micro=self._charge_micro,
            refused=len(variant.refused),
            refused_micro=sum(message.charge_micro for message in variant.refused),
            people=None if people is None else people.value,
            people_low=None if people is None else people.low,
            people_high=None if people is None else people.high,
        )


class _Variant:
    """A guard of one strictness, and what becomes known to it."""

    def __init__(self, strictness: Strictness, rules: GuardRules, risks: DestinationRisks) -> None:
        self.strictness = strictness
        self.model = FraudModel(pace=PACE)
        self.model.set_strictness(StrictnessSettings({GENERAL: strictness}))
        self.model.set_risks(risks)
        self.refused: list[PastMessage] = []
        self._enforcer = Enforcer()
        self._enforcer.use_rules(rules)
        self.due = DueDeltas()

    def decide(self, request: GuardRequest, message: PastMessage, at_s: float, is_counted: bool) -> bool:
        """Whether it refuses the message."""
        if self._enforcer.decide(request, at_s).action is GuardAction.BLOCK:
            if is_counted:
                self.refused.append(message)
            return True
        cohort = (
            minute_of(message.message_id),
            message.account_id,
            message.app_id,
            message.country,
            message.mcc + message.mnc,
            block_of(message.number),
            message.carrier_id,
            "",
        )
        is_resent, revenue_micro = message.is_resent, message.charge_micro
        self.due.add(at_s, Delta(*cohort, submitted=1, sent=1, revenue_micro=revenue_micro, resent=is_resent))
        if message.credited_s is not None:
            bucket = histogram.bucket_of(message.credited_s - at_s)
            self.due.add(message.credited_s, Delta(*cohort, converted=1, conversion_bucket=bucket, resent=is_resent))
        return False

    def update(self, now_s: float, learner: RoutingLearner) -> None:
        self.model.update(now_s, learner.expected_rate, learner.reporting)
        self._enforcer.use_snapshot(self.model.snapshot)


class _PersonSigns:
    """Signs that a message was a person's: it converted, or its number had a message on another day as well. Of people
    only a share shows one; that of the messages which no strictness suspects tells how many the others stand for.
    """

    def __init__(self) -> None:
        self._days: dict[str, int] = {}  # of a number's first message
        self._returning: set[str] = set()
        self._unsuspected: list[PastMessage] = []

    def observe(self, message: PastMessage, at_s: float) -> None:
        day = datetime.fromtimestamp(at_s, UTC).toordinal()
        if self._days.setdefault(message.number, day) != day:
            self._returning.add(message.number)

    def add_unsuspected(self, message: PastMessage) -> None:
        self._unsuspected.append(message)

    def people_of(self, refused: Sequence[PastMessage]) -> Between | None:
        """How many of them were people; None: nothing tells."""
        if not refused:
            return Between(0.0, 0.0, 0.0)
        known = [message for message in refused if not message.was_refused]
        base = [message for message in self._unsuspected if not message.was_refused]
        shown_share = sum(map(self._shows, base)) / len(base) if base else 0.0
        if not known or shown_share <= 0.0:
            return None
        shown = sum(map(self._shows, known))
        low, high = poisson_interval(shown)
        factor = len(refused) / len(known) / shown_share
        count = float(len(refused))
        return Between(*[min(count, each * factor) for each in (shown, low, high)])

    def _shows(self, message: PastMessage) -> bool:
        return message.credited_s is not None or message.number in self._returning
