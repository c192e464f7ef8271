"""The kinds of mandatory fields that a PDU is made of (SMPP 3.4, section 3.1), as marks on its annotations."""

from typing import Annotated, TypeAlias, get_type_hints

import msgspec

from homing.smpp.statuses import CommandStatus


class IntegerLayout(msgspec.Struct, frozen=True):
    """A big-endian unsigned integer. Outside the lists, every mandatory one of 3.4 has one octet."""

    octets: int


class CStringLayout(msgspec.Struct, frozen=True):
    """A string that a zero octet ends. `octets_max` counts that octet, as the specification does.

    `fixed`: all of it or nothing ("1 or 17"). `status`: what to answer a request that overdoes it.
    """

    octets_max: int
    status: CommandStatus
    fixed: bool = False


class CountedOctetsLayout(msgspec.Struct, frozen=True):
    """Octets behind an octet that counts them. Where a PDU has such a field, it is the last mandatory one."""

    octets_max: int
    status: CommandStatus


class ListLayout(msgspec.Struct, frozen=True):
    """Items behind an octet that counts them.

    `kinds`: the classes of items by the octet in front of each that tells them apart; None: there is no such octet.
    `status`: what to answer a request with the wrong number of items.
    """

    kinds: dict[int | None, type[msgspec.Struct]]
    status: CommandStatus


FieldLayout: TypeAlias = IntegerLayout | CStringLayout | CountedOctetsLayout | ListLayout

OctetField: TypeAlias = Annotated[int, IntegerLayout(1)]
"""0 to 255."""


def field_layouts(struct: type[msgspec.Struct]) -> list[tuple[str, FieldLayout]]:
    """The names and kinds of a struct's fields that travel, in order."""
    hints = get_type_hints(struct, include_extras=True)
    marked = ((name, getattr(hints[name], "__metadata__", ())) for name in struct.__struct_fields__)
    return [(name, marks[0]) for name, marks in marked if marks]
