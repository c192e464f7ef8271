"""The judge: one message held against the latest book and the rules, on the accept path. Pure; a clock is passed in.

Books come every second or two. What went by since is counted here, so that a burst meets its limit within the second.
Each process counts its own messages; the next book has everybody's.
"""

import enum
from typing import Final

import msgspec

from homing import limits
from homing.guard.book import CellName, RangeName, Room, Terms, VerdictBook
from homing.guard.policy import LEVELS
from homing.guard.rules import RULES, Budget, Mode, Rules
from homing.text.numbers import Destination

DENY, BUDGET, RANGE, BURST, NETWORK, FLOOD = range(len(RULES))
NAMES: Final = tuple(RULES)
TURN_S: Final = 10.0  # without a new book, what was counted is forgotten all the same
BOOK_S_MAX: Final = 120.0  # an older book's counts say nothing any more


class Action(enum.IntEnum):
    PASS = 0
    MONITOR = 1
    BLOCK = 2


class Judgement(msgspec.Struct, frozen=True):
    """What is to become of a message and why. `reason` names what was found, `figure` is what it rests on, `rule` the
    rule by whose mode it goes on or not, `scope` the range, network or country that was judged.
    """

    action: Action
    rule: str = ""
    reason: str = ""
    figure: str = ""
    scope: str = ""


PASS: Final = Judgement(Action.PASS)


class _Count:
    """Messages to a thousand numbers since a book; a person who asks again counts once, a few times."""

    __slots__ = ("count", "repeats", "seen")

    def __init__(self) -> None:
        self.count = self.repeats = self.seen = 0

    def is_repeat(self, number: str) -> bool:
        bit = 1 << int(number[-LEVELS[0] :])
        if self.seen & bit and self.repeats < limits.GUARD_REPEATS_MAX:
            self.repeats += 1
            return True
        self.seen |= bit
        return False


class _Memory:
    """What went by since a book."""

    __slots__ = ("areas", "blocks", "spent", "wide")

    def __init__(self) -> None:
        self.blocks: dict[RangeName, _Count] = {}
        self.wide: dict[RangeName, int] = {}
        self.areas: dict[tuple[int, str, str], int] = {}
        self.spent: dict[tuple[int, str], list[int]] = {}


