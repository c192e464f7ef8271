"""The part of the model's state that outlives a process, by network. Pure."""

from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from homing.guard.cohorts import Cohort, CohortSeries
from homing.guard.snapshot import WHOLE_NETWORK, NetworkKey, RangeKey, Verdict
from homing.guard.state import ModelState, RangeState
from homing.statistics.delta import Delta

CohortCounts = tuple[float, float, float, float, float, float]
"""The arguments of a `Cohort`, in their order."""


class SavedRange(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a `RangeState`."""

    digits: str
    level: int
    history: float
    times_flagged: int
    archived_messages: float
    archived_exposure: float
    archived_conversions: float
    cohorts: dict[int, CohortCounts]


class SavedNetwork(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a `NetworkState`, with its ranges."""

    country: str
    capped_total: float
    pairs: list[float]
    range_counts_at: dict[int, list[float]]
    flagged: dict[str, float]
    archived_capped: float
    capped: dict[int, CohortCounts]
    ranges: list[SavedRange]


def export_networks(
    state: ModelState, now_s: float, since_s: float, networks_max: int
) -> Sequence[tuple[NetworkKey, SavedNetwork]]:
    """The networks with messages since a unix time, those with the latest first. Exposure is fixed as it is now: the
    process that restores them does not know what share of this time's conversions was reported.
    """
    minute = int(now_s // 60)
    active = sorted(
        ((key, network) for key, network in state.networks.items() if network.active_s >= since_s),
        key=lambda pair: -pair[1].active_s,
    )[:networks_max]
    saved = {
        key: SavedNetwork(
            country=network.key.country,
            capped_total=network.capped_total,
            pairs=network.pairs,
            range_counts_at=network.range_counts_at,
            flagged=network.flagged,
            archived_capped=network.capped.archived_messages,
            capped=_export_cohorts(network.capped, minute, ()),
            ranges=[],
        )
        for key, network in active
    }
    for (account_id, app_id, network_code, _digits), range_state in state.ranges.items():
        key = account_id, app_id, network_code
        network = saved.get(key)
        if network is not None and (
            range_state.history >= 1.0 or range_state.times_flagged or len(range_state.cohorts) > 1
        ):
            weights = state.networks[key].exposure_weights(minute)
            network.ranges.append(_export_range(range_state, minute, weights))
    return list(saved.items())


def restore_network(state: ModelState, key: NetworkKey, saved: SavedNetwork) -> None:
    account_id, app_id, network_code = key
    network = state.network(account_id, app_id, saved.country, network_code)
    network.capped_total, network.pairs, network.flagged = saved.capped_total, list(saved.pairs), dict(saved.flagged)
    network.range_counts_at = {minute: list(counts) for minute, counts in saved.range_counts_at.items()}
    # Statistics are not restored of every network: without a time it would be dropped as idle.
    network.active_s = max(network.active_s, 60.0 * max([0, *saved.capped, *saved.range_counts_at]))
    capped = CohortSeries()
    capped.archived_messages = saved.archived_capped
    capped.cohorts = _restore_cohorts(saved.capped)
    network.restore_capped(capped)
    for saved_range in saved.ranges:
        state.ranges.setdefault((*key, saved_range.digits), _restore_range(saved_range))


def restore_lift(state: ModelState, key: RangeKey, lifted_s: float) -> None:
    """What an operator lifted within the hour, which is how long minutes are kept apart: the state may have been stored
    before. Comes before `restore_verdict`.
    """
    network, range_state = state.networks.get(key[:3]), state.ranges.get(key)
    if network is not None and key[3] == WHOLE_NETWORK:
        network.genuine_until_s = max(network.genuine_until_s, lifted_s)
    if range_state is not None:
        range_state.restart(lifted_s // 60)
        range_state.times_flagged = 0
    if network is not None and network.flagged.get(key[3], inf) <= lifted_s:
        del network.flagged[key[3]]


def restore_verdict(state: ModelState, key: RangeKey, verdict: Verdict) -> None:
    """A verdict in force that an earlier process gave."""
    network = state.networks.get(key[:3])
    if network is None or key in state.verdicts.by_range:
        return
    network.active_s = max(network.active_s, verdict.since_s)
    if key[3] == WHOLE_NETWORK and not verdict.may_block:
        network.notice, network.scattered_until_s = verdict, verdict.until_s
        return
    if key[3] == WHOLE_NETWORK:
        network.verdict = verdict
        state.verdicts.schedule_probe(key, verdict.since_s, 0.0, 0.0, 1)
        return
    range_state = state.ranges.setdefault(key, RangeState(key[3], 0))
    range_state.times_flagged = max(1, range_state.times_flagged)
    gap_s = range_state.mean_gap_s(verdict.since_s)  # with the probes since, which are few
    state.verdicts.add(key, verdict, range_state.times_flagged, gap_s)
    network.flagged[key[3]] = verdict.since_s


def restore_statistics(
    state: ModelState,
    past: Delta,
    conversion_times: Sequence[int],
    *,
    retained: float = 1.0,
    is_reported: bool = True,
) -> None:
    """Sums of earlier statistics: an app's conversion delays (counts by bucket), and where its people converted.
    `retained`: what is left of them (0..1), as history is forgotten; `is_reported`: whether the app had begun to report
    conversions.
    """
    app = state.app(past.account_id, past.app_id)
    for bucket, count in enumerate(conversion_times):
        if count:
            app.delays.observe(bucket, count)
    network = state.network(past.account_id, past.app_id, past.country, past.network)
    network.active_s = max(network.active_s, past.minute * 60.0)
    if is_reported:
        network.messages_total += past.submitted * retained
    for area in (network, state.country(past.account_id, past.app_id, past.country)):
        area.conversions_total += past.converted * retained
        area.busiest_hour_conversions = max(area.busiest_hour_conversions, float(past.converted))


def _export_range(range_state: RangeState, minute: int, weights: Sequence[float]) -> SavedRange:
    return SavedRange(
        digits=range_state.digits,
        level=range_state.level,
        history=range_state.history,
        times_flagged=range_state.times_flagged,
        archived_messages=range_state.archived_messages,
        archived_exposure=range_state.archived_exposure,
        archived_conversions=range_state.archived_conversions,
        cohorts=_export_cohorts(range_state, minute, weights),
    )


def _restore_range(saved: SavedRange) -> RangeState:
    range_state = RangeState(saved.digits, saved.level)
    range_state.history, range_state.times_flagged = saved.history, saved.times_flagged
    range_state.archived_messages = saved.archived_messages
    range_state.archived_exposure = saved.archived_exposure
    range_state.archived_conversions = saved.archived_conversions
    range_state.cohorts = _restore_cohorts(saved.cohorts)
    range_state.recount()
    range_state.capped_total = saved.history + sum(cohort.capped_messages for cohort in range_state.cohorts.values())
    return range_state


def _export_cohorts(series: CohortSeries, now_minute: int, weights: Sequence[float]) -> dict[int, CohortCounts]:
    return {
        minute: (
            cohort.messages,
            cohort.conversions,
            cohort.capped_messages,
            cohort.voting_messages,
            cohort.voting_conversions,
            cohort.exposure_now(now_minute - minute, weights),
        )
        for minute, cohort in series.cohorts.items()
    }


def _restore_cohorts(saved: Mapping[int, CohortCounts]) -> dict[int, Cohort]:
    return {minute: Cohort(*counts) for minute, counts in saved.items()}
