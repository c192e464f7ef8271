"""A cell as the learner has it, and the keys under which its delays are. Pure."""

from homing.learning.delays import Key
from homing.learning.memory import CarrierMemory
from homing.routing.cells import CellKey

AppKey = tuple[int, str]
"""Account id, app id."""


class LearnedCell:
    """`memories` are by carrier id; `sustained_rate`: of genuine messages, which changes slowly."""

    __slots__ = ("block", "key", "last_sent_s", "memories", "sustained_rate")

    def __init__(self, key: CellKey, now_s: float) -> None:
        self.key = key
        self.memories: dict[int, CarrierMemory] = {}
        self.last_sent_s = now_s
        self.block = ""
        self.sustained_rate: float | None = None


def app_of(key: CellKey) -> AppKey:
    return key.account_id, key.app_id


def conversion_keys(key: CellKey, carrier_id: int) -> tuple[Key, ...]:
    app = key.account_id, key.app_id
    return ("",), app, (*app, carrier_id), (*app, carrier_id, key.country)


def repeat_keys(key: CellKey) -> tuple[Key, ...]:
    return ("",), (key.account_id, key.app_id)


def receipt_keys(carrier_id: int, country: str) -> tuple[Key, ...]:
    return ("",), (carrier_id,), (carrier_id, country)
