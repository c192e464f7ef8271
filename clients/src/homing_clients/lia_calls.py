"""The lia dialect's five calls: how each is written and its answer read (docs/reference/lia.md).

All are posted as JSON, so that no password stands in a URL.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from homing_clients import errors
from homing_clients.call import HEADERS, ClientCall, ClientEndpoint, ClientReply, ClientRequest, parse_base
from homing_clients.lia_results import Balance, Delivery, Message, Sent, Status
from homing_clients.reading import Members, Unreadable, body_of, failure_of, members_of, parse

T = TypeVar("T")

BASE_URL: Final = "https://api.liasmart.com/api"

SEND: Final = ClientEndpoint("SendSMS", "POST", repeatable=False)
SEND_MULTI: Final = ClientEndpoint("SendSMSMulti", "POST", repeatable=False)
CHECK_BALANCE: Final = ClientEndpoint("CheckBalance", "POST", repeatable=True)
GET_DELIVERY_STATUS: Final = ClientEndpoint("GetDeliveryStatus", "POST", repeatable=True)
CTRACK: Final = ClientEndpoint("CTrack", "POST", repeatable=True)

REMARKS: Final[Mapping[str, type[errors.Refused]]] = {
    "api_id not specified": errors.NotAuthenticated,
    "api_password not specified": errors.NotAuthenticated,
    "invalid api_id": errors.NotAuthenticated,
    "invalid api_password": errors.NotAuthenticated,
    "ip not whitelisted": errors.AddressNotAllowed,
    "account locked": errors.AccountLocked,
    "insufficient balance": errors.InsufficientBalance,
    "phonenumber not specified": errors.NumbersEmpty,
    "invalid phonenumber": errors.NumbersInvalid,
    "too many phonenumbers": errors.NumbersTooMany,
    "too many messages": errors.TooFrequent,
    "textmessage not specified": errors.ContentEmpty,
    "textmessage too long": errors.ContentTooLong,
    "textmessage contains sensitive words": errors.SensitiveWords,
    "textmessage matches no template": errors.TemplateMismatch,
    "invalid templateid": errors.TemplateMissing,
    "encoding t cannot carry this text": errors.BadParameter,
    "no route for this phonenumber": errors.NoRoute,
    "destination blocked": errors.NoRoute,
    "uid was used for another message to this phonenumber": errors.BadParameter,
    "flash messages are not carried to this phonenumber": errors.NoRoute,
    "invalid message_id": errors.MessageUnknown,
    "system error, please try again": errors.VendorFault,
}
"""By the remark in small letters. Others that begin or end like a complaint about a parameter are `BadParameter`."""

TRACK_DONE: Final = 1000
TRACK_REPEATED: Final = 1009
TRACK: Final[Mapping[int, type[errors.Refused]]] = {
    1001: errors.NotAuthenticated,
    1002: errors.NotAuthenticated,
    1003: errors.NotAuthenticated,
    1004: errors.NotAuthenticated,
    1005: errors.BadParameter,
    1006: errors.BadParameter,
    1007: errors.BadParameter,
    1008: errors.MessageUnknown,
    TRACK_REPEATED: errors.AlreadyReported,
}
"""CTrack's codes (contract, section 2)."""


class LiaCalls:
    """Builds the calls of one credential."""

    def __init__(self, api_id: str, api_password: str, base_url: str) -> None:
        """Raises ValueError for a base URL that cannot be one."""
        self.base = parse_base(base_url)
        self._credential = {"api_id": api_id, "api_password": api_password}

    def render(self, call: ClientCall[Any], now_s: float) -> ClientRequest:
        """JSON with the credentials in it (contract, section 1)."""
        return ClientRequest(
            "POST",
            f"{self.base.prefix}/{call.endpoint.name}",
            {**HEADERS, "Content-Type": "application/json"},
            msgspec.json.encode({**self._credential, **call.parameters}),
        )

    def send(self, number: str, message: Message) -> ClientCall[Sent]:
        """SendSMS: one message to one number. A refusal is raised."""
        parameters = {**_parameters(message), "phonenumber": number}
        return _call(SEND, parameters, lambda reply: _sent_one(number, reply))

    def send_many(self, numbers: Sequence[str], message: Message) -> ClientCall[tuple[Sent, ...]]:
        """SendSMSMulti: one message to up to 1000 numbers; a result for each, in their order.

        A number that fails fails alone: its result holds the refusal. What is wrong with the call as a whole is raised.
        Raises ValueError when there is no number, or one with a comma in it.
        """
        if not numbers or any("," in number for number in numbers):
            raise ValueError("numbers are given one by one, without commas")
        parameters = {**_parameters(message), "phonenumber": ",".join(numbers)}
        return _call(SEND_MULTI, parameters, lambda reply: _sent_many(numbers, reply))

    def balance(self) -> ClientCall[Balance]:
        """CheckBalance: what can be spent."""
        return _call(CHECK_BALANCE, {}, lambda reply: _balance(_success(reply)))

    def status(self, *, message_id: int | None = None, uid: str = "", carrier_id: str = "") -> ClientCall[Delivery]:
        """GetDeliveryStatus: what became of a message, by its id, your reference or the carrier's id.

        Raises ValueError when none is given.
        """
        keys = {"message_id": message_id, "uid": uid, "SMSID": carrier_id}
        parameters = {name: value for name, value in keys.items() if value}
        if not parameters:
            raise ValueError("a message_id, uid or carrier_id is needed")
        return _call(GET_DELIVERY_STATUS, parameters, lambda reply: _delivery(_success(reply)))

    def report_conversion(self, message_id: int) -> ClientCall[None]:
        """CTrack: the person who got the message finished what it was for.

        Raises `AlreadyReported` when that was reported before. When the answer to an earlier try of this call was lost,
        the same code means that it is recorded now, by that try or before, and nothing is raised.
        """
        parameters = {"message_id": str(message_id), "status": "true"}
        return ClientCall(CTRACK, parameters, _tracked, CTRACK.repeatable)


