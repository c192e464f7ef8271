"""Decides on one message by the rules and the latest snapshot of the fraud model, where messages are accepted. Pure; a
clock is passed in.

Snapshots come every second or two. Messages since are counted here, so that a burst meets its limit within the second.
Each process counts its own; the next snapshot has those of all processes.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing.guard.end_users import EndUserAddress, address_name
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.rules import RULES, CountryBudget, GuardRules, RuleMode
from homing.guard.snapshot import (
    WHOLE_NETWORK,
    AddressKey,
    Allowance,
    ClosedRanges,
    GuardSnapshot,
    NetworkKey,
    NetworkLimits,
    RangeKey,
    UnseenPlaces,
    Verdict,
)
from homing.model import GuardAction
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import Destination

GUARD_COUNTED_RANGES_MAX: Final = 100_000  # that an enforcer counts between two snapshots
GUARD_COUNTED_ADDRESSES_MAX: Final = 100_000  # addresses and prefixes likewise
GUARD_REPEATS_MAX: Final = 4  # messages to one number that are not counted in a burst
GUARD_PROBE_LOST_S: Final = 30.0  # after which a probe that the model has not observed is taken for lost
GUARD_UNKNOWN_LIMITS: Final = (8, 40, 120)  # messages between two snapshots to ranges of a network without history


DENY, BUDGET, RANGE, BURST, NETWORK, FLOOD, ADDRESS = range(len(RULES))
RULE_NAMES: Final = tuple(RULES)
COUNTS_S: Final = 10.0  # for which messages stay counted where no new snapshot comes
SNAPSHOT_AGE_S_MAX: Final = 120.0  # beyond it a snapshot's own counts are disregarded
ALL_UNSEEN: Final = ""  # in place of a country: all places where hardly anybody of an app ever converted
HOUR_S: Final = 3600
DAY_S: Final = 86_400


class GuardRequest(msgspec.Struct, frozen=True, gc=False):
    """A message that the guard decides on. `charge_micro`: its price, all segments together. `end_user`: who requested
    it, where the customer tells.
    """

    account_id: int
    app_id: str
    message_id: int
    number: str
    destination: Destination
    charge_micro: int
    end_user: EndUserAddress | None = None


class GuardDecision(msgspec.Struct, frozen=True):
    """What happens to a message and why. `rule`: the rule whose mode decides; `scope`: the range, network, country or
    list entry that it applied to. Only `PASS` has no `reason`.
    """

    action: GuardAction
    rule: str = ""
    reason: Reason | None = None
    scope: str = ""


PASS: Final = GuardDecision(GuardAction.PASS)


class _BlockCounts:
    """Messages to a block of 1,000 numbers. Repeated ones to a number are not counted, a few times."""

    __slots__ = ("_repeats", "_seen", "messages")

    def __init__(self) -> None:
        self.messages = self._repeats = 0
        self._seen = 0  # a bit for each number

    def is_repeat(self, number: str) -> bool:
        bit = 1 << int(number[-LEVELS[0] :])
        if self._seen & bit and self._repeats < GUARD_REPEATS_MAX:
            self._repeats += 1
            return True
        self._seen |= bit
        return False


class _NetworkCounts:
    """Messages to a network of an app: by blocks, by the wider ranges, and in all."""

    __slots__ = ("blocks", "messages", "wide")

    def __init__(self) -> None:
        self.blocks: dict[str, _BlockCounts] = {}
        self.wide: dict[str, int] = {}
        self.messages = 0


class _AccountCounts:
    """An account's messages and money to a country that has a budget."""

    __slots__ = ("messages", "micro")

    def __init__(self) -> None:
        self.messages = self.micro = 0


class _Counts:
    """What this process accepted in a time. `blocks`: how many blocks of numbers are held in all."""

    __slots__ = ("accounts", "addresses", "blocks", "countries", "networks", "unseen")

    def __init__(self) -> None:
        self.networks: dict[NetworkKey, _NetworkCounts] = {}
        self.countries: dict[tuple[int, str, str], int] = {}
        self.accounts: dict[tuple[int, str], _AccountCounts] = {}
        self.addresses: dict[AddressKey, int] = {}
        self.unseen: dict[tuple[int, str, str], int] = {}  # by account, app and country; '': to all unseen places
        self.blocks = 0


