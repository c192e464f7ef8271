"""What the guard takes for granted: prior odds, windows, caps. docs/internals/guard.md argues every one of them."""

from typing import Final

import msgspec

from homing.guard.risk import NO_RISKS, Risks

LEVELS: Final = (3, 4, 5)
"""How many digits each kind of range leaves off: a thousand numbers, ten thousand, a hundred thousand."""


class GuardPolicy(msgspec.Struct, frozen=True):
    """The guard's assumptions. Odds and evidence are natural logarithms ("nats")."""

    prior: float = -7.0  # of theft, for a range of which nothing is known: one in a thousand
    judged: float = 3.0  # posterior odds from which a range is judged as theft: 20 to 1
    cleared: float = -1.0  # and below which a judged one is let go before its time
    novelty: float = 1.5  # a network in which nobody of this account's has come back yet
    contagion: float = 0.7  # times ln(1 + ranges judged lately in the same network)
    contagion_max: float = 2.0
    sibling: float = 1.0  # a neighbour under the same ten or hundred thousand is judged
    elsewhere: float = 3.0  # another account's or app's traffic to the same range is judged
    repeated: float = 1.5  # each time that the range was judged before, twice at most
    margin: float = 3.0  # by which odds may rise, without a message, by what happens elsewhere
    prior_max: float = -3.5  # however bad the neighbourhood, evidence of its own is needed
    risks: Risks = NO_RISKS  # of destinations; not assumed but told and learnt

    # Conversions
    stubborn: float = 15.0  # genuine ranges differ: Beta with so many messages' worth of certainty about the rate
    fractions: tuple[float, ...] = (0.01, 0.2, 0.35, 0.5)  # of the genuine rate that thieves make to convert
    excuse: float = 6.0  # the most that conversions speak for a range of a thousand numbers: they can be forged
    excuse_each: float = 3.0  # and for a wider one, by each conversion of which a thousand has no more than its votes
    fast_s: float = 2.0  # a person needs longer than this to read and type a code

    # Density
    short_min: int = 10
    long_min: int = 360
    evenness: float = 0.5  # shape of how unevenly people use ranges: below 1 some are used much more than others
    certainty: float = 8.0  # the shape at most: even a well known range has its days
    ranges: tuple[float, ...] = (200.0, 40.0, 8.0)  # of a network nothing is known of, by level
    ranges_strength: float = 50.0  # messages' worth of pairs that this weighs
    company: float = 20.0  # messages that a network is thought to have had beside those that were seen
    again: float = 0.1  # the chance that a message is of somebody who asked already
    least: int = 4  # messages within the short window that no range is judged below

    # Whole networks and countries
    people_min: float = 0.05  # judged as a whole only while fewer than so many of its messages can be people's
    proven: float = 20.0  # conversions from which a network counts as known
    floors: tuple[float, float] = (800.0, 1200.0)  # unverified messages that a network, a country may always have open
    open_factor: float = 3.0  # and so many times the conversions of half an hour and of the busiest hour

    # Probes: messages to what is judged that pass, to see whether they convert
    probe_s: float = 600.0  # until the first one, doubled by each that is silent and by each earlier judgement
    probe_s_min: float = 60.0  # halved by each that converts, down to this
    probe_s_max: float = 3_600.0
    widening: float = 4.0  # a range whose probes converted may have so many times the messages that were usual

    # Time
    hold_s: float = 7_200.0  # a judgement's length, doubled each time it is repeated
    hold_s_max: float = 86_400.0
    history_half_life_s: float = 3 * 86_400.0
    contagion_s: float = 86_400.0
