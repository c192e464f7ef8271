"""Statements as their files define them, with values by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from homing.store import queries
from homing.store.queries import Definition


def definition_of(name: str) -> Definition:
    (found,) = [
        definition
        for module in queries.names()
        for definition in queries.read(queries.text_of(module)).definitions.values()
        if definition.name == name
    ]
    return found


def in_order(name: str, values: Mapping[str, Any]) -> Sequence[Any]:
    """A value for each placeholder: by the parameter's name, or the column's of a batch; None where none is given."""
    names = [
        placeholder or parameter.name
        for parameter in definition_of(name).parameters
        for placeholder in parameter.placeholders
    ]
    assert values.keys() <= set(names), f"{name} has {names}"
    return [values.get(each) for each in names]