class _NetworkView:
    """A snapshot's part about one network of an app; ranges by their first digits."""

    __slots__ = ("allowances", "limits", "verdicts")

    def __init__(self, network_limits: NetworkLimits | None) -> None:
        self.limits = network_limits
        self.verdicts: dict[str, Verdict] = {}
        self.allowances: dict[str, Allowance] = {}


class Enforcer:
    def __init__(self, policy: GuardPolicy | None = None) -> None:
        self._policy = policy or GuardPolicy()
        self._rules = GuardRules()
        self._snapshot = GuardSnapshot()
        self._views: Mapping[NetworkKey, _NetworkView] = {}
        self._unknown = NetworkLimits(GUARD_UNKNOWN_LIMITS, None, None)
        self._unknown_unreported = msgspec.structs.replace(self._unknown, may_block=False)
        self._no_view, self._no_counts = _NetworkView(None), _NetworkCounts()
        self._counts, self._earlier = _Counts(), _Counts()  # since the last snapshot, and since the one before
        self._counts_s = 0.0
        self._probed: dict[RangeKey, float] = {}  # unix time of probes that no snapshot shows yet

    def use_snapshot(self, snapshot: GuardSnapshot) -> None:
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._views = _views_of(snapshot)
            self._probed = {key: at_s for key, at_s in self._probed.items() if key in snapshot.due_probes}
            self._begin_counts()

    def use_rules(self, rules: GuardRules) -> None:
        self._rules = rules

    def _begin_counts(self) -> None:
        """What was counted before the last snapshot is in it by now."""
        self._counts, self._earlier = _Counts(), self._counts

    def decide(self, request: GuardRequest, now_s: float) -> GuardDecision:
        """Counts the message unless it is blocked."""
        rules, destination = self._rules, request.destination
        account_id, country = request.account_id, destination.country
        network = destination.mcc + destination.mnc
        entry = rules.find_entry(account_id, request.number, network, country)
        modes = rules.modes(account_id)
        if entry is not None:
            is_allowed, value = entry
            if is_allowed:
                return PASS
            if modes[DENY]:
                reason = Reason.of(ReasonCode.GUARD_DENY_LISTED, entry=value)
                return _decision(modes[DENY], DENY, reason, value)
        if now_s - self._counts_s >= COUNTS_S:
            self._counts_s = now_s
            self._begin_counts()
        decision = PASS
        budget = rules.budget(account_id, country)
        if budget is not None and modes[BUDGET]:
            decision = self._check_budget(request, budget, modes[BUDGET], now_s)
            if decision.action is GuardAction.BLOCK:
                return decision
        end_user = request.end_user
        if end_user is not None and modes[ADDRESS]:
            of_address = self._check_address(request, end_user, modes[ADDRESS], now_s)
            if of_address.action is GuardAction.BLOCK:
                return of_address
            if of_address.action > decision.action:
                decision = of_address
        of_model = self._check_model(request, (account_id, request.app_id, network), modes, now_s)
        if of_model.action > decision.action:
            decision = of_model
        if budget is not None and decision.action is not GuardAction.BLOCK:
            self._count_charge(account_id, country, request.charge_micro)
        if end_user is not None and decision.action is not GuardAction.BLOCK:
            self._count_address(request, end_user)
        return decision

    # ---- verdicts and limits of the model

    def _check_model(
        self, request: GuardRequest, key: NetworkKey, modes: tuple[RuleMode, ...], now_s: float
    ) -> GuardDecision:
        snapshot, number = self._snapshot, request.number
        view = self._views.get(key, self._no_view)
        network_limits = view.limits
        if network_limits is None:
            is_reporting = key[:2] in snapshot.reporting_apps
            network_limits = self._unknown if is_reporting else self._unknown_unreported
        block = number[: -LEVELS[0]]
        decision, is_probe = PASS, False
        if view.verdicts and modes[RANGE]:
            decision, is_probe = self._check_range(view, key, block, modes[RANGE], now_s)
            if decision.action is GuardAction.BLOCK:
                return decision
        wider, widest = block[:-1], block[:-2]
        counts, of_block = self._counts_of(key, block)
        earlier = self._earlier.networks.get(key, self._no_counts)
        if network_limits.verdict is not None and modes[NETWORK] and decision is PASS and not is_probe:
            messages = counts.messages + earlier.messages
            decision = self._check_network(network_limits, network_limits.verdict, key, messages, modes[NETWORK], now_s)
            if decision.action is GuardAction.BLOCK:
                return decision
        is_counted = not of_block.is_repeat(number)
        is_fresh = now_s - snapshot.made_s <= SNAPSHOT_AGE_S_MAX
        to_wider, to_widest = counts.wide.get(wider, 0), counts.wide.get(widest, 0)
        closed = network_limits.closed
        if closed is not None and modes[BURST] and is_fresh and decision is PASS and not is_probe:
            decision = _check_closed(closed, block, modes[BURST])
            if decision.action is GuardAction.BLOCK:
                return decision
        if modes[BURST] and is_counted and decision is PASS:
            earlier_block = earlier.blocks.get(block)
            allowances = view.allowances if is_fresh else None
            for level, digits, messages in (
                (0, block, of_block.messages + (0 if earlier_block is None else earlier_block.messages)),
                (1, wider, to_wider + earlier.wide.get(wider, 0)),
                (2, widest, to_widest + earlier.wide.get(widest, 0)),
            ):
                allowance = allowances.get(digits) if allowances else None
                limit = network_limits.ranges[level] if allowance is None else allowance.limit
                counted = messages if allowance is None else messages + allowance.counted
                if counted >= limit:
                    mode = modes[BURST] if network_limits.may_block else RuleMode.MONITOR
                    reason = Reason.of(ReasonCode.GUARD_BURST, messages=round(counted), limit=round(limit))
                    decision = _decision(mode, BURST, reason, digits)
                    if decision.action is GuardAction.BLOCK:
                        return decision
                    break
        country = request.destination.country
        if modes[FLOOD] and is_fresh and decision is PASS:
            messages = counts.messages + earlier.messages
            decision = self._check_flood(key, country, network_limits, messages, modes[FLOOD])
            if decision.action is GuardAction.BLOCK:
                return decision
        unseen = None if network_limits.is_seen else snapshot.unseen.get(key[:2])
        if unseen is not None and modes[FLOOD] and is_fresh and decision is PASS:
            decision = self._check_unseen(key, country, unseen, modes[FLOOD])
            if decision.action is GuardAction.BLOCK:
                return decision
        if is_counted:
            of_block.messages += 1
            counts.messages += 1
            counts.wide[wider] = to_wider + 1
            counts.wide[widest] = to_widest + 1
            area = key[0], key[1], country
            self._counts.countries[area] = self._counts.countries.get(area, 0) + 1
            if unseen is not None:
                for place in (area, (*key[:2], ALL_UNSEEN)):
                    self._counts.unseen[place] = self._counts.unseen.get(place, 0) + 1
        return decision

    def _check_range(
        self, view: _NetworkView, key: NetworkKey, block: str, mode: RuleMode, now_s: float
    ) -> tuple[GuardDecision, bool]:
        """By the narrowest verdict on the number's ranges; and whether the message passes as a probe of it."""
        for digits in (block, block[:-1], block[:-2]):
            verdict = view.verdicts.get(digits)
            if verdict is not None and verdict.until_s > now_s:
                mode = mode if verdict.may_block else RuleMode.MONITOR
                if mode is RuleMode.BLOCK and self._is_probe((*key, digits), now_s):
                    return PASS, True
                return _decision(mode, RANGE, verdict.reason, digits), False
        return PASS, False

    def _check_network(
        self,
        network_limits: NetworkLimits,
        verdict: Verdict,
        key: NetworkKey,
        messages: int,
        mode: RuleMode,
        now_s: float,
    ) -> GuardDecision:
        """Silence alone closes no network: some messages pass. `messages`: to the network, counted here."""
        counted = messages + (0.0 if network_limits.network is None else network_limits.network.counted)
        if verdict.until_s <= now_s or counted < self._policy.flagged_network_messages:
            return PASS
        mode = mode if network_limits.may_block else RuleMode.MONITOR
        if mode is RuleMode.BLOCK and self._is_probe((*key, WHOLE_NETWORK), now_s):
            return PASS
        return _decision(mode, NETWORK, verdict.reason, key[2])

    def _is_probe(self, key: RangeKey, now_s: float) -> bool:
        """Whether a message to a flagged range or network passes: one does, until a snapshot shows that it did. Should
        another rule have blocked it, another message passes after a while.
        """
        is_due = key in self._snapshot.due_probes
        if not is_due or now_s - self._probed.get(key, 0.0) < GUARD_PROBE_LOST_S:
            return False
        self._probed[key] = now_s
        return True

    def _counts_of(self, key: NetworkKey, block: str) -> tuple[_NetworkCounts, _BlockCounts]:
        counts = self._counts.networks.get(key)
        if counts is None:
            counts = self._counts.networks[key] = _NetworkCounts()
        of_block = counts.blocks.get(block)
        if of_block is None:
            if self._counts.blocks >= GUARD_COUNTED_RANGES_MAX:
                self._begin_counts()
                counts = self._counts.networks[key] = _NetworkCounts()
            of_block = counts.blocks[block] = _BlockCounts()
            self._counts.blocks += 1
        return counts, of_block

    def _check_flood(
        self, key: NetworkKey, country: str, network_limits: NetworkLimits, messages: int, mode: RuleMode
    ) -> GuardDecision:
        """By unverified messages to the network and the country. `messages`: to the network, counted here."""
        if network_limits.network is None:
            return PASS
        unverified = network_limits.network.counted + messages
        if unverified >= network_limits.network.limit:
            return _flood(mode, key[2], unverified, network_limits.network.limit)
        if network_limits.country is not None:
            area = key[0], key[1], country
            unverified = network_limits.country.counted + (
                self._counts.countries.get(area, 0) + self._earlier.countries.get(area, 0)
            )
            if unverified >= network_limits.country.limit:
                return _flood(mode, country, unverified, network_limits.country.limit)
        return PASS

    def _check_unseen(self, key: NetworkKey, country: str, unseen: UnseenPlaces, mode: RuleMode) -> GuardDecision:
        """By the open messages to all places where hardly anybody of the app ever converted, and to those in the
        country.
        """
        for place, counted, limit in (
            (ALL_UNSEEN, unseen.counted, unseen.limit),
            (country, unseen.countries.get(country, 0.0), unseen.country_limit),
        ):
            area = key[0], key[1], place
            messages = counted + self._counts.unseen.get(area, 0) + self._earlier.unseen.get(area, 0)
            if messages >= limit:
                reason = Reason.of(ReasonCode.GUARD_UNSEEN, messages=round(messages), limit=round(limit))
                return _decision(mode, FLOOD, reason, place or key[2])
        return PASS

    # ---- end users' addresses

    def _check_address(
        self, request: GuardRequest, end_user: EndUserAddress, mode: RuleMode, now_s: float
    ) -> GuardDecision:
        """By verdicts on the address and its prefixes, then by their unverified messages."""
        snapshot, account_id, app_id = self._snapshot, request.account_id, request.app_id
        if (account_id, app_id) not in snapshot.reporting_apps:
            mode = RuleMode.MONITOR
        is_fresh = now_s - snapshot.made_s <= SNAPSHOT_AGE_S_MAX
        for part, hashed in end_user.parts:
            key = account_id, app_id, hashed
            standing = snapshot.addresses.get(key)
            if standing is not None and standing.verdict is not None:
                if standing.verdict.until_s > now_s:
                    return _decision(mode, ADDRESS, standing.verdict.reason, address_name(hashed))
                standing = None
            counted = float(self._counts.addresses.get(key, 0) + self._earlier.addresses.get(key, 0))
            limit = self._policy.address_floor(part)
            if standing is not None and is_fresh:
                counted, limit = counted + standing.counted, standing.limit
            if counted >= limit:
                reason = Reason.of(
                    ReasonCode.GUARD_ADDRESS_BURST, part=part, messages=round(counted), limit=round(limit)
                )
                return _decision(mode, ADDRESS, reason, address_name(hashed))
        return PASS

    def _count_address(self, request: GuardRequest, end_user: EndUserAddress) -> None:
        if len(self._counts.addresses) >= GUARD_COUNTED_ADDRESSES_MAX:
            self._begin_counts()
        counts = self._counts.addresses
        for _part, hashed in end_user.parts:
            key = request.account_id, request.app_id, hashed
            counts[key] = counts.get(key, 0) + 1

    # ---- budgets

    def _check_budget(
        self, request: GuardRequest, budget: CountryBudget, mode: RuleMode, now_s: float
    ) -> GuardDecision:
        key = request.account_id, request.destination.country
        hour_messages = day_messages = 1
        hour_micro = day_micro = request.charge_micro
        usage = self._snapshot.usage.get(key)
        if usage is not None:
            if usage.hour == int(now_s // HOUR_S):
                hour_messages, hour_micro = hour_messages + usage.hour_messages, hour_micro + usage.hour_micro
            if usage.day == int(now_s // DAY_S):
                day_messages, day_micro = day_messages + usage.day_messages, day_micro + usage.day_micro
        for counts in (self._counts, self._earlier):
            own = counts.accounts.get(key)
            if own is not None:
                hour_messages, hour_micro = hour_messages + own.messages, hour_micro + own.micro
                day_messages, day_micro = day_messages + own.messages, day_micro + own.micro
        reason = _over_budget(budget, hour_messages, day_messages, hour_micro, day_micro)
        return PASS if reason is None else _decision(mode, BUDGET, reason, key[1])

    def _count_charge(self, account_id: int, country: str, charge_micro: int) -> None:
        counts = self._counts.accounts.get((account_id, country))
        if counts is None:
            counts = self._counts.accounts[account_id, country] = _AccountCounts()
        counts.messages += 1
        counts.micro += charge_micro


def _views_of(snapshot: GuardSnapshot) -> Mapping[NetworkKey, _NetworkView]:
    views = {key: _NetworkView(network_limits) for key, network_limits in snapshot.networks.items()}
    for (account_id, app_id, network, digits), verdict in snapshot.verdicts.items():
        views.setdefault((account_id, app_id, network), _NetworkView(None)).verdicts[digits] = verdict
    for (account_id, app_id, network, digits), allowance in snapshot.allowances.items():
        views.setdefault((account_id, app_id, network), _NetworkView(None)).allowances[digits] = allowance
    return views


def _over_budget(
    budget: CountryBudget, hour_messages: int, day_messages: int, hour_micro: int, day_micro: int
) -> Reason | None:
    """The first bound that is exceeded, by counts that include the message decided on."""
    if budget.hour_messages is not None and hour_messages > budget.hour_messages:
        return Reason.of(ReasonCode.GUARD_BUDGET_HOUR_MESSAGES, messages=hour_messages, limit=budget.hour_messages)
    if budget.day_messages is not None and day_messages > budget.day_messages:
        return Reason.of(ReasonCode.GUARD_BUDGET_DAY_MESSAGES, messages=day_messages, limit=budget.day_messages)
    if budget.hour_micro is not None and hour_micro > budget.hour_micro:
        return Reason.of(ReasonCode.GUARD_BUDGET_HOUR_MONEY, spent_micro=hour_micro, limit_micro=budget.hour_micro)
    if budget.day_micro is not None and day_micro > budget.day_micro:
        return Reason.of(ReasonCode.GUARD_BUDGET_DAY_MONEY, spent_micro=day_micro, limit_micro=budget.day_micro)
    return None


def _check_closed(closed: ClosedRanges, block: str, mode: RuleMode) -> GuardDecision:
    if not closed.has(block):
        return PASS
    reason = Reason.of(ReasonCode.GUARD_CLOSED, percent=round(closed.share * 100))
    return _decision(mode, BURST, reason, block)


def _flood(mode: RuleMode, scope: str, unverified: float, limit: float) -> GuardDecision:
    reason = Reason.of(ReasonCode.GUARD_FLOOD, messages=round(unverified), limit=round(limit))
    return _decision(mode, FLOOD, reason, scope)


def _decision(mode: RuleMode, rule: int, reason: Reason, scope: str) -> GuardDecision:
    action = GuardAction.BLOCK if mode is RuleMode.BLOCK else GuardAction.MONITOR
    return GuardDecision(action, RULE_NAMES[rule], reason, scope)
