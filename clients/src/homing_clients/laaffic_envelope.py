"""What all answers of the laaffic dialect have around what they tell (docs/reference/laaffic.md)."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from homing_clients import errors
from homing_clients.call import ClientCall, ClientEndpoint, ClientReply
from homing_clients.reading import Members, Unreadable, body_of, failure_of, members_of, parse

T = TypeVar("T")

CODES: Final[Mapping[str, type[errors.Refused]]] = {
    "-1": errors.NotAuthenticated,
    "-2": errors.AddressNotAllowed,
    "-3": errors.SensitiveWords,
    "-4": errors.ContentEmpty,
    "-5": errors.ContentTooLong,
    "-6": errors.TemplateMismatch,
    "-7": errors.NumbersTooMany,
    "-8": errors.NumbersEmpty,
    "-9": errors.NumbersInvalid,
    "-10": errors.InsufficientBalance,
    "-11": errors.BadTime,
    "-12": errors.BatchFailed,
    "-13": errors.AccountLocked,
    "-14": errors.MessageUnknown,
    "-15": errors.TooFrequent,
    "-16": errors.ClockOff,
    "-17": errors.TemplateMissing,
    "-18": errors.VendorFault,
    "-19": errors.NoRoute,
    "-20": errors.AlreadyNamed,
    "-22": errors.BadParameter,
    "-25": errors.OutOfRange,
    "-26": errors.NoPrice,
    "-27": errors.AppLimit,
    "-28": errors.NumberLimit,
    "-29": errors.SensitiveCodeText,
}
"""Contract, section 2. A code that is not here is a plain `Refused`."""


def call_of(
    endpoint: ClientEndpoint, parameters: Mapping[str, object], read: Callable[[ClientReply], T]
) -> ClientCall[T]:
    return ClientCall(endpoint, parameters, lambda reply, _doubt: read(reply), endpoint.repeatable)


def envelope_of(reply: ClientReply) -> Members:
    """The members of a success. Raises what the status code means; the dialect's words go before the HTTP status."""
    try:
        members = members_of(parse(body_of(reply)))
    except Unreadable:
        if reply.status != 200:
            raise failure_of(reply) from None
        raise
    code = members.text("status").strip()
    if code == "0" and reply.status == 200:
        return members
    if code in ("", "0") or (reply.status != 200 and code not in CODES):
        raise failure_of(reply) if reply.status != 200 else Unreadable("no status")
    kind = CODES.get(code, errors.Refused if code.startswith("-") else errors.VendorFault)
    doubt = issubclass(kind, errors.VendorFault)
    raise kind(members.text("reason"), code=code, http_status=reply.status, in_doubt=doubt)
