"""The key of a cell: the unit in which adaptive routing learns."""

import msgspec


class CellKey(msgspec.Struct, frozen=True):
    """An app's messages to a network. `network` is the MCC and MNC as digits; '' stands for all networks of the
    country, a `country` '' for all destinations.
    """

    account_id: int
    app_id: str
    country: str
    network: str
