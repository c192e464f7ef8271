"""The comparison of resend policies over scenarios and seeds: `homing lab resend`."""

from collections.abc import Callable, Sequence

import msgspec

from homing.lab.generate import generated
from homing.lab.resends import ResendPolicy, ResendRun, resend_scenario, run_resends
from homing.lab.scenario import Scenario, shipped
from homing.lab.world import World
from homing.text.numbers import Numbering

COMPARED: tuple[ResendPolicy, ...] = ("none", "fixed-30", "likely-lost")
SHIPPED = ("steady", "loss-honest", "loss-lying", "outage", "fake-receipts", "slow", "degrading", "drift")
DRAWN_FROM = 9001
DRAWN = 5
MICRO_PER_CENT = 10_000


class ResendComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in a scenario and seed beside no second message. `saved_per_cent`: people who would have been lost, by
    cent of carriers' cost above it; None: it cost no more. `right_share`: of the messages that people asked for, those
    by the carrier that the oracle would take. `cents_per_verified`: carriers' cost by person who entered a code.
    """

    scenario: str
    seed: int
    policy: str
    willing: int
    lost: int
    resent: int
    extra_cents: float
    saved_per_cent: float | None
    right_share: float
    cents_per_verified: float


def chosen_scenarios(only: Sequence[str]) -> Sequence[Scenario]:
    """Those of these names; without any, all that are compared."""
    drawn = [generated(seed, "routing") for seed in range(DRAWN_FROM, DRAWN_FROM + DRAWN)]
    listed = [*(scenario for scenario in shipped() if scenario.name in SHIPPED), *drawn]
    return [scenario for scenario in listed if not only or scenario.name in only]


def compare(
    scenarios: Sequence[Scenario], *, seeds: int, hours: float, rate_per_s: float, progress: Callable[[int, int], None]
) -> Sequence[ResendComparison]:
    """The same worlds and seeds under each policy."""
    numbering = Numbering.load()
    comparisons: list[ResendComparison] = []
    done, total = 0, len(scenarios) * seeds * len(COMPARED)
    for scenario in scenarios:
        sized = resend_scenario(scenario, hours, rate_per_s)
        for seed in range(1, seeds + 1):
            runs = []
            for policy in COMPARED:
                runs.append(run_resends(World(sized, seed, numbering), policy))
                done += 1
                progress(done, total)
            comparisons += [compared(run, runs[0]) for run in runs]
    return comparisons


def compared(run: ResendRun, base: ResendRun) -> ResendComparison:
    extra_cents = (run.cost_micro - base.cost_micro) / MICRO_PER_CENT
    return ResendComparison(
        scenario=run.scenario,
        seed=run.seed,
        policy=run.policy,
        willing=run.willing,
        lost=run.lost,
        resent=run.resent,
        extra_cents=round(extra_cents, 1),
        saved_per_cent=round((base.lost - run.lost) / extra_cents, 5) if extra_cents > 0 else None,
        right_share=round(run.right / max(1, run.messages - run.resent), 4),
        cents_per_verified=round(run.cost_micro / MICRO_PER_CENT / max(1, run.willing - run.lost), 4),
    )