def _call(
    endpoint: ClientEndpoint, parameters: Mapping[str, object], read: Callable[[ClientReply], T]
) -> ClientCall[T]:
    return ClientCall(endpoint, parameters, lambda reply, _doubt: read(reply), endpoint.repeatable)


def _parameters(message: Message) -> dict[str, object]:
    parameters: dict[str, object] = {
        "sms_type": "T" if message.transactional else "P",
        "encoding": message.encoding.value,
        "sender_id": message.sender,
        "textmessage": message.text,
        "uid": message.uid,
        "callback_url": message.callback_url,
        "templateid": message.template,
        "ValidityPeriodInSeconds": message.validity_s or "",
        "pe_id": message.pe_id,
        "template_id": message.template_id,
        **{f"V{position}": value for position, value in enumerate(message.variables, 1)},
    }
    return {name: value for name, value in parameters.items() if value != ""}


def _json(reply: ClientReply) -> Any:
    """The answer's JSON. Raises what its HTTP status means when that is not 200."""
    if reply.status != 200:
        raise failure_of(reply)
    return parse(body_of(reply))


def _success(reply: ClientReply) -> Members:
    members = members_of(_json(reply))
    _check(members)
    return members


def _check(members: Members) -> None:
    """Raises the refusal of an answer whose status is F."""
    if members.text("status").strip().upper() == "F":
        raise refusal_of(members.text("remarks"))


def refusal_of(remark: str) -> errors.Refused:
    """What a remark means (contract, sections 3 and 5)."""
    normalised = remark.strip().lower()
    kind = REMARKS.get(normalised) or REMARKS.get(normalised.partition(":")[0])  # what follows a colon explains
    if kind is None:
        complains = normalised.startswith("invalid ") or normalised.endswith(" not specified")
        kind = errors.BadParameter if complains else errors.Refused
    return kind(remark, in_doubt=issubclass(kind, errors.VendorFault))


def _rows(value: Any) -> list[Members]:
    """SendSMS answers an object, SendSMSMulti an array, or an object when the call as a whole failed; either is
    understood from both.
    """
    return [members_of(row) for row in (value if isinstance(value, list) else [value])]


def _sent(number: str, row: Members) -> Sent:
    message_id = row.whole("message_id")
    if message_id > 0:
        return Sent(number, message_id, row.text("uid"), row.text("remarks"))
    if row.text("status").strip().upper() != "F":
        raise Unreadable("neither a message_id nor a refusal")
    return Sent(number, None, row.text("uid"), row.text("remarks"), refusal_of(row.text("remarks")))


def _sent_one(number: str, reply: ClientReply) -> Sent:
    rows = _rows(_json(reply))
    if len(rows) != 1:
        raise Unreadable(f"{len(rows)} replies for one number")
    sent = _sent(number, rows[0])
    if sent.refusal is not None:
        raise sent.refusal
    return sent


def _sent_many(numbers: Sequence[str], reply: ClientReply) -> tuple[Sent, ...]:
    value = _json(reply)
    rows = _rows(value)
    if len(rows) == 1:
        sent = _sent(numbers[0], rows[0])
        is_whole = isinstance(value, dict) or len(numbers) > 1 or isinstance(sent.refusal, errors.AccessRefused)
        if sent.refusal is not None and is_whole:
            raise sent.refusal
    if len(rows) != len(numbers):
        raise Unreadable(f"{len(rows)} replies for {len(numbers)} numbers")
    return tuple(map(_sent, numbers, rows))


def _balance(members: Members) -> Balance:
    if "BalanceAmount" not in members:
        raise Unreadable("no BalanceAmount")
    return Balance(members.amount("BalanceAmount"), members.text("CurrenceCode") or members.text("CurrencyCode"))


def status_of(word: str) -> Status:
    """The vendor's word in any letter case; one that is not in the contract is `UNKNOWN`."""
    return next((status for status in Status if status.value.lower() == word.strip().lower()), Status.UNKNOWN)


def _delivery(members: Members) -> Delivery:
    if "DLRStatus" not in members:
        raise Unreadable("no DLRStatus")
    word = members.text("DLRStatus")
    return Delivery(
        message_id=members.whole("message_id"),
        number=members.text("PhoneNumber"),
        text=members.text("SMSMessage"),
        is_unicode=members.text("MessageType").strip().lower() == "unicode",
        length=members.whole("MessageLength"),
        parts=members.whole("MessageParts"),
        cost=members.amount("ClientCost"),
        status=status_of(word),
        word=word,
        carrier_id=members.text("SMSID"),
        error_code=members.text("ErrorCode"),
        error_text=members.text("ErrorDescription"),
        sent_at=members.time("SentDateUTC"),
        remarks=members.text("Remarks"),
    )


def _tracked(reply: ClientReply, doubt: bool) -> None:
    members = _success(reply)
    if "ErrorCode" not in members:
        raise Unreadable("no ErrorCode")
    code = members.whole("ErrorCode")
    if code == TRACK_DONE or (code == TRACK_REPEATED and doubt):
        return
    raise TRACK.get(code, errors.Refused)(members.text("ErrorDescription"), code=str(code))
