"""Readers and writers of PDU bodies, compiled once from the annotations in `pdus`.

A body whose fields are strings, octets and one counted field at the end is read by one regular expression and written
by one format string, both made from its table: no Python code runs for each field. A body that the expression does not
match is read field by field, which finds the error; so are the two PDUs that have lists.
"""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec

from homing.smpp import tlvs
from homing.smpp.fields import CountedOctetsLayout, CStringLayout, FieldLayout, IntegerLayout, ListLayout, field_layouts
from homing.smpp.pdus import DeliverSm, Pdu, ResponsePdu
from homing.smpp.statuses import CommandStatus

SMPP_CSTRING_BYTES_MAX: Final = 255  # read where the specification allows fewer; requests with more are refused


Fields: TypeAlias = list[tuple[str, FieldLayout]]
PduBodyReader: TypeAlias = Callable[[bytes, str, int, int, int], Pdu]
"""Octets, the same as Latin-1, where the body begins and ends in both, the header's status; raises MalformedBody."""
PduBodyWriter: TypeAlias = Callable[[Pdu], bytes]
"""The body's octets; raises UnencodablePdu."""

_LATIN_1: Final = "latin-1"
_TOLERATED: Final = SMPP_CSTRING_BYTES_MAX


class MalformedBody(Exception):
    """A body does not fit its command. `status`: what to answer."""

    def __init__(self, status: CommandStatus, description: str) -> None:
        super().__init__(description)
        self.status = status


class UnencodablePdu(ValueError):
    """A PDU has a value that SMPP 3.4 cannot carry in its field: a mistake of the caller."""


# ---- Field by field


def _walk(fields: Fields, data: bytes, at: int, end: int, lenient: bool = False) -> tuple[list[Any], int]:
    """Reads field by field: the values, and where they end. Raises MalformedBody.

    `lenient`: a string may lack its end, and the values end where the body does.
    """
    values: list[Any] = []
    for name, mark in fields:
        if lenient and at >= end:
            break
        try:
            value, at = _read(name, mark, data, at, end)
        except MalformedBody:
            if not lenient:
                raise
            if isinstance(mark, CStringLayout):
                values.append(data[at:end].partition(b"\0")[0].decode(_LATIN_1))
            return values, end
        values.append(value)
    return values, at


def _read(name: str, mark: FieldLayout, data: bytes, at: int, end: int) -> tuple[Any, int]:
    match mark:
        case CStringLayout(_, status):
            stop = data.find(0, at, min(end, at + _TOLERATED + 1))
            if stop >= 0:
                return data[at:stop].decode(_LATIN_1), stop + 1
            if end - at > _TOLERATED:
                raise MalformedBody(status, f"{name} is longer than {_TOLERATED} octets")
            raise MalformedBody(CommandStatus.RINVCMDLEN, f"the body ends within {name}")
        case IntegerLayout(octets):
            if end - at < octets:
                raise MalformedBody(CommandStatus.RINVCMDLEN, f"the body ends before {name}")
            return int.from_bytes(data[at : at + octets], "big"), at + octets
        case CountedOctetsLayout(_, status):
            length, at = _count(name, data, at, end)
            if end - at < length:
                raise MalformedBody(status, f"{name} says {length} octets where {end - at} are left")
            return data[at : at + length], at + length
        case ListLayout(kinds, status):
            count, at = _count(name, data, at, end)
            items: list[msgspec.Struct] = []
            for _ in range(count):
                if at >= end:
                    raise MalformedBody(status, f"{name} says {count} items and has {len(items)}")
                item, at = _read_item(kinds, data, at, end)
                items.append(item)
            return tuple(items), at


def _count(name: str, data: bytes, at: int, end: int) -> tuple[int, int]:
    if at >= end:
        raise MalformedBody(CommandStatus.RINVCMDLEN, f"the body ends before the length of {name}")
    return data[at], at + 1


def _read_item(
    kinds: dict[int | None, type[msgspec.Struct]], data: bytes, at: int, end: int
) -> tuple[msgspec.Struct, int]:
    kind = kinds.get(None)
    if kind is None:
        kind = kinds.get(data[at])
        if kind is None:
            raise MalformedBody(CommandStatus.RINVDESTFLAG, f"a destination has the flag {data[at]}")
        at += 1
    values, at = _walk(field_layouts(kind), data, at, end)
    return kind(*values), at


