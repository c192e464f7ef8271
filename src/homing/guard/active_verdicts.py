"""The verdicts in force on number ranges, and when the next probe of each is due. Pure."""

from homing.guard.policy import GuardPolicy
from homing.guard.snapshot import RangeKey, Verdict


class ActiveVerdicts:
    def __init__(self, policy: GuardPolicy) -> None:
        self._policy = policy
        self.by_range: dict[RangeKey, Verdict] = {}
        self._by_digits: dict[str, int] = {}  # of how many accounts, apps and networks a range is flagged
        self._gaps_s: dict[RangeKey, float] = {}
        self._probes: dict[RangeKey, float] = {}  # with those of networks that are flagged as a whole

    def add(self, key: RangeKey, verdict: Verdict, times_flagged: int, gap_s: float = 0.0) -> None:
        """`times_flagged`: with this verdict. `gap_s`: the mean time between the range's messages before it."""
        self.by_range[key] = verdict
        self._by_digits[key[3]] = self._by_digits.get(key[3], 0) + 1
        self._gaps_s[key] = gap_s
        self.schedule_probe(key, verdict.since_s, 0.0, 0.0, times_flagged)

    def remove(self, key: RangeKey) -> None:
        del self.by_range[key]
        self._gaps_s.pop(key, None)
        self.cancel_probes(key)
        count = self._by_digits.get(key[3], 0) - 1
        if count > 0:
            self._by_digits[key[3]] = count
        else:
            self._by_digits.pop(key[3], None)

    def is_flagged_elsewhere(self, key: RangeKey) -> bool:
        """Whether the same range of numbers is flagged for another account, app or network, and not for this one."""
        return key[3] in self._by_digits and key not in self.by_range

    def expired(self, now_s: float) -> list[RangeKey]:
        return [key for key, verdict in self.by_range.items() if verdict.until_s <= now_s]

    def schedule_probe(self, key: RangeKey, last_s: float, sent: float, converted: float, times_flagged: int) -> None:
        """After `sent` probes since the verdict, the last at `last_s`, of which some converted. A range with a message
        in twenty minutes would have every other one pass if probes came as often as elsewhere.
        """
        policy = self._policy
        exponent = max(-8.0, min(8.0, sent - 2.0 * converted + times_flagged - 1.0))
        of_gaps_s = policy.probe_gaps * self._gaps_s.get(key, 0.0)
        first_s = max(policy.probe_interval_s, min(policy.verdict_s, of_gaps_s))
        longest_s = max(policy.probe_interval_s_max, 2.0 * of_gaps_s)
        interval_s = max(policy.probe_interval_s_min, min(longest_s, first_s * 2.0**exponent))
        self._probes[key] = last_s + interval_s

    def cancel_probes(self, key: RangeKey) -> None:
        self._probes.pop(key, None)

    def due_probes(self, now_s: float) -> frozenset[RangeKey]:
        return frozenset([key for key, due_s in self._probes.items() if due_s <= now_s])
