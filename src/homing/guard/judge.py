"""The judge: one message held against the latest book and the rules, on the accept path. Pure; a clock is passed in.

Books come every second or two. What went by since is counted here, so that a burst meets its limit within the second.
Each process counts its own messages; the next book has everybody's.
"""

from typing import Final

import msgspec

from homing import limits
from homing.guard.book import CellName, RangeName, Room, Terms, Verdict, VerdictBook
from homing.guard.policy import LEVELS
from homing.guard.rules import RULES, Budget, Mode, Rules
from homing.model import GuardAction
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import Destination

DENY, BUDGET, RANGE, BURST, NETWORK, FLOOD = range(len(RULES))
NAMES: Final = tuple(RULES)
TURN_S: Final = 10.0  # without a new book, what was counted is forgotten all the same
BOOK_S_MAX: Final = 120.0  # an older book's counts say nothing any more


class Judgement(msgspec.Struct, frozen=True):
    """What is to become of a message and why: `rule` is the rule by whose mode it goes on or not, `scope` the range,
    network or country that was judged. Only of a message that passes there is no `reason`.
    """

    action: GuardAction
    rule: str = ""
    reason: Reason | None = None
    scope: str = ""


PASS: Final = Judgement(GuardAction.PASS)


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


class _Passed:
    """What went by to one network of an app since a book: by thousands of numbers, by wider ranges, and in all."""

    __slots__ = ("blocks", "count", "wide")

    def __init__(self) -> None:
        self.blocks: dict[str, _Count] = {}
        self.wide: dict[str, int] = {}
        self.count = 0


class _Memory:
    """What went by since a book. `size`: how many thousands of numbers it holds."""

    __slots__ = ("cells", "countries", "size", "spent")

    def __init__(self) -> None:
        self.cells: dict[CellName, _Passed] = {}
        self.countries: dict[tuple[int, str, str], int] = {}
        self.spent: dict[tuple[int, str], list[int]] = {}
        self.size = 0


class _Page:
    """What the book says of one network of an app; ranges by their first digits."""

    __slots__ = ("rooms", "terms", "verdicts")

    def __init__(self, terms: Terms | None) -> None:
        self.terms = terms
        self.verdicts: dict[str, Verdict] = {}
        self.rooms: dict[str, Room] = {}


