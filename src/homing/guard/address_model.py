"""Evidence of SMS pumping by end users' addresses: many numbers from one address or prefix, and no conversions. Pure.

Beside the ranges (guard/model.py): an attack on thousands of ranges leaves a message or two in each, and all of them in
the few addresses that it comes from. Conversions speak against it: an office, or a carrier's NAT with thousands of
people behind it, has them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.guard.conversions import GUARD_WEIGHT_MINUTES, ConversionRatios
from homing.guard.end_users import AddressPart, EndUserAddress
from homing.guard.likelihood import silence_nats
from homing.guard.policy import GuardPolicy
from homing.guard.scoring import odds_of
from homing.guard.snapshot import AddressKey, AddressStanding, Verdict
from homing.guard.state import AppState
from homing.reasons import Reason, ReasonCode

GUARD_ADDRESSES_MAX: Final = 50_000  # addresses and prefixes; beyond it the longest idle are dropped
GUARD_ADDRESS_NUMBERS_MAX: Final = 64  # of an address, that a repeated message is told by
ADDRESS_WINDOW_MIN: Final = 60  # minutes of messages that count
ADDRESS_SHORT_MIN: Final = 10  # of those that may be unverified
VOTES_MAX: Final = 2.0  # of a prefix's messages in ten minutes, on how many of the app's conversions come
HALF_HOUR_MIN: Final = 30
DAY_MIN: Final = 1440
RateOf = Callable[[int, str, str], float]
"""The genuine conversion rate of an account's app in a network, 0..1; 0: not known yet."""
AppOf = Callable[[int, str], AppState]


class AddressDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A message from an end user's address, or (`is_conversion`) its conversion. `number`: a hash. `minute`: the unix
    minute of the submit.
    """

    account_id: int
    app_id: str
    network: str
    minute: int
    end_user: EndUserAddress
    number: int
    is_conversion: bool = False


class _Minute:
    __slots__ = ("conversions", "messages")

    def __init__(self) -> None:
        self.messages = self.conversions = 0.0


class _AddressState:
    """An address or prefix as one app's messages come from it."""

    __slots__ = (
        "active_minute",
        "busiest_hour",
        "conversions_total",
        "hour",
        "hour_conversions",
        "minutes",
        "networks",
        "numbers",
        "part",
        "released_s",
        "times_flagged",
        "wider",
    )

    def __init__(self, part: AddressPart, wider: tuple[AddressKey, ...]) -> None:
        self.part = part
        self.wider = wider  # the prefixes that contain it
        self.minutes: dict[int, _Minute] = {}
        self.numbers: dict[int, None] = {}  # the latest
        self.networks: dict[str, float] = {}  # messages
        self.conversions_total = 0.0
        self.hour = 0
        self.hour_conversions = self.busiest_hour = 0.0
        self.active_minute = 0  # the latest
        self.times_flagged = 0
        self.released_s = 0.0  # when its last verdict ended: evidence begins anew

    def is_repeat(self, number: int) -> bool:
        """Whether the number had one of the latest messages: a person who requests a code again."""
        if number in self.numbers:
            return True
        self.numbers[number] = None
        if len(self.numbers) > GUARD_ADDRESS_NUMBERS_MAX:
            del self.numbers[next(iter(self.numbers))]
        return False

    def convert(self, minute: int) -> None:
        self.conversions_total += 1.0
        if minute // 60 != self.hour:
            self.busiest_hour = max(self.busiest_hour * 0.99, self.hour_conversions)
            self.hour, self.hour_conversions = minute // 60, 0.0
        self.hour_conversions += 1.0

    def since(self, first: int) -> tuple[float, float]:
        """(messages, conversions) of the minutes from `first` on."""
        minutes = [each for minute, each in self.minutes.items() if minute >= first]
        return sum([each.messages for each in minutes]), sum([each.conversions for each in minutes])


