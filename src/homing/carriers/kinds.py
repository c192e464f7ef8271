"""The kinds of carriers there are, and how a row's settings become one."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.carriers.base import Carrier
from homing.carriers.simulator import SimulatorCarrier, SimulatorSettings


def _simulator(settings: bytes) -> Carrier:
    return SimulatorCarrier(msgspec.json.decode(settings, type=SimulatorSettings))


KINDS: Final[Mapping[str, Callable[[bytes], Carrier]]] = {"simulator": _simulator}


def make(kind: str, settings: str) -> Carrier:
    """A carrier from its row. Raises `OperatorError` when the kind or a setting is unknown."""
    if kind not in KINDS:
        raise errors.OperatorError(f"there is no carrier kind {kind!r}; there is: {', '.join(KINDS)}")
    try:
        return KINDS[kind](settings.encode())
    except msgspec.MsgspecError as error:
        raise errors.OperatorError(f"settings of a {kind} carrier: {error}") from None
