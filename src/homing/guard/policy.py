"""The assumptions of the fraud model: prior odds, windows, caps. docs/internals/guard.md gives the reason of each."""

from typing import Final

import msgspec

LEVELS: Final = (3, 4, 5)
"""The levels of number ranges, as how many last digits each leaves off: 1,000, 10,000 and 100,000 numbers."""


class GuardPolicy(msgspec.Struct, frozen=True):
    """Odds and evidence are natural logarithms ("nats"). "Flagged" is a range or network with a verdict of fraud."""

    # Prior odds
    prior_nats: float = -7.0  # of fraud, for a range without history: one in a thousand
    prior_nats_max: float = -3.5  # whatever is known of the neighbourhood, evidence of the range itself is needed
    flag_nats: float = 3.0  # posterior odds from which a range is flagged: 20 to 1
    clear_nats: float = -1.0  # posterior odds below which a verdict ends early
    new_network_nats: float = 1.5  # fewer than `proven_conversions` from this network so far
    contagion_nats: float = 0.7  # times ln(1 + ranges flagged lately in the same network)
    contagion_nats_max: float = 2.0
    sibling_nats: float = 1.0  # another range under the same hundred thousand numbers is flagged
    flagged_elsewhere_nats: float = 3.0  # the same range is flagged for another account, app or network
    repeat_nats: float = 1.5  # for each earlier verdict on the range, twice at most
    rescore_margin_nats: float = 3.0  # by which odds may rise without a message, through what is learnt elsewhere

    # Conversions
    conversion_prior_strength: float = 15.0  # genuine ranges differ: a Beta prior on the rate worth so many messages
    attack_conversion_ratios: tuple[float, ...] = (0.01, 0.2, 0.35, 0.5)  # of the genuine rate, each as likely
    conversion_cap_nats: float = 6.0  # the most that conversions, which can be forged, speak for 1,000 numbers
    conversion_cap_nats_each: float = 3.0  # of a wider range instead, for each voting conversion of its thousands
    conversions_per_doubling: float = 5.0  # of a range's room: so many conversions at the genuine rate double it
    doublings_max: float = 3.0  # of 1,000 numbers in a network whose spread is known, since conversions can be forged
    doublings_max_unknown: float = 10.0  # elsewhere
    doubling_ratios: tuple[float, float] = (0.5, 0.9)  # of the genuine rate, from which conversions count, and in full
    fast_conversion_s: float = 2.0  # too fast for a person to read and type a code

    # Density
    short_window_min: int = 10
    long_window_min: int = 360
    range_pseudo_count: float = 0.5  # messages that each range is assumed to have had; below 1: use is uneven
    density_shape_max: float = 8.0  # of the negative binomial: even a busy range varies from day to day
    prior_range_counts: tuple[float, ...] = (200.0, 40.0, 8.0)  # ranges of an unknown network, by level
    prior_range_strength: float = 50.0  # messages that this assumption is worth
    network_pseudo_count: float = 20.0  # messages that a network is assumed to have had beside those counted
    known_spread_messages: float = 300.0  # from which a network's own spread over its ranges is known
    known_spread_ranges: float = 100.0  # of 1,000 numbers, with fewer a network's messages are not spread
    resend_probability: float = 0.1  # that a message is a person's repeated request
    flag_messages_min: int = 4  # in the short window; with fewer no range is flagged

    # Whole networks and countries
    network_conversion_ratio_max: float = 0.05  # of the conversions due; a network with more is not flagged as a whole
    closable_share: float = 0.1  # of the app's conversions; a network with more people is not flagged as a whole
    closable_doubt: float = 2.0  # conversions that it is taken to have more, so that few of the app's say nothing
    flagged_network_messages: float = 10.0  # unverified ones within minutes that pass to a network flagged as a whole
    unproven_rate: float = 0.5  # of the app's rate in known networks, that people of others convert at least at
    proven_conversions: float = 20.0  # from which a network counts as known
    network_unverified_floor: float = 800.0  # unverified messages that are always allowed to a network
    country_unverified_floor: float = 1200.0  # and to a country
    unverified_factor: float = 3.0  # and for each conversion of the last half hour and of the busiest hour

    # Places where hardly anybody of an app ever converted
    established_conversions: float = 100.0  # in known networks, from which an app's unseen ones are compared with them
    unseen_conversions: float = 120.0  # that could be expected of the messages that may be open in all unseen places
    unseen_country_conversions: float = 48.0  # and in a country

    # Ranges that are attacked together
    linked_messages_min: float = 3.0  # of a range that counts for what share of a network's ranges is attacked
    linked_exposure_min: float = 0.6  # of these messages
    linked_ranges_min: float = 10.0  # attacked ones; with fewer there is no such prior
    linked_gain_nats: float = 10.0  # by which their share is likelier than that there are none
    linked_retries: float = 0.002  # of a network's messages, people who ask three times in vain
    linked_nats_max: float = 1.0

    # Attacks that use each range for a few messages
    scattered_repeats_min: float = 60.0  # to ranges of which nobody converts, in excess of chance
    scattered_ranges_min: float = 20.0  # on which they fall
    scattered_retries: float = 0.03  # of the messages without a conversion, people who ask again
    scattered_silent: float = 0.1  # of genuine ranges with two messages, those of which nobody converts
    scattered_s: float = 900.0  # for which a second message to a range waits for the first, and longer while it goes on
    scattered_share_min: float = 0.15  # of the network's messages, with which it goes on
    scattered_notice_s: float = 1_800.0  # for which a notice holds
    scattered_open: float = 3.0  # times a converting range's usual messages that may be open to it meanwhile
    scattered_waiting: float = 0.03  # of a network's ranges, that wait for a conversion at a time
    scattered_wait_min: float = 2.0  # minutes that each waits at least
    closed_factor: float = 15.0  # times the network's people that an attack is, for ranges to be closed
    scattered_refused: float = 0.02  # of the app's people, who may live in closed ranges
    flooded_factor: float = 2.0  # times all of the app's people, from which an attack is a flood
    flooded_refused: float = 0.05  # the same in a flood

    # End users' addresses and their prefixes
    address_messages_min: float = 6.0  # to different numbers; with fewer none is flagged
    address_unverified_floor: float = 40.0  # unverified messages within minutes that always pass from an address or /64
    prefix_unverified_floor: float = 160.0  # and from a /24 of IPv4 or a /48 of IPv6
    address_verdict_s: float = 1_800.0  # length of a verdict, doubled each time; then the evidence begins anew

    # Probes: messages to flagged ranges that are let through, to see whether they convert
    probe_interval_s: float = 600.0  # to the first; doubled by each silent probe and each earlier verdict
    probe_gaps: float = 4.0  # and at least so many times the range's mean time between messages: of these, one in four
    probe_interval_s_min: float = 60.0  # halved by each probe that converts, down to this
    probe_interval_s_max: float = 3_600.0
    cleared_range_factor: float = 4.0  # times its usual messages that a range may have once its probes converted

    # Time
    verdict_s: float = 7_200.0  # length of a verdict, doubled each time it is repeated
    verdict_gaps: float = 16.0  # and at least so many times the range's mean time between messages, for four probes
    verdict_s_max: float = 86_400.0
    history_half_life_s: float = 3 * 86_400.0
    contagion_s: float = 86_400.0  # for which a flagged range counts against its neighbours

    def address_floor(self, part: str) -> float:
        """Of an `AddressPart`. A host of IPv6 has a whole /64."""
        return self.prefix_unverified_floor if part in ("/24", "/48") else self.address_unverified_floor