class AddressModel:
    """Verdicts on addresses and prefixes, and how many unverified messages each of the busy ones may have."""

    def __init__(
        self, *, policy: GuardPolicy, app_of: AppOf, rate_of: RateOf, needed_nats: Callable[[int], float]
    ) -> None:
        """`needed_nats`: the log odds from which an account's addresses are flagged."""
        self._policy = policy
        self._app_of = app_of
        self._rate_of = rate_of
        self._needed_nats = needed_nats
        self._states: dict[AddressKey, _AddressState] = {}  # the latest observed last
        self._ratios: dict[tuple[int, str], ConversionRatios] = {}
        self._observed: set[AddressKey] = set()
        self._verdicts: dict[AddressKey, Verdict] = {}
        self._lifted: dict[AddressKey, float] = {}  # when an operator lifted a verdict, within the window
        self._minute = 0
        self.standings: Mapping[AddressKey, AddressStanding] = {}

    @property
    def size(self) -> int:
        """Addresses and prefixes in memory."""
        return len(self._states)

    def observe(self, deltas: Sequence[AddressDelta]) -> None:
        for delta in deltas:
            self._observe(delta)

    def _observe(self, delta: AddressDelta) -> None:
        account_id, app_id = delta.account_id, delta.app_id
        parts = delta.end_user.parts
        keys = [(account_id, app_id, hashed) for _part, hashed in parts]
        is_counted = True
        for place, (part, _hashed) in enumerate(parts):
            key = keys[place]
            state = self._states.pop(key, None)
            if state is None:
                state = _AddressState(part, tuple(keys[place + 1 :]))
                state.released_s = self._lifted.get(key, 0.0)
            self._states[key] = state
            state.active_minute = max(state.active_minute, delta.minute)
            if delta.is_conversion:
                state.convert(delta.minute)
            elif place == 0:
                is_counted = not state.is_repeat(delta.number)
            if delta.minute * 60.0 + 60.0 <= state.released_s:
                break  # of before its last verdict: not counted in what contains it either
            minute = state.minutes.get(delta.minute)
            if minute is None:
                minute = state.minutes[delta.minute] = _Minute()
            if delta.is_conversion:
                minute.conversions += 1.0
            elif is_counted:
                minute.messages += 1.0
                state.networks[delta.network] = state.networks.get(delta.network, 0.0) + 1.0
            self._observed.add(key)
            if place == 1:
                self._vote(delta, state, is_counted)
            if key in self._verdicts:
                break  # what is flagged is not counted in anything wider
        while len(self._states) > GUARD_ADDRESSES_MAX:
            oldest = next(iter(self._states))
            if oldest in self._verdicts and len(self._verdicts) < GUARD_ADDRESSES_MAX // 2:
                self._states[oldest] = self._states.pop(oldest)  # forged addresses are not to end a verdict
            else:
                self._drop(oldest)

    def _vote(self, delta: AddressDelta, prefix: _AddressState, is_counted: bool) -> None:
        """On the share of conversions that come at all. A prefix has two votes in ten minutes, so that an attack from
        few has few, over however many ranges it is spread.
        """
        messages, _conversions = prefix.since(delta.minute - ADDRESS_SHORT_MIN)
        ratios = self._ratios.get((delta.account_id, delta.app_id))
        if ratios is None:
            ratios = self._ratios[delta.account_id, delta.app_id] = ConversionRatios()
        rate = self._rate_of(delta.account_id, delta.app_id, delta.network)
        if delta.is_conversion:
            ratios.add(delta.minute, 0.0, min(1.0, VOTES_MAX / max(1.0, messages)), rate)
        elif is_counted and messages <= VOTES_MAX:
            ratios.add(delta.minute, 1.0, 0.0, rate)

    def update(self, now_s: float) -> None:
        """Scores what was observed, each minute all that has messages, and makes the standings."""
        minute = int(now_s // 60)
        keys, self._observed = self._observed, set()
        if minute != self._minute:
            self._minute = minute
            self._trim(minute)
            for (account_id, app_id), ratios in self._ratios.items():
                ratios.update(minute, self._app_of(account_id, app_id).delays)
            keys = set(self._states)
        for key in [key for key, verdict in self._verdicts.items() if verdict.until_s <= now_s]:
            self._release(key, now_s)
        weights: dict[tuple[int, str, bool], Sequence[float]] = {}
        # The narrow ones first: a flagged address is taken out of its prefixes.
        present = [key for key in keys if key in self._states]
        for key in sorted(present, key=lambda key: (-len(self._states[key].wider), key)):
            self._score(key, self._states[key], now_s, weights)
        standings: dict[AddressKey, AddressStanding] = {}
        for key in {*present, *self.standings}:
            state = self._states.get(key)
            if state is not None and key not in self._verdicts:
                standing = self._allowance(state, minute)
                if standing.counted * 2 >= self._policy.address_floor(state.part):
                    standings[key] = standing
        self.standings = standings | {
            key: AddressStanding(verdict, 0.0, 0.0) for key, verdict in self._verdicts.items()
        }

    def _allowance(self, state: _AddressState, minute: int) -> AddressStanding:
        policy = self._policy
        messages, conversions = state.since(minute - ADDRESS_SHORT_MIN)
        _messages, half_hour = state.since(minute - HALF_HOUR_MIN)
        usual = half_hour + max(state.busiest_hour, state.hour_conversions)
        limit = policy.address_floor(state.part) + policy.unverified_factor * usual
        return AddressStanding(None, max(0.0, messages - conversions), limit)

    # ---- verdicts

    def _score(
        self,
        key: AddressKey,
        state: _AddressState,
        now_s: float,
        weights_of: dict[tuple[int, str, bool], Sequence[float]],
    ) -> None:
        policy, minute = self._policy, int(now_s // 60)
        account_id, app_id, _hashed = key
        app = self._app_of(account_id, app_id)
        messages, conversions = state.since(minute - ADDRESS_WINDOW_MIN)
        if not app.reports_conversions or messages < policy.address_messages_min:
            return
        rate = self._rate(account_id, app_id, state)
        is_proven = state.conversions_total >= policy.proven_conversions
        weights = weights_of.get((account_id, app_id, is_proven))
        if weights is None:
            weights = weights_of[account_id, app_id, is_proven] = self._weights(account_id, app_id, app, is_proven)
        exposure = sum(
            [
                each.messages * weights[min(GUARD_WEIGHT_MINUTES - 1, max(0, minute - first))]
                for first, each in state.minutes.items()
                if first >= minute - ADDRESS_WINDOW_MIN
            ]
        )
        prior = policy.prior_nats + policy.repeat_nats * min(2, state.times_flagged)
        silence = silence_nats(
            exposure, conversions, rate, policy.conversion_prior_strength, policy.attack_conversion_ratios
        )
        nats = min(policy.prior_nats_max, prior) + silence
        if key in self._verdicts:
            if nats < policy.clear_nats:  # late conversions, or those of messages that were only monitored
                state.times_flagged -= 1
                del self._verdicts[key]
        elif nats >= self._needed_nats(account_id):
            reason = Reason.of(
                ReasonCode.GUARD_ADDRESS_UNCONVERTED,
                part=state.part,
                messages=round(messages),
                conversions=round(conversions),
                expected=round(exposure * rate, 1),
                odds=odds_of(nats),
            )
            self._flag(key, state, reason, now_s)

    def _weights(self, account_id: int, app_id: str, app: AppState, is_proven: bool) -> Sequence[float]:
        """How much a message's silence counts, by its age in minutes. Where conversions fail to come from all
        addresses alike it counts less; from a proven one also where they fail in all ranges alike, since it may be the
        only address that an app names.
        """
        minute, share_by = self._minute, app.delays.share_by
        ratios = self._ratios.get((account_id, app_id))
        weights = [
            share_by(age) * (ratios.ratio(minute - age) if ratios else 1.0) for age in range(GUARD_WEIGHT_MINUTES)
        ]
        if is_proven:
            ratio = app.ratios.ratio
            weights = [min(weight, share_by(age) * ratio(minute - age)) for age, weight in enumerate(weights)]
        return weights

    def _rate(self, account_id: int, app_id: str, state: _AddressState) -> float:
        rates = [(count, self._rate_of(account_id, app_id, network)) for network, count in state.networks.items()]
        known = [(count, rate) for count, rate in rates if rate > 0]
        total = sum([count for count, _rate in known])
        return sum([count * rate for count, rate in known]) / total if total else 0.0

    def _flag(self, key: AddressKey, state: _AddressState, reason: Reason, now_s: float) -> None:
        policy = self._policy
        length_s = min(policy.verdict_s_max, policy.address_verdict_s * 2**state.times_flagged)
        state.times_flagged += 1
        self._verdicts[key] = Verdict(reason, now_s, now_s + length_s)
        for wider in state.wider:
            container = self._states.get(wider)
            if container is not None:
                for minute, own in state.minutes.items():
                    cohort = container.minutes.get(minute)
                    if cohort is not None:
                        cohort.messages = max(0.0, cohort.messages - own.messages)
                        cohort.conversions = max(0.0, cohort.conversions - own.conversions)

    def _release(self, key: AddressKey, now_s: float) -> None:
        """Ends a verdict; what comes from now on is scored anew."""
        del self._verdicts[key]
        state = self._states.get(key)
        if state is not None:
            state.minutes.clear()
            state.networks.clear()
            state.released_s = now_s

    def lift(self, key: AddressKey, lifted_s: float) -> None:
        """An operator's decision that an address or prefix is genuine: the evidence so far is dropped. The same lift
        may come again, and before what it drops is observed.
        """
        if lifted_s <= self._lifted.get(key, 0.0):
            return
        self._lifted[key] = lifted_s
        verdict, state = self._verdicts.get(key), self._states.get(key)
        if verdict is not None and verdict.since_s <= lifted_s:
            self._release(key, lifted_s)
        if state is not None:
            state.minutes = {minute: each for minute, each in state.minutes.items() if minute * 60.0 + 60.0 > lifted_s}
            state.released_s = max(state.released_s, lifted_s)
            state.times_flagged = 0
            self._observed.add(key)

    # ---- bounds

    def _trim(self, minute: int) -> None:
        """Forgets the minutes beyond the window; a day later, that an address converted or was flagged."""
        oldest = minute - ADDRESS_WINDOW_MIN
        self._lifted = {key: at_s for key, at_s in self._lifted.items() if at_s >= oldest * 60.0}
        for key, state in list(self._states.items()):
            for old in [each for each in state.minutes if each < oldest]:
                del state.minutes[old]
            is_known = state.times_flagged or state.conversions_total
            if (
                not state.minutes
                and key not in self._verdicts
                and not (is_known and state.active_minute >= minute - DAY_MIN)
            ):
                self._drop(key)

    def _drop(self, key: AddressKey) -> None:
        self._states.pop(key, None)
        self._verdicts.pop(key, None)
