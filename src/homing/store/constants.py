"""The enumerations whose members statements name."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homing import model
from homing.states import State

ENUMS: Final[Mapping[str, type[enum.IntEnum]]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            State,
            model.BindKind,
            model.Book,
            model.Door,
            model.EntryKind,
            model.Outcome,
            model.PushKind,
            model.PushOutcome,
            model.Strategy,
            model.Traffic,
            model.UserRole,
        )
    }
)
