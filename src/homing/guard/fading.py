"""How the mind forgets: old minutes become history, history halves, and what says nothing any more is let go. Pure."""

from heapq import nsmallest

from homing import limits
from homing.guard.book import CellName, RangeName
from homing.guard.docket import Docket
from homing.guard.known import Known
from homing.guard.odds import says

SWEEP_S = 1_800.0  # for a round of all ranges
SWEPT_LEAST = 100
CARRIERS_HALVED_S = 300.0
CELL_FORGET_S = 30 * 86_400.0
HISTORY_LEAST = 0.2  # a range's, below which it is let go


class Fading:
    def __init__(self, known: Known, docket: Docket) -> None:
        self._known = known
        self._docket = docket
        self._trimmed_s = 0.0
        self._swept: list[RangeName] = []

    def is_time(self, now_s: float) -> bool:
        return now_s - self._trimmed_s >= limits.GUARD_TRIM_S

    def trim(self, now_s: float, minute: int) -> list[CellName]:
        """Networks and countries, all of them, and a part of the ranges. Gives the networks that were let go."""
        known, policy = self._known, self._known.policy
        passed_s = now_s - self._trimmed_s if self._trimmed_s else 0.0
        self._trimmed_s = now_s
        decay = 0.5 ** (passed_s / policy.history_half_life_s)
        for name, cell in known.cells.items():
            cell.carriers = {key: share * 0.5 ** (passed_s / CARRIERS_HALVED_S) for key, share in cell.carriers.items()}
            cell.judged = {digits: at_s for digits, at_s in cell.judged.items() if at_s > now_s - policy.contagion_s}
            cell.near = {digits[:-2] for digits in cell.judged}
            cell.fold_all(minute, policy.long_min, says(policy, known.apps[name[:2]], cell, minute), decay)
            cell.note_ranges(minute, policy)
        for area in known.countries.values():
            area.came *= decay
            area.fold(minute, policy.long_min, (), decay)
        gone = [name for name, cell in known.cells.items() if cell.active_s < now_s - CELL_FORGET_S]
        for name in gone:
            del known.cells[name]
        self._sweep(minute, passed_s)
        return gone

    def _sweep(self, minute: int, passed_s: float) -> None:
        known, policy, verdicts = self._known, self._known.policy, self._docket.verdicts
        if not self._swept:
            self._swept = list(known.ranges)
        count = max(SWEPT_LEAST, int(len(known.ranges) * passed_s / SWEEP_S))
        names, self._swept = self._swept[-count:], self._swept[:-count]
        decay = 0.5 ** (SWEEP_S / policy.history_half_life_s)
        for name in names:
            found = known.ranges.get(name)
            if found is None:
                continue
            cell = known.cells.get(name[:3])
            if cell is None:
                del known.ranges[name]
                continue
            found.history *= decay
            found.seen *= decay
            before = len(found.minutes)
            passed = found.fold(minute, policy.long_min, says(policy, known.apps[name[:2]], cell, minute), decay)
            if found.level or len(found.minutes) != before:
                found.count_held()
            if passed and name not in verdicts:
                found.history += passed
            if not found.minutes and found.history < HISTORY_LEAST and found.times == 0 and name not in verdicts:
                del known.ranges[name]
        over = len(known.ranges) - limits.GUARD_RANGES_MAX
        if over > 0:
            loose = (name for name in known.ranges if name not in verdicts)
            for name in nsmallest(over, loose, key=lambda name: (known.ranges[name].times, known.ranges[name].heard_s)):
                del known.ranges[name]
