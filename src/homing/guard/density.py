"""How dense a range is, with the counts that this rests on."""

import msgspec


class Density(msgspec.Struct, frozen=True):
    """A range's messages against its share of the network's: the `nats` of the window with more evidence, in which
    `messages` came and `expected` were. `short_messages` and `short_expected`: those of the short window, `long_` of
    the long one. `shape`: of the negative binomial. `short_room`: how many times the messages of a range without
    conversions it may have in the short window. Without history the network's limits are the range's own.
    """

    nats: float
    messages: float
    expected: float
    short_messages: float
    short_expected: float
    shape: float
    short_room: float
    long_messages: float
    long_expected: float
    has_history: bool
