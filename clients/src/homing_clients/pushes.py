"""Common to both dialects' pushes: parsing, and the response that ends the retries."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from homing_clients.errors import BadPush
from homing_clients.reading import Members, Unreadable, members_of_push

T = TypeVar("T")


class Acknowledgement(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str


ACKNOWLEDGEMENT: Final = Acknowledgement(200, b"OK", "text/plain")
"""For a push that is stored. laaffic wants 200, lia any 2xx; both go on pushing after anything else (contracts,
sections 10 and 7)."""


def parse_push(body: bytes, read: Callable[[Members], T]) -> T:
    """Raises `BadPush`."""
    try:
        return read(members_of_push(body))
    except Unreadable as error:
        raise BadPush(str(error)) from None
