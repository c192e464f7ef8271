"""Forms as multipart/form-data (RFC 7578): what PHP's curl sends of an array. Read within the body's bound."""

import re
from typing import Final

from homing import errors, limits

MULTIPART: Final = "multipart/form-data"
BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
"""RFC 2046, section 5.1.1: 70 characters at most."""
DISPOSITION: Final = re.compile(
    rb"^content-disposition:[ \t]*form-data\b([^\r\n]*)", re.IGNORECASE | re.MULTILINE | re.ASCII
)
NAME: Final = re.compile(rb';[ \t]*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE)
FILE: Final = re.compile(rb";[ \t]*filename\*?=", re.IGNORECASE)


class TooManyParameters(errors.Refusal):
    """The call has more parameters than any call can need."""


def read(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """(name, value) of the fields, the first of each name; files are passed over. Bytes that are not UTF-8 become lone
    surrogates. Raises `BadShape` for a body that is cut off or no multipart form, `TooManyParameters` above
    `HTTP_PARAMETERS_MAX` parts.
    """
    match = BOUNDARY.search(content_type)
    if match is None:
        raise errors.BadShape
    delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(delimiter, limits.HTTP_PARAMETERS_MAX + 1)
    if len(pieces) < 2:
        raise errors.BadShape
    fields: dict[str, str] = {}
    for position, piece in enumerate(pieces[1:]):
        if piece.startswith(b"--"):
            return list(fields.items())
        if position == limits.HTTP_PARAMETERS_MAX:
            raise TooManyParameters("too many parameters")
        head, blank, value = piece.partition(b"\r\n\r\n")
        disposition = DISPOSITION.search(head)
        name = None if disposition is None else NAME.search(disposition[1])
        if not blank or disposition is None or name is None:
            raise errors.BadShape
        if FILE.search(disposition[1]) is None:
            key = (name[1] or name[2] or b"").decode(errors="surrogateescape")
            fields.setdefault(key, value.decode(errors="surrogateescape"))
    raise errors.BadShape