def _write(name: str, mark: FieldLayout, value: Any) -> bytes:
    octets: bytes
    match mark:
        case CStringLayout(octets_max, _, fixed):
            if len(value) >= octets_max or (fixed and 0 < len(value) < octets_max - 1) or "\0" in value:
                raise UnencodablePdu(f"{name} takes {octets_max - 1} octets and no zero, not {value!r}")
            try:
                octets = value.encode(_LATIN_1) + b"\0"
                return octets
            except UnicodeEncodeError:
                raise UnencodablePdu(f"{name} holds a character beyond Latin-1: {value!r}") from None
        case IntegerLayout(size):
            if not 0 <= value < 1 << 8 * size:
                raise UnencodablePdu(f"{name} is an integer of {size} octets, not {value}")
            return int(value).to_bytes(size, "big")
        case CountedOctetsLayout(octets_max):
            if len(value) > octets_max:
                raise UnencodablePdu(f"{name} takes {octets_max} octets, not {len(value)}")
            octets = bytes((len(value),)) + value
            return octets
        case ListLayout(kinds):
            if len(value) > 255:
                raise UnencodablePdu(f"{name} takes 255 items, not {len(value)}")
            return bytes((len(value),)) + b"".join(_write_item(kinds, item) for item in value)


def _write_item(kinds: dict[int | None, type[msgspec.Struct]], item: msgspec.Struct) -> bytes:
    flag = next(flag for flag, kind in kinds.items() if type(item) is kind)
    front = b"" if flag is None else bytes((flag,))
    return front + b"".join(_write(name, mark, getattr(item, name)) for name, mark in field_layouts(type(item)))


# ---- At once


class _BodyPattern:
    """The strings and octets of a body as one regular expression and one format string.

    A counted field is in them as its count: the last octet, whose value is the field's length.
    """

    def __init__(self, fields: Fields) -> None:
        self.counted = bool(fields) and isinstance(fields[-1][1], CountedOctetsLayout)
        self.marks: list[FieldLayout] = [
            IntegerLayout(1) if isinstance(mark, CountedOctetsLayout) else mark for _name, mark in fields
        ]
        strings = [at for at, mark in enumerate(self.marks) if isinstance(mark, CStringLayout)]
        octets = [at for at, mark in enumerate(self.marks) if isinstance(mark, IntegerLayout)]
        self.strings = _getter(strings)
        self.format = "".join("%c" if isinstance(mark, IntegerLayout) else "%s\0" for mark in self.marks)
        self.sendable = re.compile("\0".join(_sendable(mark) for mark in self.marks if isinstance(mark, CStringLayout)))
        self.pattern = re.compile(_pattern(self.marks), re.DOTALL)
        groups = list(_groups(self.marks))
        self.string_groups = _getter([at for at, is_string in enumerate(groups) if is_string])
        self.octet_groups = _getter([at for at, is_string in enumerate(groups) if not is_string])
        places = {place: at for at, place in enumerate(strings + octets)}
        self.in_order = _getter([places[place] for place in range(len(self.marks))])


def _groups(marks: Sequence[FieldLayout]) -> list[bool]:
    """The groups of the expression: True for a string, False for a run of octets."""
    groups: list[bool] = []
    for mark in marks:
        is_string = isinstance(mark, CStringLayout)
        if is_string or not groups or groups[-1]:
            groups.append(is_string)
    return groups


def _pattern(marks: Sequence[FieldLayout]) -> str:
    parts: list[str] = []
    for mark in marks:
        if isinstance(mark, CStringLayout):
            parts.append(f"([^\0]{{0,{_TOLERATED}}})\0")
        elif parts and parts[-1].endswith(".)"):
            parts[-1] = parts[-1][:-1] + ".)"
        else:
            parts.append("(.)")
    return "".join(parts)


def _sendable(mark: CStringLayout) -> str:
    octets = mark.octets_max - 1
    return f"(?:[\x01-\xff]{{{octets}}})?" if mark.fixed else f"[\x01-\xff]{{0,{octets}}}"


def _getter(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """An `itemgetter` that returns a tuple also for one item, and for none."""
    if not places:
        return lambda _items: ()
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)


def _has_pattern(fields: Fields) -> bool:
    if any(isinstance(mark, ListLayout) for _name, mark in fields):
        return False
    return all(not isinstance(mark, CountedOctetsLayout) for _name, mark in fields[:-1])


# ---- Readers and writers


