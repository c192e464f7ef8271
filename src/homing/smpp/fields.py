"""The kinds of mandatory fields that a PDU is made of (SMPP 3.4, section 3.1), as marks on its annotations."""

from typing import Annotated, TypeAlias, get_type_hints

import msgspec

from homing.smpp.statuses import CommandStatus


class IntegerLayout(msgspec.Struct, frozen=True):
    """A big-endian unsigned integer. Outside the lists, every mandatory one of 3.4 has one octet."""

    octets: int


class CStringLayout(msgspec.Struct, frozen=True):
    """A C-Octet String: a zero octet ends it. `octets_max` counts that octet, as the specification does.

    `fixed`: empty or of full length ("1 or 17"). `status`: the response to a request in which it is too long.
    """

    octets_max: int
    status: CommandStatus
    fixed: bool = False


class CountedOctetsLayout(msgspec.Struct, frozen=True):
    """Octets behind an octet that counts them (sm_length, short_message). In a PDU it is the last mandatory field."""

    octets_max: int
    status: CommandStatus


class ListLayout(msgspec.Struct, frozen=True):
    """Items behind an octet that counts them.

    `kinds`: the classes of items by the flag octet in front of each; None: there is no flag.
    `status`: the response to a request with a wrong number of items.
    """

    kinds: dict[int | None, type[msgspec.Struct]]
    status: CommandStatus


FieldLayout: TypeAlias = IntegerLayout | CStringLayout | CountedOctetsLayout | ListLayout

OctetField: TypeAlias = Annotated[int, IntegerLayout(1)]
"""0 to 255."""


def field_layouts(struct: type[msgspec.Struct]) -> list[tuple[str, FieldLayout]]:
    """The names and layouts of a struct's fields on the wire, in order."""
    hints = get_type_hints(struct, include_extras=True)
    marked = ((name, getattr(hints[name], "__metadata__", ())) for name in struct.__struct_fields__)
    return [(name, marks[0]) for name, marks in marked if marks]