class Judge:
    def __init__(self) -> None:
        self._unknown = Terms(limits.GUARD_UNKNOWN_LIMITS, None, None)
        self._unsure = msgspec.structs.replace(self._unknown, sure=False)
        self._rules = Rules()
        self._book = VerdictBook()
        self._pages: dict[CellName, _Page] = {}
        self._no_page, self._nothing_passed = _Page(None), _Passed()
        self._now, self._before = _Memory(), _Memory()
        self._turned_s = 0.0
        self._probed: dict[RangeName, float] = {}

    def read(self, book: VerdictBook) -> None:
        """A new book. What was counted before the last one is in it by now."""
        if book is not self._book:
            self._book = book
            self._pages = _paged(book)
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
                reason = Reason.of(ReasonCode.GUARD_DENY_LISTED, entry=listed[1])
                return _judgement(modes[DENY], DENY, reason, listed[1])
        if now_s - self._turned_s >= TURN_S:
            self._turned_s = now_s
            self._turn()
        found = PASS
        budget = rules.budget(account_id, place.country)
        if budget is not None and modes[BUDGET]:
            found = self._budgeted(account_id, place.country, budget, price_micro, modes[BUDGET], now_s)
            if found.action is GuardAction.BLOCK:
                return found
        theft = self._held(account_id, app_id, number, network, place.country, modes, now_s)
        if theft.action > found.action:
            found = theft
        if found.action is not GuardAction.BLOCK and budget is not None:
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
        book, now, cell = self._book, self._now, (account_id, app_id, network)
        page = self._pages.get(cell, self._no_page)
        block = number[: -LEVELS[0]]
        wider, widest = block[:-1], block[:-2]
        found = PASS
        is_probe = False
        if page.verdicts and modes[RANGE]:
            for digits in (block, wider, widest):
                verdict = page.verdicts.get(digits)
                if verdict is not None and verdict.until_s > now_s:
                    mode = modes[RANGE] if verdict.sure else Mode.MONITOR
                    if mode is Mode.BLOCK and self._is_probe((*cell, digits), now_s):
                        is_probe = True
                        break
                    found = _judgement(mode, RANGE, verdict.reason, digits)
                    if found.action is GuardAction.BLOCK:
                        return found
                    break
        terms = page.terms
        if terms is None:
            terms = self._unknown if (account_id, app_id) in book.sure else self._unsure
        if terms.verdict is not None and terms.verdict.until_s > now_s and modes[NETWORK] and found is PASS:
            mode = modes[NETWORK] if terms.sure else Mode.MONITOR
            if mode is Mode.BLOCK and not is_probe:
                is_probe = self._is_probe((*cell, ""), now_s)
            if not is_probe:
                found = _judgement(mode, NETWORK, terms.verdict.reason, network)
                if found.action is GuardAction.BLOCK:
                    return found
        passed = now.cells.get(cell)
        if passed is None:
            passed = now.cells[cell] = _Passed()
        count = passed.blocks.get(block)
        if count is None:
            if now.size >= limits.GUARD_MEMORY_ITEMS_MAX:
                self._turn()
                now = self._now
                passed = now.cells[cell] = _Passed()
            count = passed.blocks[block] = _Count()
            now.size += 1
        before = self._before.cells.get(cell, self._nothing_passed)
        is_counted = not count.is_repeat(number)
        is_fresh = now_s - book.made_s <= BOOK_S_MAX
        own1, own2 = passed.wide.get(wider, 0), passed.wide.get(widest, 0)
        if modes[BURST] and found is PASS and is_counted:
            earlier = before.blocks.get(block)
            rooms = page.rooms if is_fresh else {}
            for level, digits, own in (
                (0, block, count.count + (0 if earlier is None else earlier.count)),
                (1, wider, own1 + before.wide.get(wider, 0)),
                (2, widest, own2 + before.wide.get(widest, 0)),
            ):
                room = rooms.get(digits) if rooms else None
                limit = terms.limits[level] if room is None else room.limit
                counted = own if room is None else own + room.counted
                if counted >= limit:
                    mode = modes[BURST] if terms.sure else Mode.MONITOR
                    reason = Reason.of(ReasonCode.GUARD_BURST, messages=round(counted), limit=round(limit))
                    found = _judgement(mode, BURST, reason, digits)
                    if found.action is GuardAction.BLOCK:
                        return found
                    break
        if modes[FLOOD] and found is PASS and is_fresh:
            found = self._flooded(cell, country, terms, passed.count + before.count, modes[FLOOD])
            if found.action is GuardAction.BLOCK:
                return found
        if is_counted:
            count.count += 1
            passed.count += 1
            passed.wide[wider] = own1 + 1
            passed.wide[widest] = own2 + 1
            area = account_id, app_id, country
            now.countries[area] = now.countries.get(area, 0) + 1
        return found

    def _is_probe(self, name: RangeName, now_s: float) -> bool:
        """Whether a message to what is judged passes. One does, and the book knows of it before long; should another
        rule have stopped it, another one does.
        """
        if name not in self._book.probes or now_s - self._probed.get(name, 0.0) < limits.GUARD_PROBE_AGAIN_S:
            return False
        self._probed[name] = now_s
        return True

    def _flooded(self, cell: CellName, country: str, terms: Terms, to_network: int, mode: Mode) -> Judgement:
        if terms.network is None:
            return PASS
        if terms.network.counted + to_network >= terms.network.limit:
            return _flood(mode, cell[2], terms.network, to_network)
        if terms.country is not None:
            area = cell[0], cell[1], country
            to_country = self._now.countries.get(area, 0) + self._before.countries.get(area, 0)
            if terms.country.counted + to_country >= terms.country.limit:
                return _flood(mode, country, terms.country, to_country)
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
        reason = _over_budget(budget, hours, days, hour_micro, day_micro)
        return PASS if reason is None else _judgement(mode, BUDGET, reason, country)

    def _spend(self, account_id: int, country: str, price_micro: int, now_s: float) -> None:
        own = self._now.spent.setdefault((account_id, country), [0, 0])
        own[0] += 1
        own[1] += price_micro


def _paged(book: VerdictBook) -> dict[CellName, _Page]:
    pages = {name: _Page(terms) for name, terms in book.cells.items()}
    for (account_id, app_id, network, digits), verdict in book.verdicts.items():
        pages.setdefault((account_id, app_id, network), _Page(None)).verdicts[digits] = verdict
    for (account_id, app_id, network, digits), room in book.rooms.items():
        pages.setdefault((account_id, app_id, network), _Page(None)).rooms[digits] = room
    return pages


def _over_budget(budget: Budget, hours: int, days: int, hour_micro: int, day_micro: int) -> Reason | None:
    """What is over, with the message that is judged: messages and money of this hour, then of this day."""
    if budget.hour_messages is not None and hours > budget.hour_messages:
        return Reason.of(ReasonCode.GUARD_BUDGET_HOUR_MESSAGES, messages=hours, limit=budget.hour_messages)
    if budget.day_messages is not None and days > budget.day_messages:
        return Reason.of(ReasonCode.GUARD_BUDGET_DAY_MESSAGES, messages=days, limit=budget.day_messages)
    if budget.hour_micro is not None and hour_micro > budget.hour_micro:
        return Reason.of(ReasonCode.GUARD_BUDGET_HOUR_MONEY, spent_micro=hour_micro, limit_micro=budget.hour_micro)
    if budget.day_micro is not None and day_micro > budget.day_micro:
        return Reason.of(ReasonCode.GUARD_BUDGET_DAY_MONEY, spent_micro=day_micro, limit_micro=budget.day_micro)
    return None


def _flood(mode: Mode, scope: str, room: Room, own: int) -> Judgement:
    reason = Reason.of(ReasonCode.GUARD_FLOOD, messages=round(room.counted + own), limit=round(room.limit))
    return _judgement(mode, FLOOD, reason, scope)


def _judgement(mode: Mode, rule: int, reason: Reason, scope: str) -> Judgement:
    action = GuardAction.BLOCK if mode is Mode.BLOCK else GuardAction.MONITOR
    return Judgement(action, NAMES[rule], reason, scope)
