"""The mind: what all messages together say about who is stealing. Pure; a clock and a learner are passed in.

It lives where deltas are added up, hears every one, and thinks every second or two. What it concludes is a book
(guard/book.py). The method is argued in docs/internals/guard.md.
"""

from collections.abc import Callable, Iterable, Sequence

from homing.guard import areas, remembering, spread
from homing.guard.apps import AppMind
from homing.guard.book import WHOLE_NETWORK, CellName, RangeName, Room, Terms, Verdict, VerdictBook
from homing.guard.cells import HOUR_MIN, Cell
from homing.guard.docket import Docket
from homing.guard.fading import Fading
from homing.guard.known import Known
from homing.guard.odds import Odds, odds_of, prior_of, probed, silence_of
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import C, H, N, Range, V, W
from homing.guard.remembering import Kept
from homing.guard.spending import Spending
from homing.kit import histogram
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

Expected = Callable[[CellKey, int], float]
Reporting = Callable[[int, str], str]
VOTES_PER_RANGE = 2.0
READ_S = 5.0  # between two looks at how busy cells are
VOTED_S = 30.0  # at how conversions fare, and what rate is to be expected
LOOK_WIDE_S = 60.0  # at the wider ranges
WATCHED_S = 1_800.0  # for which a range may yet be judged without another message


