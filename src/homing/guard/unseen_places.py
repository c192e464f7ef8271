"""Places where hardly anybody of an app ever converted: how many messages to all of them together may be open. Pure.

An attack that moves on to another network each minute has a few messages in each, too few for a verdict there. What it
cannot avoid is that all of them are new to the app, and that nobody converts.
"""

from collections.abc import Mapping

from homing.guard.snapshot import UnseenPlaces
from homing.guard.state import AppState, ModelState, NetworkState

QUICK_AGES_MIN = range(10, 20)  # the ages at which it is measured what share of the conversions has been reported
QUICK_SHARE_MIN = 0.04
BEYOND_LIMIT_HALF_LIFE_S = 3_600.0


def update_known_traffic(state: ModelState, minute: int) -> None:
    """What the apps' known networks tell of their conversions."""
    conversions: dict[AppState, float] = {}
    expected: dict[AppState, float] = {}
    for network in state.networks.values():
        if network.is_proven:
            conversions[network.app] = conversions.get(network.app, 0.0) + network.conversions_total
            expected[network.app] = expected.get(network.app, 0.0) + network.conversions_total * network.rate
    for app in state.apps.values():
        app.known_conversions = conversions.get(app, 0.0)
        app.known_rate = expected[app] / app.known_conversions if app.known_conversions > 0 else 0.0
        shares = [app.delays.share_by(age) * app.ratios.ratio(minute - age) for age in QUICK_AGES_MIN]
        app.quick_share = sum(shares) / len(shares)


def unseen_places(state: ModelState) -> Mapping[tuple[int, str], UnseenPlaces]:
    """By account and app, of those that report conversions and have known networks to compare with.

    The limits are so many conversions that could be expected within minutes: of an app that reports a tenth of them, or
    late, more messages may be open.
    """
    policy = state.policy
    places: dict[tuple[int, str], UnseenPlaces] = {}
    for key, app in state.apps.items():
        if app.reports_conversions and app.known_conversions >= policy.established_conversions and app.known_rate > 0:
            per_message = app.known_rate * max(QUICK_SHARE_MIN, app.quick_share)
            places[key] = UnseenPlaces(
                limit=policy.unseen_conversions / per_message,
                country_limit=policy.unseen_country_conversions / per_message,
            )
    for (account_id, app_id, _network), network in state.networks.items():
        of_app = places.get((account_id, app_id))
        if of_app is not None and not network.is_proven:
            unverified = _unverified(network, policy.unverified_factor)
            of_app.counted += unverified
            of_app.limit += policy.unverified_factor * network.conversions_total
            country = network.key.country
            of_app.countries[country] = of_app.countries.get(country, 0.0) + unverified
    return places


def forget_beyond_limit(state: ModelState, passed_s: float) -> None:
    """Forgets open messages beyond an app's limits, half of them in an hour, since limits vary by the minute: those
    that passed while its conversions were reported late, before a rule blocked, or in an outage. Else they would keep
    everybody out for as many days as there are too many, and who is kept out cannot convert.
    """
    places, share = unseen_places(state), 1.0 - 0.5 ** (passed_s / BEYOND_LIMIT_HALF_LIFE_S)
    for (account_id, app_id, _network), network in state.networks.items():
        of_app = places.get((account_id, app_id))
        if of_app is None or network.is_proven:
            continue
        of_country = of_app.countries.get(network.key.country, 0.0)
        kept = min(
            1.0,
            of_app.limit / of_app.counted if of_app.counted > 0 else 1.0,
            of_app.country_limit / of_country if of_country > 0 else 1.0,
        )
        network.messages_total -= share * (1.0 - kept) * _unverified(network, state.policy.unverified_factor)


def _unverified(network: NetworkState, factor: float) -> float:
    return max(0.0, network.messages_total - factor * network.conversions_total)