class Judge:
    def __init__(self) -> None:
        self._unknown = Terms(limits.GUARD_UNKNOWN_LIMITS, None, None)
        self._unsure = msgspec.structs.replace(self._unknown, sure=False)
        self._rules = Rules()
        self._book = VerdictBook()
        self._now, self._before = _Memory(), _Memory()
        self._turned_s = 0.0
        self._probed: dict[RangeName, float] = {}

    def read(self, book: VerdictBook) -> None:
        """A new book. What was counted before the last one is in it by now."""
        if book is not self._book:
            self._book = book
            self._probed = {name: at_s for name, at_s in self._probed.items() if name in book.probes}
            self._turn()

    def obey(self, rules: Rules) -> None:
        self._rules = rules

    def _turn(self) -> None:
        self._now, self._before = _Memory(), self._now

    def judge(
        self,
        account_id: int,
        app_id: str,
        number: str,
        place: Destination,
        sender: str,
        price_micro: int,
        now_s: float,
    ) -> Judgement:
        """Judges a message that costs its customer `price_micro` in all. What it lets pass it counts."""
        rules = self._rules
        network = place.mcc + place.mnc
        listed = rules.listed(account_id, number, network, place.country)
        modes = rules.modes(account_id)
        if listed is not None:
            if listed[0]:
                return PASS
            if modes[DENY]:
                return _judgement(modes[DENY], DENY, "denied", f"listed as {listed[1]}", listed[1])
        if now_s - self._turned_s >= TURN_S:
            self._turned_s = now_s
            self._turn()
        found = PASS
        budget = rules.budget(account_id, place.country)
        if budget is not None and modes[BUDGET]:
            found = self._budgeted(account_id, place.country, budget, price_micro, modes[BUDGET], now_s)
            if found.action is Action.BLOCK:
                return found
        theft = self._held(account_id, app_id, number, network, place.country, modes, now_s)
        if theft.action > found.action:
            found = theft
        if found.action is not Action.BLOCK and budget is not None:
            self._spend(account_id, place.country, price_micro, now_s)
        return found

    def _held(
        self,
        account_id: int,
        app_id: str,
        number: str,
        network: str,
        country: str,
        modes: tuple[Mode, ...],
        now_s: float,
    ) -> Judgement:
        """Holds a message against verdicts and limits, and counts it unless it is blocked."""
        book, now, before = self._book, self._now, self._before
        block = number[: -LEVELS[0]]
        name0 = account_id, app_id, network, block
        name1 = account_id, app_id, network, block[:-1]
        name2 = account_id, app_id, network, block[:-2]
        found = PASS
        is_probe = False
        if book.verdicts and modes[RANGE]:
            for name in (name0, name1, name2):
                verdict = book.verdicts.get(name)
                if verdict is not None and verdict.until_s > now_s:
                    mode = modes[RANGE] if verdict.sure else Mode.MONITOR
                    if mode is Mode.BLOCK and self._is_probe(name, now_s):
                        is_probe = True
                        break
                    found = _judgement(mode, RANGE, verdict.reason, verdict.figure, name[3])
                    if found.action is Action.BLOCK:
                        return found
                    break
        terms = book.cells.get((account_id, app_id, network))
        if terms is None:
            terms = self._unknown if (account_id, app_id) in book.sure else self._unsure
        if terms.verdict is not None and terms.verdict.until_s > now_s and modes[NETWORK] and found is PASS:
            mode = modes[NETWORK] if terms.sure else Mode.MONITOR
            if mode is Mode.BLOCK and not is_probe:
                is_probe = self._is_probe((account_id, app_id, network, ""), now_s)
            if not is_probe:
                found = _judgement(mode, NETWORK, terms.verdict.reason, terms.verdict.figure, network)
                if found.action is Action.BLOCK:
                    return found
        count = now.blocks.get(name0)
        if count is None:
            if len(now.blocks) >= limits.GUARD_MEMORY_ITEMS_MAX:
                self._turn()
                now, before = self._now, self._before
            count = now.blocks[name0] = _Count()
        is_counted = not count.is_repeat(number)
        earlier = before.blocks.get(name0)
        own0 = count.count + (earlier.count if earlier is not None else 0)
        own1 = now.wide.get(name1, 0)
        own2 = now.wide.get(name2, 0)
        if modes[BURST] and found is PASS and is_counted:
            is_fresh = now_s - book.made_s <= BOOK_S_MAX
            rooms = book.rooms if is_fresh else {}
            for level, name, own in (
                (0, name0, own0),
                (1, name1, own1 + before.wide.get(name1, 0)),
                (2, name2, own2 + before.wide.get(name2, 0)),
            ):
                room = rooms.get(name)
                limit = terms.limits[level] if room is None else room.limit
                counted = own if room is None else own + room.counted
                if counted >= limit:
                    mode = modes[BURST] if terms.sure else Mode.MONITOR
                    figure = f"{counted:.0f} messages within minutes, {limit:.0f} pass unjudged"
                    found = _judgement(mode, BURST, "crowded", figure, name[3])
                    if found.action is Action.BLOCK:
                        return found
                    break
        flooded = self._flooded((account_id, app_id, network), country, terms, modes, now_s) if found is PASS else PASS
        if flooded is not PASS:
            found = flooded
            if found.action is Action.BLOCK:
                return found
        if is_counted:
            count.count += 1
            now.wide[name1] = own1 + 1
            now.wide[name2] = own2 + 1
            for area in ((account_id, app_id, network), (account_id, app_id, country)):
                now.areas[area] = now.areas.get(area, 0) + 1
        return found

    def _is_probe(self, name: RangeName, now_s: float) -> bool:
        """Whether a message to what is judged passes. One does, and the book knows of it before long; should another
        rule have stopped it, another one does.
        """
        if name not in self._book.probes or now_s - self._probed.get(name, 0.0) < limits.GUARD_PROBE_AGAIN_S:
            return False
        self._probed[name] = now_s
        return True

    def _flooded(self, cell: CellName, country: str, terms: Terms, modes: tuple[Mode, ...], now_s: float) -> Judgement:
        if not modes[FLOOD] or terms.network is None or now_s - self._book.made_s > BOOK_S_MAX:
            return PASS
        areas: tuple[tuple[str, Room | None], ...] = ((cell[2], terms.network), (country, terms.country))
        for scope, room in areas:
            if room is not None:
                name = cell[0], cell[1], scope
                counted = room.counted + self._now.areas.get(name, 0) + self._before.areas.get(name, 0)
                if counted >= room.limit:
                    figure = f"{counted:.0f} messages that nobody came back of, {room.limit:.0f} may be open"
                    return _judgement(modes[FLOOD], FLOOD, "unverified", figure, scope)
        return PASS

    def _budgeted(
        self, account_id: int, country: str, budget: Budget, price_micro: int, mode: Mode, now_s: float
    ) -> Judgement:
        hour, day = int(now_s // 3600), int(now_s // 86_400)
        hours, hour_micro, days, day_micro = 1, price_micro, 1, price_micro
        heard = self._book.spent.get((account_id, country))
        if heard is not None:
            if heard.hour == hour:
                hours, hour_micro = hours + heard.hour_messages, hour_micro + heard.hour_micro
            if heard.day == day:
                days, day_micro = days + heard.day_messages, day_micro + heard.day_micro
        for memory in (self._now, self._before):
            own = memory.spent.get((account_id, country))
            if own is not None:
                hours, hour_micro = hours + own[0], hour_micro + own[1]
                days, day_micro = days + own[0], day_micro + own[1]
        for value, most, what in (
            (hours, budget.hour_messages, "messages this hour"),
            (days, budget.day_messages, "messages today"),
            (hour_micro, budget.hour_micro, "micro-units this hour"),
            (day_micro, budget.day_micro, "micro-units today"),
        ):
            if most is not None and value > most:
                return _judgement(mode, BUDGET, "over budget", f"{value} {what}, {most} are allowed", country)
        return PASS

    def _spend(self, account_id: int, country: str, price_micro: int, now_s: float) -> None:
        own = self._now.spent.setdefault((account_id, country), [0, 0])
        own[0] += 1
        own[1] += price_micro


def _judgement(mode: Mode, rule: int, reason: str, figure: str, scope: str) -> Judgement:
    action = Action.BLOCK if mode is Mode.BLOCK else Action.MONITOR
    return Judgement(action, NAMES[rule], reason, figure, scope)
