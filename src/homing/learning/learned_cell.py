"""A cell as the learner has it, and the keys under which its delays are. Pure."""

from homing.learning.delays import Key
from homing.learning.memory import CarrierMemory
from homing.routing.cells import CellKey

AppKey = tuple[int, str]
"""Account id, app id."""


class LearnedCell:
    """By carrier id: `memories`, and `sustained_rates`, at which genuine messages convert, which change slowly."""

    __slots__ = ("block", "key", "last_sent_s", "memories", "sustained_rates")

    def __init__(self, key: CellKey, now_s: float) -> None:
        self.key = key
        self.memories: dict[int, CarrierMemory] = {}
        self.last_sent_s = now_s
        self.block = ""
        self.sustained_rates: dict[int, float] = {}


def app_of(key: CellKey) -> AppKey:
    return key.account_id, key.app_id


def conversion_keys(key: CellKey, carrier_id: int) -> tuple[Key, ...]:
    app = key.account_id, key.app_id
    return ("",), app, (*app, carrier_id), (*app, carrier_id, key.country)


def repeat_keys(key: CellKey) -> tuple[Key, ...]:
    return ("",), (key.account_id, key.app_id)


def receipt_keys(carrier_id: int, country: str) -> tuple[Key, ...]:
    return ("",), (carrier_id,), (carrier_id, country)