class Mind:
    """Evidence by account, app, network and range; verdicts by what it adds up to."""

    def __init__(self, policy: GuardPolicy | None = None) -> None:
        self.policy = policy or GuardPolicy()
        self._known = Known(self.policy)
        self._docket = Docket(self.policy)
        self._fading = Fading(self._known, self._docket)
        self._spending = Spending()
        self._touched: set[RangeName] = set()
        self._wide: set[RangeName] = set()  # touched ranges of more than a thousand
        self._watched: dict[RangeName, float] = {}  # ranges that may yet be judged, until when
        self._terms: dict[CellName, Terms] = {}
        self._now_s = 0.0
        self._read_s = self._looked_wide_s = self._voted_s = 0.0
        self._looked_for = (0, 0.0)  # the minute and the votes by which watched ranges were looked at
        self._book = VerdictBook()

    # ---- hearing

    def hear(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            if delta.submitted or delta.converted:
                self._hear(delta)

    def _hear(self, delta: Delta) -> None:
        known = self._known
        name = delta.account_id, delta.app_id, delta.network
        cell = known.cell(delta.account_id, delta.app_id, delta.country, delta.network)
        app = known.app(delta.account_id, delta.app_id)
        cell.active_s = max(cell.active_s, delta.minute * 60.0)
        submitted, converted = float(delta.submitted), float(delta.converted)
        if submitted:
            cell.carriers[delta.carrier_id] = cell.carriers.get(delta.carrier_id, 0.0) + submitted
            self._spending.hear(delta)
        if converted > 0 and delta.conversion_bucket >= 0:
            app.curve.hear(delta.conversion_bucket, delta.converted)
            if self._is_too_fast(delta.conversion_bucket, app):
                converted = 0.0
        votes = converted_votes = volume = 0.0
        judged = False
        for level, cut in enumerate(LEVELS):
            digits = delta.block[: len(delta.block) + LEVELS[0] - cut]
            range_name = (*name, digits)
            found = known.ranges.get(range_name)
            if found is None:
                found = known.ranges[range_name] = Range(digits, level)
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
            cohort[W] += votes
            cohort[H] += converted_votes
            found.held += submitted
            found.came += converted
            if volume:
                cell.pairs[level] += 2 * found.seen * volume + volume * volume - volume
                found.seen += volume
            if range_name in self._docket.verdicts:
                judged = True
                break
        cell.is_touched = True
        if not judged:
            cell.hear(delta)
            known.country(delta.account_id, delta.app_id, delta.country).hear(delta)
            if volume:
                cell.hear_volume(delta.minute, volume)
        if votes or converted_votes:
            cell.votes.add(delta.minute, votes, converted_votes, cell.rate)
            app.votes.add(delta.minute, votes, converted_votes, cell.rate)

    def _is_too_fast(self, bucket: int, app: AppMind) -> bool:
        return histogram.edges_of(bucket)[1] <= self.policy.fast_s and app.curve.share_below(self.policy.fast_s) < 0.1

    # ---- thinking

    def think(self, now_s: float, expected: Expected, reporting: Reporting) -> None:
        """Judges what has changed and what has aged. Cheap enough for every second."""
        self._now_s = now_s
        minute = int(now_s // 60)
        if now_s - self._read_s >= READ_S:
            self._read(now_s, minute, expected, reporting)
        if self._fading.is_time(now_s):
            self._spending.trim(minute)
            for gone in self._fading.trim(now_s, minute):
                self._terms.pop(gone, None)
        rooms: dict[RangeName, Room] = {}
        # What is judged leaves the wide, so the narrow come first; and equals not as they happen to lie in a set.
        for name in sorted(self._changed(now_s, minute), key=lambda name: (-len(name[3]), name)):
            self._look(name, now_s, minute, rooms)
        docket = self._docket
        for name in docket.expired(now_s):
            self._release(name)
        self._set_terms(now_s, minute)
        self._book = VerdictBook(
            now_s,
            dict(self._terms),
            dict(docket.verdicts),
            rooms,
            self._spending.all(),
            frozenset(name for name, app in self._known.apps.items() if app.sure),
            docket.due(now_s),
        )

    def verdicts(self) -> VerdictBook:
        """The latest book."""
        return self._book

    def countries(self) -> dict[CellName, str]:
        """Where networks lie."""
        return {name: cell.key.country for name, cell in self._known.cells.items()}

    def lift(self, name: RangeName, now_s: float) -> None:
        """An operator's word that a range, or a network as a whole, is not theft: what was seen so far is forgotten."""
        if name[3] == WHOLE_NETWORK:
            cell = self._known.cells.get(name[:3])
            if cell is not None and cell.verdict is not None:
                areas.release(cell, self._docket)
        elif name in self._docket.verdicts:
            self._release(name)
            self._known.ranges[name].times = 0
            self._known.cells[name[:3]].judged.pop(name[3], None)

    def _changed(self, now_s: float, minute: int) -> set[RangeName]:
        """The ranges to look at: those that were heard of, and what is looked at now and then."""
        names, self._touched = self._touched, set()
        if self._looked_for != (minute, self._voted_s):  # silence says more than it did
            self._looked_for = minute, self._voted_s
            self._watched = {name: until_s for name, until_s in self._watched.items() if until_s >= now_s}
            names |= self._watched.keys()
        if now_s - self._looked_wide_s >= LOOK_WIDE_S:
            self._looked_wide_s = now_s
            wide, self._wide = self._wide, set()
            names |= wide
        return names

    def _read(self, now_s: float, minute: int, expected: Expected, reporting: Reporting) -> None:
        """What cells and apps are like now."""
        self._read_s = now_s
        known, policy = self._known, self.policy
        is_late = now_s - self._voted_s >= VOTED_S
        if is_late:
            self._voted_s = now_s
            for (account_id, app_id), app in known.apps.items():
                app.curve.think()
                app.votes.read(minute, app.curve)
                app.sure = reporting(account_id, app_id) == "reporting"
        for name, cell in known.cells.items():
            if cell.active_s < now_s - HOUR_MIN * 60.0:
                continue
            if is_late or not cell.rate:
                cell.rate = _rate(cell, expected)
            if is_late:
                cell.votes.read(minute, known.apps[name[:2]].curve)
                cell.is_touched = True
            cell.count_ranges(policy)
            need = policy.judged - prior_of(policy, cell, self._docket, None, None)
            if spread.set_limits(policy, cell, minute, need):
                cell.is_touched = True

    def _look(self, name: RangeName, now_s: float, minute: int, rooms: dict[RangeName, Room]) -> None:
        """Looks at a range: condemns it, releases it, or says how much it may have."""
        policy = self.policy
        found = self._known.ranges.get(name)
        cell = self._known.cells.get(name[:3])
        if found is None or cell is None:
            return
        app = self._known.apps[name[:2]]
        verdict = self._docket.verdicts.get(name)
        if verdict is not None:
            self._look_again(name, found, cell, app, verdict, minute)
            return
        is_open = found.held - found.came >= policy.least - 1
        limit = cell.limits[found.level]
        if found.held < policy.least or (not is_open and found.epoch_n * 2 < limit and found.held < 3 * limit):
            return
        odds = odds_of(policy, app, cell, self._docket, name, found, minute)
        if odds.total >= policy.judged:
            self._condemn(name, found, cell, app, odds, now_s)
            return
        if found.level == 0 and is_open and app.sure:
            silent = silence_of(policy, cell, found.kept_e + found.held, odds.converted)
            if odds.prior + silent + odds.crowd.evidence + policy.margin >= policy.judged:
                self._watched[name] = now_s + WATCHED_S
        room = spread.room_of(policy, cell, found.level, odds.crowd, policy.judged - odds.prior - odds.silence)
        if room is not None:
            rooms[name] = room

    def _look_again(
        self, name: RangeName, found: Range, cell: Cell, app: AppMind, verdict: Verdict, minute: int
    ) -> None:
        """At a judged range: what came of its probes, and of what had been on its way. That there is no crowd any more
        says nothing: refused messages are not counted.
        """
        policy = self.policy
        sent, converted, odds = probed(policy, app, cell, found, verdict.since_s, minute)
        if app.sure and odds < policy.cleared:
            self._acquit(name, found, cell)
            return
        now = odds_of(policy, app, cell, self._docket, name, found, minute)
        if now.prior + now.silence + max(now.crowd.evidence, found.crowd) < policy.cleared:
            found.times = max(0, found.times - 1)
            cell.judged.pop(found.digits, None)
            self._docket.strike(name)
        else:
            self._docket.expect(name, found.last_s(verdict.since_s), sent, converted, found.times)

    def _condemn(self, name: RangeName, found: Range, cell: Cell, app: AppMind, odds: Odds, now_s: float) -> None:
        hold_s = min(self.policy.hold_s_max, self.policy.hold_s * 2**found.times)
        found.times += 1
        found.crowd = odds.crowd.evidence
        verdict = Verdict(odds.reason, now_s, now_s + hold_s, app.sure)
        self._docket.enter(name, verdict, found.times)
        cell.judged[found.digits] = now_s
        cell.near.add(found.digits[:-2])
        above = self._known.above(name, found)
        cell.forget(found, above)
        self._watched.pop(name, None)
        for area in (*above, cell, self._known.around(cell)):
            area.take(found)

    def _acquit(self, name: RangeName, found: Range, cell: Cell) -> None:
        """People live there: it may have more than was thought, and is no bad neighbour. That it was judged still
        counts, and it will be probed later should it be again: who forges conversions does not gain much.
        """
        evenness = self.policy.evenness
        usual = evenness + found.history_before(cell.horizon)
        self._release(name)
        found.history = usual * self.policy.widening - evenness
        cell.judged.pop(found.digits, None)

    def _release(self, name: RangeName) -> None:
        """The end of a judgement: what comes now is looked at anew."""
        self._docket.strike(name)
        found = self._known.ranges[name]
        found.minutes.clear()
        found.kept_n = found.kept_e = found.kept_c = found.held = found.came = 0.0

    def _set_terms(self, now_s: float, minute: int) -> None:
        """What holds for the networks that something was heard of."""
        known, policy = self._known, self.policy
        countries: dict[tuple[int, str, str], Room] = {}
        for name, cell in known.cells.items():
            if not cell.is_touched:
                continue
            cell.is_touched = False
            app = known.apps[name[:2]]
            if not app.sure:
                self._terms[name] = Terms(cell.limits, None, None, None, False)
                continue
            cell.verdict = areas.judge_network(policy, app, cell, self._docket, now_s, minute)
            country = name[0], name[1], cell.key.country
            if country not in countries:
                countries[country] = areas.open_of(policy, known.around(cell), minute, policy.floors[1])
            network = areas.open_of(policy, cell, minute, policy.floors[0])
            self._terms[name] = Terms(cell.limits, network, countries[country], cell.verdict)

    # ---- what is kept over a restart

    def recall(self, past: Delta, conversion_times: Sequence[int]) -> None:
        """What was added up of an earlier time: how soon an app's people come back, and where they did."""
        remembering.recall(self._known, past, conversion_times)

    def keep(self, since_s: float, most: int) -> list[tuple[CellName, Kept]]:
        """What is to be remembered of the networks with traffic since a time, the busiest lately first."""
        return remembering.keep(self._known, since_s, most)

    def remember(self, name: CellName, kept: Kept) -> None:
        """What a mind before this one kept."""
        remembering.remember(self._known, name, kept)

    def uphold(self, name: RangeName, verdict: Verdict) -> None:
        """A verdict that was given before this mind began."""
        remembering.uphold(self._known, self._docket, name, verdict)


def _rate(cell: Cell, expected: Expected) -> float:
    """The rate of genuine conversions, over the carriers that its messages went by of late."""
    total = sum(cell.carriers.values())
    if total <= 0:
        return cell.rate
    shares = ((carrier_id, share) for carrier_id, share in cell.carriers.items() if share > 0)
    return sum(share * expected(cell.key, carrier_id) for carrier_id, share in shares) / total
