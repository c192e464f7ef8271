"""Where an app's people usually are: what its networks expect beyond that is no measure of its reports. Pure.

An attack on one network of a small customer is most of the app's messages. Taken with all others, it would lower the
share of conversions that seem to be reported, and so excuse its own silence.
"""

from collections.abc import Mapping, Sequence

from homing.guard.conversions import GUARD_WEIGHT_MINUTES, RATIO_BLOCK_MIN, ConversionRatios, Votes
from homing.guard.state import AppState, ModelState, NetworkState

PRIOR_CONVERSIONS = 20.0  # that are spread as the messages are: of a new app nothing is unusual
SURPLUS_FACTOR = 1.5  # times its usual share, above which a network's messages say nothing about the app
COMPARED_SHARE_MAX = 0.8  # of a network in its app; what is left of the app says nothing about one with more
ROUNDS = 12  # of the iteration, each of which leaves a network's usual share of the error


def update_ratios(state: ModelState, minute: int) -> None:
    """Brings the apps' and the networks' conversion ratios up to date, and what is usual of each network."""
    networks: dict[AppState, list[NetworkState]] = {app: [] for app in state.apps.values()}
    for network in state.networks.values():
        networks[network.app].append(network)
    for app, members in networks.items():
        blocks = {network: network.ratios.votes_by_block(minute) for network in members}
        app.conversions_total = sum([network.conversions_total for network in members])
        _set_usual_shares(app, members, blocks)
        app.usual_votes = usual_votes(
            [
                (network.usual_share, {block: votes for block, (votes, _) in blocks[network].items()})
                for network in members
            ]
        )
        app.ratios.update(minute, app.delays, _surplus(app, members, blocks))


def _set_usual_shares(
    app: AppState, networks: Sequence[NetworkState], blocks: Mapping[NetworkState, Mapping[int, Votes]]
) -> None:
    """By the conversions of the last days, since an attack has none."""
    votes = {network: sum([expected for expected, _conversions in blocks[network].values()]) for network in networks}
    all_votes = sum(votes.values())
    for network in networks:
        of_votes = votes[network] / all_votes if all_votes > 0 else 0.0
        counted = network.conversions_total + PRIOR_CONVERSIONS * of_votes
        network.usual_share = counted / (app.conversions_total + PRIOR_CONVERSIONS)


def usual_votes(shares: Sequence[tuple[float, Mapping[int, float]]]) -> dict[int, float]:
    """By block of minutes, how many conversions the app would expect if no network had more than `SURPLUS_FACTOR` times
    its usual share of them: the `total` with total = sum of min(votes, factor x share x total).
    """
    totals: dict[int, float] = {}
    for block in {block for _share, votes in shares for block in votes}:
        of_block = [(SURPLUS_FACTOR * share, votes.get(block, 0.0)) for share, votes in shares]
        total = sum([votes for _share, votes in of_block])
        if any(votes > share * total for share, votes in of_block):
            for _round in range(ROUNDS):
                total = sum([min(votes, share * total) for share, votes in of_block])
        totals[block] = total
    return totals


def _surplus(
    app: AppState, networks: Sequence[NetworkState], blocks: Mapping[NetworkState, Mapping[int, Votes]]
) -> list[tuple[ConversionRatios, Mapping[int, float]]]:
    """The networks with more than is usual, and by block what share of their votes, and of the conversions of these,
    is too much.
    """
    surplus: list[tuple[ConversionRatios, Mapping[int, float]]] = []
    for network in networks:
        of_network = {}
        for block, (expected, _conversions) in blocks[network].items():
            usual = SURPLUS_FACTOR * network.usual_share * app.usual_votes.get(block, 0.0)
            if expected > usual:
                of_network[block] = 1.0 - usual / expected
        if of_network:
            surplus.append((network.ratios, of_network))
    return surplus


def outage_weights(network: NetworkState, minute: int) -> Sequence[float]:
    """As `NetworkState.exposure_weights`, but that an outage of the network's own delivery excuses its silence by what
    its conversions are of those that are usual, and not of those that all of its messages should have had: an attack
    adds to these.
    """
    share_by, ratio = network.app.delays.share_by, network.app.ratios.ratio
    excuses = network.ratios.excuses(minute, network.app.delays, _usual_parts(network, minute))
    return [
        share_by(age) * min(ratio(minute - age), excuses.get((minute - age) // RATIO_BLOCK_MIN, 1.0))
        for age in range(GUARD_WEIGHT_MINUTES)
    ]


def _usual_parts(network: NetworkState, minute: int) -> Mapping[int, float]:
    """By block of minutes, which part of the network's votes are as many as is usual, by those of the app's others."""
    share, parts = network.usual_share, {}
    for block, (expected, _conversions) in network.ratios.votes_by_block(minute).items():
        total = network.app.usual_votes.get(block, 0.0)
        others = total - min(expected, SURPLUS_FACTOR * share * total)
        if share <= COMPARED_SHARE_MAX and expected > 0:
            parts[block] = min(1.0, share / (1.0 - share) * others / expected)
    return parts
