"""The mind: what all messages together say about who is stealing. Pure; a clock and a learner are passed in.

It lives where deltas are added up, hears every one, and thinks every second or two. What it concludes is a book
(guard/book.py). The method is argued in docs/internals/guard.md.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import nsmallest
from math import exp, log, log1p

from homing import limits
from homing.guard.apps import AppMind
from homing.guard.book import CellName, RangeName, Room, Spent, Terms, Verdict, VerdictBook
from homing.guard.cells import HOUR_MIN, Area, Cell
from homing.guard.evidence import crowding, first_count, silence
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import C, Cohorts, Kept, N, Range, V, W
from homing.kit import histogram
from homing.routing.beliefs import CellKey
from homing.statistics.delta import Delta

Expected = Callable[[CellKey, int], float]
Reporting = Callable[[int, str], str]
DAY_MIN = 1440
VOTES_PER_RANGE = 2.0
READ_S = 5.0  # between two looks at how busy cells are
VOTED_S = 30.0  # at how conversions fare, and what rate is to be expected
LOOK_S = 10.0  # at ranges whose conversions are still due
LOOK_WIDE_S = 60.0  # at the wider ranges
SWEEP_S = 1_800.0  # for a round of all ranges
CARRIERS_HALVED_S = 300.0


class Mind:
    """Evidence by account, app, network and range; verdicts by what it adds up to."""

    def __init__(self, policy: GuardPolicy | None = None) -> None:
        self.policy = policy or GuardPolicy()
        self._cells: dict[CellName, Cell] = {}
        self._countries: dict[tuple[int, str, str], Area] = {}
        self._apps: dict[tuple[int, str], AppMind] = {}
        self._ranges: dict[RangeName, Range] = {}
        self._verdicts: dict[RangeName, Verdict] = {}
        self._by_digits: dict[str, int] = {}  # judged ranges -> by how many
        self._touched: set[RangeName] = set()
        self._wide: set[RangeName] = set()  # touched ranges of more than a thousand
        self._watched: dict[RangeName, float] = {}  # ranges that may yet be judged, until when
        self._terms: dict[CellName, Terms] = {}
        self._spent: dict[tuple[int, str], list[int]] = {}
        self._now_s = 0.0
        self._read_s = self._trimmed_s = self._looked_s = self._looked_wide_s = self._voted_s = 0.0
        self._swept: list[RangeName] = []
        self._minute = 0
        self._book = VerdictBook()

    # ---- hearing

    def hear(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            if delta.submitted or delta.converted:
                self._hear(delta)

    def _hear(self, delta: Delta) -> None:
        name = delta.account_id, delta.app_id, delta.network
        cell = self._cells.get(name)
        if cell is None:
            key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
            cell = self._cells[name] = Cell(key, self.policy)
        app = self._apps.get(name[:2])
        if app is None:
            app = self._apps[name[:2]] = AppMind()
        cell.active_s = max(cell.active_s, delta.minute * 60.0)
        submitted, converted = float(delta.submitted), float(delta.converted)
        if submitted:
            cell.carriers[delta.carrier_id] = cell.carriers.get(delta.carrier_id, 0.0) + submitted
            self._spend(delta)
        if converted > 0 and delta.conversion_bucket >= 0:
            app.curve.hear(delta.conversion_bucket, delta.converted)
            if self._is_too_fast(delta.conversion_bucket, app):
                converted = 0.0
        votes = converted_votes = volume = 0.0
        judged = False
        for level, cut in enumerate(LEVELS):
            digits = delta.block[: len(delta.block) + LEVELS[0] - cut]
            range_name = (*name, digits)
            found = self._ranges.get(range_name)
            if found is None:
                found = self._ranges[range_name] = Range(digits, level)
            cohort = found.cohort(delta.minute, submitted > 0)
            if level == 0:
                if submitted:
                    volume, votes = found.count(delta.minute, submitted, cell.limits[0], VOTES_PER_RANGE)
                if converted and cohort[N] > 0:
                    converted_votes = converted * min(1.0, cohort[W] / cohort[N])
                self._touched.add(range_name)
            else:
                self._wide.add(range_name)
            found.heard_s = self._now_s
            cohort[N] += submitted
            cohort[C] += converted
            cohort[V] += volume
            found.held += submitted
            found.came += converted
            if volume:
                cell.pairs[level] += 2 * found.seen * volume + volume * volume - volume
                found.seen += volume
            cohort[W] += votes
            if range_name in self._verdicts:
                judged = True
                break
        if volume and not judged:
            cell.heard += volume
        cell.is_touched = True
        if not judged:
            cell.hear(delta)
            self._country(delta).hear(delta)
            if volume:
                cell.volumes.cohort(delta.minute, True)[N] += volume
        if votes or converted_votes:
            cell.votes.add(delta.minute, votes, converted_votes, cell.rate)
            app.votes.add(delta.minute, votes, converted_votes, cell.rate)

    def _country(self, delta: Delta) -> Area:
        key = delta.account_id, delta.app_id, delta.country
        area = self._countries.get(key)
        if area is None:
            area = self._countries[key] = Area()
        return area

    def _spend(self, delta: Delta) -> None:
        key = delta.account_id, delta.country
        hour, day = delta.minute // HOUR_MIN, delta.minute // DAY_MIN
        spent = self._spent.get(key)
        if spent is None:
            spent = self._spent[key] = [hour, 0, 0, day, 0, 0]
        for at, period in ((0, hour), (3, day)):
            if period > spent[at]:
                spent[at : at + 3] = [period, 0, 0]
            if period == spent[at]:
                spent[at + 1] += delta.submitted
                spent[at + 2] += delta.revenue_micro

    def _is_too_fast(self, bucket: int, app: AppMind) -> bool:
        return histogram.edges_of(bucket)[1] <= self.policy.fast_s and app.curve.share_below(self.policy.fast_s) < 0.1

    # ---- thinking

    def think(self, now_s: float, expected: Expected, reporting: Reporting) -> None:
        """Judges what has changed and what has aged. Cheap enough for every second."""
        self._now_s = now_s
        minute = int(now_s // 60)
        if now_s - self._read_s >= READ_S:
            self._read(now_s, minute, expected, reporting)
        if now_s - self._trimmed_s >= limits.GUARD_TRIM_S:
            self._trim(now_s, minute)
        self._minute = minute
        names, self._touched = self._touched, set()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._watched = {name: until_s for name, until_s in self._watched.items() if until_s >= now_s}
            names |= self._watched.keys()
        if now_s - self._looked_wide_s >= LOOK_WIDE_S:
            self._looked_wide_s = now_s
            wide, self._wide = self._wide, set()
            names |= wide
        rooms: dict[RangeName, Room] = {}
        for name in sorted(names, key=lambda name: -len(name[3])):  # the narrow first: what is judged leaves the wide
            self._judge(name, now_s, minute, rooms)
        for name, verdict in [(name, v) for name, v in self._verdicts.items() if v.until_s <= now_s]:
            self._release(name, verdict, forget=True)
        for cell_name, cell in self._cells.items():
            if cell.is_touched:
                cell.is_touched = False
                self._terms[cell_name] = self._terms_of(cell_name, cell, now_s, minute)
        spent = {key: Spent(*found) for key, found in self._spent.items()}
        sure = frozenset(name for name, app in self._apps.items() if app.sure)
        self._book = VerdictBook(now_s, dict(self._terms), dict(self._verdicts), rooms, spent, sure)

    def verdicts(self) -> VerdictBook:
        """The latest book."""
        return self._book

    def countries(self) -> dict[CellName, str]:
        """Where networks lie."""
        return {name: cell.key.country for name, cell in self._cells.items()}

    def lift(self, name: RangeName, now_s: float) -> None:
        """An operator's word that a range is not theft: what was seen so far is forgotten."""
        verdict = self._verdicts.get(name)
        if verdict is not None:
            self._release(name, verdict, forget=True)
            self._ranges[name].times = 0
            self._cells[name[:3]].judged.pop(name[3], None)

    def _read(self, now_s: float, minute: int, expected: Expected, reporting: Reporting) -> None:
        """What cells and apps are like now."""
        self._read_s = now_s
        is_late = now_s - self._voted_s >= VOTED_S
        if is_late:
            self._voted_s = now_s
            for (account_id, app_id), app in self._apps.items():
                app.curve.think()
                app.votes.read(minute, app.curve)
                app.sure = reporting(account_id, app_id) == "reporting"
        for name, cell in self._cells.items():
            if cell.active_s < now_s - HOUR_MIN * 60.0:
                continue
            total = sum(cell.carriers.values())
            if total > 0 and (is_late or not cell.rate):
                cell.rate = (
                    sum(
                        share * expected(cell.key, carrier_id)
                        for carrier_id, share in cell.carriers.items()
                        if share > 0
                    )
                    / total
                )
            if is_late:
                cell.votes.read(minute, self._apps[name[:2]].curve)
                cell.is_touched = True
            cell.count_ranges(self.policy)
            self._set_limits(cell, minute)

    def _fared(self, cell: Cell, minute: int) -> float:
        """An outage is not theft: where nothing comes back of anybody's, silence says less. A network in which nobody
        ever came back has no such excuse of its own.
        """
        fared = self._apps[cell.key.account_id, cell.key.app_id].votes.fared(minute)
        return min(fared, cell.votes.fared(minute)) if cell.came >= self.policy.proven else fared

    def _exposed(self, cell: Cell, counted: Cohorts, minute: int) -> tuple[float, float]:
        """(messages whose silence counts, conversions) of a range or an area."""
        curve = self._apps[cell.key.account_id, cell.key.app_id].curve
        exposed, converted = counted.kept_e, counted.kept_c
        for at, (n, c, _v, _w) in counted.minutes.items():
            if n > 0:
                exposed += n * curve.by(minute - at) * self._fared(cell, at)
            converted += c
        return exposed, converted

    def _prior(self, cell: Cell, found: Range | None, name: RangeName | None) -> float:
        policy = self.policy
        prior = policy.prior
        if cell.came < policy.proven:
            prior += policy.novelty
        prior += min(policy.contagion_max, policy.contagion * log1p(len(cell.judged)))
        if found is not None and name is not None:
            if found.digits in self._by_digits and name not in self._verdicts:
                prior += policy.elsewhere
            prior += policy.repeated * min(2, found.times)
            if found.digits not in cell.judged and found.digits[:-2] in cell.near:
                prior += policy.sibling
        return min(policy.prior_max, prior)

    def _spread(self, cell: Cell, found: Range | None, level: int) -> tuple[float, float]:
        """(share of the network's messages that a range is expected to have, shape of the doubt about it)."""
        policy = self.policy
        own = policy.evenness + (found.history_before(cell.horizon) if found is not None else 0.0)
        share = own / (policy.evenness * cell.ranges[level] + cell.volumes.kept_n)
        return min(1.0, share), min(policy.certainty, own)

    def _crowding(self, cell: Cell, found: Range, minute: int, extra: float = 0.0) -> tuple[float, float, float]:
        """(evidence, messages, expected) of the window that says most, with `extra` messages more in each."""
        share, shape = self._spread(cell, found, found.level)
        best = (0.0, 0.0, 0.0)
        for window in (self.policy.short_min, self.policy.long_min):
            since = minute - window
            count = found.since(since) + extra
            mine = min(count, found.since(since, V))
            volume = max(0.0, cell.volumes.since(since) - mine) + self.policy.company
            expected = volume * share
            evidence = crowding(count, expected, shape) - log(2.0)
            if evidence > best[0]:
                best = evidence, count, expected
        return best

    def _set_limits(self, cell: Cell, minute: int) -> None:
        """How many messages a range that nothing is known of may have within ten minutes."""
        policy = self.policy
        need = policy.judged - self._prior(cell, None, None)
        volume = cell.volumes.since(minute - policy.short_min) + policy.company
        known_volume, known_need = cell.limits_for
        if need == known_need and abs(volume - known_volume) < 0.1 * volume:
            return
        cell.limits_for = volume, need
        cell.is_touched = True
        found = []
        for level in range(len(LEVELS)):
            share, shape = self._spread(cell, None, level)
            expected = volume * share

            def is_enough(count: int, expected: float = expected, shape: float = shape) -> bool:
                return count > expected and crowding(count, expected, shape) - log(2.0) >= need

            found.append(first_count(policy.least, is_enough))
        cell.limits = tuple(found)

    def _judge(self, name: RangeName, now_s: float, minute: int, rooms: dict[RangeName, Room]) -> None:
        policy = self.policy
        found = self._ranges.get(name)
        if found is None or name[:3] not in self._cells:
            return
        verdict = self._verdicts.get(name)
        if verdict is None and found.held < policy.least:
            return
        cell = self._cells[name[:3]]
        limit = cell.limits[found.level]
        is_open = found.held - found.came >= policy.least - 1
        if verdict is None and not is_open and found.epoch_n * 2 < limit and found.held < 3 * limit:
            return
        app = self._apps[name[:2]]
        prior = self._prior(cell, found, name)
        told = 0.0
        exposed = converted = 0.0
        if app.sure:
            exposed, converted = self._exposed(cell, found, minute)
            told = max(-policy.excuse, silence(exposed, converted, cell.rate, policy.stubborn, policy.fractions))
        dense, count, usual = self._crowding(cell, found, minute)
        odds = prior + told + dense
        if verdict is not None:
            if odds < policy.cleared:
                self._release(name, verdict, forget=False)
            return
        if odds >= policy.judged:
            self._condemn(name, found, cell, now_s, odds, told, dense, (exposed, converted, count, usual))
            return
        if found.level == 0 and is_open and app.sure:
            silent = silence(found.kept_e + found.held, converted, cell.rate, policy.stubborn, policy.fractions)
            if prior + silent + dense + policy.margin >= policy.judged:  # it may yet be judged without another message
                self._watched[name] = now_s + 1_800.0
        short = found.since(minute - policy.short_min)
        if short * 2 >= cell.limits[found.level] or found.history_before(cell.horizon) >= 1.0:
            need = policy.judged - prior - told
            share, shape = self._spread(cell, found, found.level)
            mine = min(short, found.since(minute - policy.short_min, V))
            volume = max(0.0, cell.volumes.since(minute - policy.short_min) - mine) + policy.company
            expected = volume * share

            def is_enough(count: int) -> bool:
                return count > expected and crowding(count, expected, shape) - log(2.0) >= need

            rooms[name] = Room(short, float(first_count(policy.least, is_enough)))

    def _condemn(
        self,
        name: RangeName,
        found: Range,
        cell: Cell,
        now_s: float,
        odds: float,
        told: float,
        dense: float,
        counts: tuple[float, float, float, float],
    ) -> None:
        exposed, converted, count, usual = counts
        reason = "unconverted" if told > dense else "crowded"
        figure = (
            f"{count:.0f} messages where {usual:.2g} are usual,"
            f" {converted:.0f} conversions of {exposed * cell.rate:.1f} due, odds {exp(min(odds, 30.0)):.3g} to 1"
        )
        hold_s = min(self.policy.hold_s_max, self.policy.hold_s * 2**found.times)
        self._verdicts[name] = Verdict(reason, figure, now_s, now_s + hold_s, self._apps[name[:2]].sure)
        self._by_digits[found.digits] = self._by_digits.get(found.digits, 0) + 1
        found.times += 1
        cell.judged[found.digits] = now_s
        cell.forget(found, [parent for parent in self._parents(name, found) if isinstance(parent, Range)])
        cell.near.add(found.digits[:-2])
        self._watched.pop(name, None)
        for parent in self._parents(name, found):
            parent.take(found)

    def _parents(self, name: RangeName, found: Range) -> list[Cohorts]:
        account_id, app_id, network, digits = name
        parents: list[Cohorts] = []
        for more in range(1, len(LEVELS) - found.level):
            parent = self._ranges.get((account_id, app_id, network, digits[:-more]))
            if parent is not None:
                parents.append(parent)
        cell = self._cells[name[:3]]
        country = self._countries.get((account_id, app_id, cell.key.country))
        return [*parents, cell, *([country] if country else [])]

    def _release(self, name: RangeName, verdict: Verdict, forget: bool) -> None:
        """The end of a judgement. `forget`: its time is over, so what comes now is looked at anew."""
        del self._verdicts[name]
        found = self._ranges[name]
        left = self._by_digits.get(found.digits, 0) - 1
        if left > 0:
            self._by_digits[found.digits] = left
        else:
            self._by_digits.pop(found.digits, None)
        if forget:
            found.minutes.clear()
            found.kept_n = found.kept_e = found.kept_c = found.held = found.came = 0.0
        else:
            found.times = max(0, found.times - 1)
            self._cells[name[:3]].judged.pop(found.digits, None)

    # ---- networks and countries

    def _terms_of(self, name: CellName, cell: Cell, now_s: float, minute: int) -> Terms:
        app = self._apps[name[:2]]
        country = self._countries.get((name[0], name[1], cell.key.country))
        if not app.sure:
            return Terms(cell.limits, None, None, None, False)
        cell.verdict = self._whole(cell, cell, now_s, minute)
        network = self._open(cell, minute, self.policy.floors[0])
        wider = self._open(country, minute, self.policy.floors[1]) if country is not None else None
        return Terms(cell.limits, network, wider, cell.verdict)

    def _open(self, area: Area, minute: int, floor: float) -> Room:
        """Messages that nobody has come back of yet, and how many there may be."""
        counted = came = recent = 0.0
        for at, (n, c, _v, _w) in area.minutes.items():
            if at >= minute - 30:
                recent += c
                if at >= minute - self.policy.short_min:
                    counted += n
                    came += c
        return Room(
            max(0.0, counted - came), floor + self.policy.open_factor * (recent + max(area.busiest, area.hour_c))
        )

    def _whole(self, cell: Cell, area: Area, now_s: float, minute: int) -> Verdict | None:
        """A network of which hardly anybody ever came back is judged as a whole."""
        verdict = area.verdict
        if verdict is not None and verdict.until_s > now_s:
            return verdict
        policy = self.policy
        if area.came >= policy.proven or area.since(minute - policy.long_min) < policy.short_min:
            return None
        exposed, converted = self._exposed(cell, area, minute)
        due = exposed * cell.rate
        if due <= 0 or converted / due > policy.people_min:
            return None
        odds = self._prior(cell, None, None) + silence(exposed, converted, cell.rate, policy.stubborn, policy.fractions)
        if odds < policy.judged + 2.0:
            return None
        figure = f"{converted:.0f} conversions of {due:.1f} due, odds {exp(min(odds, 30.0)):.3g} to 1"
        area.minutes.clear()
        return Verdict("unconverted network", figure, now_s, now_s + policy.hold_s)

    # ---- letting go

    def _trim(self, now_s: float, minute: int) -> None:
        policy = self.policy
        passed_s = now_s - self._trimmed_s if self._trimmed_s else 0.0
        self._trimmed_s = now_s
        decay = 0.5 ** (passed_s / policy.history_half_life_s)
        for cell in self._cells.values():
            cell.carriers = {key: share * 0.5 ** (passed_s / CARRIERS_HALVED_S) for key, share in cell.carriers.items()}
            cell.heard *= decay
            cell.pairs = [pairs * decay**2 for pairs in cell.pairs]
            cell.came *= decay
            cell.judged = {digits: at_s for digits, at_s in cell.judged.items() if at_s > now_s - policy.contagion_s}
            cell.near = {digits[:-2] for digits in cell.judged}
            cell.fold(minute, policy.long_min, lambda _minute: 1.0, decay)
            cell.volumes.fold(minute, policy.long_min, lambda _minute: 1.0, decay)
            cell.horizon = minute - policy.long_min
            cell.note_ranges(minute, policy)
        for area in self._countries.values():
            area.came *= decay
            area.fold(minute, policy.long_min, lambda _minute: 1.0, decay)
        for key, spent in list(self._spent.items()):
            if spent[3] < minute // DAY_MIN - 1:
                del self._spent[key]
        for name in [name for name, cell in self._cells.items() if cell.active_s < now_s - 30 * 86_400.0]:
            del self._cells[name]
            self._terms.pop(name, None)
        self._sweep(minute, passed_s)

    def _sweep(self, minute: int, passed_s: float) -> None:
        """Some of the ranges at a time: their old minutes become history, and what says nothing any more is let go."""
        policy = self.policy
        if not self._swept:
            self._swept = list(self._ranges)
        count = max(100, int(len(self._ranges) * passed_s / SWEEP_S))
        names, self._swept = self._swept[-count:], self._swept[:-count]
        decay = 0.5 ** (SWEEP_S / policy.history_half_life_s)
        for name in names:
            found = self._ranges.get(name)
            if found is None:
                continue
            cell = self._cells.get(name[:3])
            if cell is None:
                del self._ranges[name]
                continue
            found.history *= decay
            found.seen *= decay
            passed = found.fold(minute, policy.long_min, partial(self._fared, cell), decay)
            found.held = found.since(0)
            found.came = found.since(0, C)
            if passed and name not in self._verdicts:
                found.history += passed
            if not found.minutes and found.history < 0.2 and found.times == 0 and name not in self._verdicts:
                del self._ranges[name]
        over = len(self._ranges) - limits.GUARD_RANGES_MAX
        if over > 0:
            loose = (name for name in self._ranges if name not in self._verdicts)
            for name in nsmallest(over, loose, key=lambda name: (self._ranges[name].times, self._ranges[name].heard_s)):
                del self._ranges[name]

    # ---- what is kept over a restart

    def recall(self, past: Delta, conversion_times: Sequence[int]) -> None:
        """What was added up of an earlier time: how soon an app's people come back, and where they did."""
        name = past.account_id, past.app_id, past.network
        app = self._apps.setdefault(name[:2], AppMind())
        for bucket, count in enumerate(conversion_times):
            if count:
                app.curve.hear(bucket, count)
        cell = self._cells.get(name)
        if cell is None:
            key = CellKey(past.account_id, past.app_id, past.country, past.network)
            cell = self._cells[name] = Cell(key, self.policy)
        cell.active_s = max(cell.active_s, past.minute * 60.0)
        for area in (cell, self._country(past)):
            area.came += past.converted
            area.busiest = max(area.busiest, float(past.converted))

    def keep(self, since_s: float, most: int) -> list[tuple[CellName, Kept]]:
        """What is to be remembered of the cells with traffic since a time, the busiest lately first."""
        cells = sorted(
            ((name, cell) for name, cell in self._cells.items() if cell.active_s >= since_s),
            key=lambda pair: -pair[1].active_s,
        )[:most]
        kept = {
            name: Kept(
                cell.key.country,
                cell.heard,
                cell.pairs,
                cell.ranges_then,
                cell.judged,
                cell.volumes.kept_n,
                dict(cell.volumes.minutes),
                [],
            )
            for name, cell in cells
        }
        for (account_id, app_id, network, _digits), found in self._ranges.items():
            mine = kept.get((account_id, app_id, network))
            if mine is not None and (found.history >= 1.0 or found.times or len(found.minutes) > 1):
                mine.ranges.append(found.keep())
        return list(kept.items())

    def remember(self, name: CellName, kept: Kept) -> None:
        """Takes back what a mind before this one kept."""
        key = CellKey(name[0], name[1], kept.country, name[2])
        cell = self._cells.setdefault(name, Cell(key, self.policy))
        self._apps.setdefault(name[:2], AppMind())
        cell.heard, cell.pairs, cell.judged = kept.heard, list(kept.pairs), dict(kept.judged)
        cell.ranges_then = {minute: list(ranges) for minute, ranges in kept.ranges_then.items()}
        cell.volumes.kept_n = kept.evened
        cell.volumes.minutes = {minute: list(counts) for minute, counts in kept.volumes.items()}
        for one in kept.ranges:
            self._ranges.setdefault((*name, one.digits), Range.remembered(one))

    def uphold(self, name: RangeName, verdict: Verdict) -> None:
        """A verdict that was given before this mind began."""
        if name[:3] in self._cells and name not in self._verdicts:
            level = 0 if name not in self._ranges else self._ranges[name].level
            found = self._ranges.setdefault(name, Range(name[3], level))
            found.times = max(1, found.times)
            self._verdicts[name] = verdict
            self._by_digits[name[3]] = self._by_digits.get(name[3], 0) + 1
            self._cells[name[:3]].judged[name[3]] = verdict.since_s
