"""Types of number (TON) and numbering plans (NPI) of addresses (SMPP 3.4, sections 5.2.5 and 5.2.6): those in use."""

from enum import IntEnum


class Ton(IntEnum):
    """A type of number."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NETWORK_SPECIFIC = 3
    ALPHANUMERIC = 5


class Npi(IntEnum):
    """A numbering plan."""

    UNKNOWN = 0
    ISDN = 1
