"""The ranges that are judged as theft, until when, and when to look whether they still are. Pure."""

from homing.guard.book import RangeName, Verdict
from homing.guard.policy import GuardPolicy


class Docket:
    def __init__(self, policy: GuardPolicy) -> None:
        self._policy = policy
        self.verdicts: dict[RangeName, Verdict] = {}
        self._by_digits: dict[str, int] = {}  # judged ranges -> by how many accounts, apps and networks
        self._probes: dict[RangeName, float] = {}

    def enter(self, name: RangeName, verdict: Verdict, times: int) -> None:
        """`times`: how often it was judged, with this one."""
        self.verdicts[name] = verdict
        self._by_digits[name[3]] = self._by_digits.get(name[3], 0) + 1
        self.expect(name, verdict.since_s, 0.0, 0.0, times)

    def strike(self, name: RangeName) -> None:
        del self.verdicts[name]
        self._probes.pop(name, None)
        left = self._by_digits.get(name[3], 0) - 1
        if left > 0:
            self._by_digits[name[3]] = left
        else:
            self._by_digits.pop(name[3], None)

    def is_judged_elsewhere(self, name: RangeName) -> bool:
        return name[3] in self._by_digits and name not in self.verdicts

    def expired(self, now_s: float) -> list[RangeName]:
        return [name for name, verdict in self.verdicts.items() if verdict.until_s <= now_s]

    # ---- probes

    def expect(self, name: RangeName, last_s: float, sent: float, converted: float, times: int) -> None:
        """When the next message to what is judged is to pass, after those that did since, the last at `last_s`."""
        policy = self._policy
        exponent = max(-8.0, min(8.0, sent - 2.0 * converted + times - 1.0))
        self._probes[name] = last_s + max(policy.probe_s_min, min(policy.probe_s_max, policy.probe_s * 2.0**exponent))

    def forgo(self, name: RangeName) -> None:
        """Nothing is judged there any more."""
        self._probes.pop(name, None)

    def due(self, now_s: float) -> frozenset[RangeName]:
        return frozenset([name for name, due_s in self._probes.items() if due_s <= now_s])