def reader(pdu: type[Pdu]) -> PduBodyReader:
    """The reader of this class's bodies. A response's reader never raises.

    A field of a response that cannot be read has its default value: nobody can be answered about it, and its status,
    which tells about the request, counts more. The same holds for a body where there should be none, and for the
    optional parameters of a deliver_sm.
    """
    fields = field_layouts(pdu)
    is_response = issubclass(pdu, ResponsePdu)
    is_lenient = is_response or not fields
    # a carrier whose deliver_sm is refused repeats it, or drops the receipt, though its text is whole
    read_tlvs = tlvs.read_leniently if pdu is DeliverSm else tlvs.read
    make: Callable[..., Pdu] = pdu

    def walk(data: bytes, at: int, end: int, status: int) -> Pdu:
        values, at = _walk(fields, data, at, end, is_lenient)
        try:
            further = read_tlvs(data, at, end)
        except tlvs.TlvOverrun as overrun:
            if not is_lenient:
                raise MalformedBody(CommandStatus.RINVOPTPARSTREAM, str(overrun)) from None
            further = ()
        return make(*values, tlvs=further, status=status) if is_response else make(*values, tlvs=further)

    if not _has_pattern(fields) or not fields:
        return lambda data, _text, at, end, status: walk(data, at, end, status)
    run = _BodyPattern(fields)
    counted = run.counted
    match, strings_of, octets_of, in_order = run.pattern.match, run.string_groups, run.octet_groups, run.in_order

    def read_request(data: bytes, text: str, at: int, end: int, status: int) -> Pdu:
        matched = match(text, at, end)
        if matched is None:
            return walk(data, at, end, status)
        groups = matched.groups()
        values = in_order((*strings_of(groups), *"".join(octets_of(groups)).encode(_LATIN_1)))
        stop = matched.end()
        if counted:
            begin = stop
            stop += values[-1]
            if stop == end:
                return make(*values[:-1], data[begin:stop])
            if stop > end:
                return walk(data, at, end, status)
            values = (*values[:-1], data[begin:stop])
        elif stop == end:
            return make(*values)
        try:
            return make(*values, tlvs=read_tlvs(data, stop, end))
        except tlvs.TlvOverrun as overrun:
            raise MalformedBody(CommandStatus.RINVOPTPARSTREAM, str(overrun)) from None

    def read_response(data: bytes, text: str, at: int, end: int, status: int) -> Pdu:
        matched = match(text, at, end)
        if matched is None or matched.end() != end:
            return walk(data, at, end, status)
        groups = matched.groups()
        return make(
            *in_order((*strings_of(groups), *"".join(octets_of(groups)).encode(_LATIN_1))),
            status=status,
        )

    return read_response if is_response else read_request


def writer(pdu: type[Pdu]) -> PduBodyWriter:
    """The writer of this class's bodies."""
    fields = field_layouts(pdu)
    drops_body = issubclass(pdu, ResponsePdu) and pdu.drops_body

    if not fields:
        return lambda body: _write_tlvs(body.tlvs) if body.tlvs else b""

    def walk(body: Pdu) -> bytes:
        return b"".join(_write(name, mark, getattr(body, name)) for name, mark in fields) + _write_tlvs(body.tlvs)

    if drops_body:
        bodiless = [getattr(pdu(), name) for name, _mark in fields]
    if not _has_pattern(fields):
        return walk
    run = _BodyPattern(fields)
    layout, strings_of, sendable, counted = run.format, run.strings, run.sendable.fullmatch, run.counted
    astuple, count = msgspec.structs.astuple, len(fields)
    last = fields[-1][1]
    longest = last.octets_max if isinstance(last, CountedOctetsLayout) else 0

    def write(body: Pdu) -> bytes:
        values = astuple(body)[:count]
        if counted:
            tail = values[-1]
            if len(tail) > longest:
                walk(body)
            values = (*values[:-1], len(tail))
            if body.tlvs:
                tail += _write_tlvs(body.tlvs)
        else:
            if drops_body and body.status and not body.tlvs and list(values) == bodiless:  # type: ignore[attr-defined]
                return b""
            tail = _write_tlvs(body.tlvs) if body.tlvs else b""
        try:
            if sendable("\0".join(strings_of(values))) is None:
                walk(body)
            octets: bytes = (layout % values).encode(_LATIN_1) + tail
            return octets
        except (UnicodeEncodeError, OverflowError):
            walk(body)
            raise

    return write


def _write_tlvs(further: tlvs.Tlvs) -> bytes:
    try:
        return tlvs.write(further)
    except ValueError as fault:
        raise UnencodablePdu(str(fault)) from None
