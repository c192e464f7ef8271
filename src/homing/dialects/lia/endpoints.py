"""The lia dialect: five endpoints under /api (docs/reference/lia.md)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.accounts.profile import Profile
from homing.accounts.refused_calls import HasReason
from homing.api.http.body import BodyTooLarge
from homing.api.http.call_keys import CallKeys, KeyProblem, KeyRefused
from homing.api.http.cross_origin import CrossOrigin
from homing.api.http.failure_log import FailureLog
from homing.api.http.multipart_form import TooManyParameters
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.common.crypto import same
from homing.conversions.recorder import ConversionOutcome
from homing.dialects.lia import bounds
from homing.dialects.lia import parameters as lia_parameters
from homing.dialects.lia.money import currency_number
from homing.dialects.lia.number import NUMBER
from homing.dialects.lia.parameters import Parameters
from homing.dialects.lia.send import LiaSender, echo_of, failed, whole_failure
from homing.dialects.lia.settings import LiaDialectSettings
from homing.dialects.lia.words import STATE_WORDS, SYSTEM_ERROR, remark_of
from homing.dialects.serving import Services
from homing.i18n.reasons import failure_text
from homing.model import CURRENCY
from homing.reasons import Reason, ReasonCode
from homing.states import MessageState
from homing.store.statements.messages import MessageRow
from homing.text.segments import TextEncoding, utf16_units

encode: Final = msgspec.json.encode
BOTH: Final = frozenset(("GET", "POST"))
NOT_ALLOWED: Final = "IP not Whitelisted"
LOCKED: Final = "Account locked"
BIGINT_MAX: Final = (1 << 63) - 1

Call = Callable[[HttpRequest, Parameters], Awaitable[bytes]]
Refuse = Callable[[str, str], bytes]
"""The body that says no: from a remark and the call's uid."""


class CredentialRefusal(errors.Refusal, HasReason):
    """The call's credentials do not open an account."""

    def __init__(self, code: int, text: str, reason: Reason) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason


class LockedAccount(errors.BadParameter, HasReason):
    """The account is locked."""

    reason = Reason.of(ReasonCode.CALL_ACCOUNT_LOCKED)


class TrackReply(msgspec.Struct):
    ErrorCode: int
    ErrorDescription: str


class LiaBalanceReply(msgspec.Struct):
    BalanceAmount: float
    CurrenceCode: str
    Message: str


class FailureReply(msgspec.Struct):
    status: str
    remarks: str


class StatusReply(msgspec.Struct):
    """GetDeliveryStatus, members in the contract's order."""

    message_id: int
    PhoneNumber: str
    SMSMessage: str
    MessageType: str
    MessageLength: int
    MessageParts: int
    ClientCost: float
    DLRStatus: str
    SMSID: str
    ErrorCode: int
    ErrorDescription: str
    SentDateUTC: str
    Remarks: str


TRACK: Final = {
    1000: "OK",
    1001: "api_id not specified",
    1002: "api_password not specified",
    1003: "Invalid api_id",
    1004: "Invalid api_password",
    1005: "status not specified",
    1006: "Invalid status",
    1007: "message_id not specified",
    1008: "Invalid message_id",
    1009: "message_id already updated",
}


CREDENTIALS: Final[Mapping[KeyProblem, tuple[int, str]]] = {
    "unknown": (1003, TRACK[1003]),
    "address": (1003, NOT_ALLOWED),
    "wrong": (1004, TRACK[1004]),
}
TRACKED: Final = frozenset((1000, 1009))
"""What is recorded, now or before."""


class LiaEndpoints:
    """Each call: read the parameters, open the account, do the one thing, word the answer."""

    def __init__(self, services: Services, settings: LiaDialectSettings) -> None:
        self._keys = CallKeys(services.directory, services.auth_guard, NUMBER)
        self._sender = LiaSender(services.intake, settings.success_remark)
        self._balances = services.balances
        self._lookup = services.lookup
        self._feedback = services.conversions
        self._cross_origin = CrossOrigin(settings.allowed_origins, BOTH)
        self._failures = FailureLog()

    def by_path(self) -> Mapping[str, HttpEndpoint]:
        """By lower-case path: the path's letter case is free."""
        calls: dict[str, tuple[str, Call, Refuse]] = {
            "/api/sendsms": ("lia.SendSMS", self._send, lambda remark, uid: encode(failed(remark, uid))),
            "/api/sendsmsmulti": (
                "lia.SendSMSMulti",
                self._send_multi,
                lambda remark, uid: encode(failed(remark, uid)),  # one object: drivers look for it there
            ),
            "/api/checkbalance": ("lia.CheckBalance", self._balance, _failure),
            "/api/getdeliverystatus": ("lia.GetDeliveryStatus", self._status, _failure),
            "/api/ctrack": ("lia.CTrack", self._track, _failure),  # its codes know no other failure
        }
        return {
            path: HttpEndpoint(
                name, self._cross_origin.methods, self._cross_origin.wrap(self._worded(name, call, refuse))
            )
            for path, (name, call, refuse) in calls.items()
        }

    def _worded(self, name: str, call: Call, refuse: Refuse) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        """Every outcome in the dialect's words, with status 200; only malformed JSON is a 400 with `{}`."""

        async def handler(request: HttpRequest) -> HttpResponse:
            try:
                await request.read(bounds.BODY_BYTES_MAX)
                parameters = lia_parameters.read(request)
            except errors.BadShape as refusal:
                request.refuse(refusal, 400)
                return HttpResponse(b"{}", 400)
            except TooManyParameters as refusal:
                request.refuse(refusal, refusal.detail)
                return HttpResponse(refuse(refusal.detail, ""))
            except BodyTooLarge as failure:
                request.refuse(errors.BadShape("the request is too large"), failure.status)
                return HttpResponse(refuse("request too large", ""), failure.status)
            try:
                return HttpResponse(await call(request, parameters))
            except errors.Refusal as refusal:
                remark = remark_of(refusal)
                request.refuse(refusal, remark, messages=_messages(name, parameters))
            except Exception as error:
                self._failures.tell(request.request_id, name, error)
                remark = SYSTEM_ERROR
                known = error if isinstance(error, errors.HomingError) else errors.HomingError()
                request.refuse(known, remark, messages=_messages(name, parameters))
            return HttpResponse(refuse(remark, echo_of(parameters)))

        return handler

    async def _account(self, request: HttpRequest, parameters: Parameters) -> Profile:
        """The account that the call's credentials open. Raises `CredentialRefusal` in the order of CTrack's codes; but
        where calls may come from is asked before the password, so that nobody elsewhere learns whether it is right.
        """
        key, secret = parameters.get("api_id"), parameters.get("api_password")
        if key is None:
            raise CredentialRefusal(1001, TRACK[1001], Reason.of(ReasonCode.CALL_KEY_MISSING))
        if secret is None:
            request.name_caller(None, key)
            raise CredentialRefusal(1002, TRACK[1002], Reason.of(ReasonCode.CALL_KEY_MISSING))
        try:
            credential = await self._keys.find(request, key)
            await self._keys.prove(request, credential, is_right=same(credential.secret, secret))
        except KeyRefused as refused:
            raise CredentialRefusal(*CREDENTIALS[refused.problem], refused.reason) from None
        return credential.profile

    async def _unlocked(self, request: HttpRequest, parameters: Parameters) -> Profile:
        account = await self._account(request, parameters)
        if account.locked:
            raise LockedAccount(LOCKED)
        return account

    async def _send(self, request: HttpRequest, parameters: Parameters) -> bytes:
        account = await self._unlocked(request, parameters)
        number = parameters.get("phonenumber")
        numbers = () if number is None else (number,)
        return encode((await self._sender.send(account, parameters, numbers, request))[0])

    async def _send_multi(self, request: HttpRequest, parameters: Parameters) -> bytes:
        account = await self._unlocked(request, parameters)
        numbers = [piece for piece in parameters.get("phonenumber", "").split(",") if piece.strip()]
        replies = await self._sender.send(account, parameters, numbers, request)
        return encode(whole_failure(replies) or replies)

    async def _balance(self, request: HttpRequest, parameters: Parameters) -> bytes:
        account = await self._unlocked(request, parameters)
        account_balance = await self._balances.read(account.account_id)
        return encode(
            LiaBalanceReply(currency_number(account_balance.gift_micro + account_balance.balance_micro), CURRENCY, "OK")
        )

    async def _status(self, request: HttpRequest, parameters: Parameters) -> bytes:
        account = await self._unlocked(request, parameters)
        message = await self._find(account, parameters)
        if message is None:
            return _failure(TRACK[1008])
        return encode(_status_reply(message))

    async def _find(self, account: Profile, parameters: Parameters) -> MessageRow | None:
        if "message_id" in parameters:
            message_id = _message_id(parameters["message_id"])
            return None if message_id is None else await self._lookup.by_id(account.account_id, message_id)
        for name, find in (("uid", self._lookup.by_reference), ("SMSID", self._lookup.by_carrier_ref)):
            if name in parameters and lia_parameters.storable(parameters[name]):
                return await find(account.account_id, parameters[name])
        raise errors.BadParameter(TRACK[1007])

    async def _track(self, request: HttpRequest, parameters: Parameters) -> bytes:
        """CTrack: the checks run in the order of the codes and stop at the first failure (contract, section 2)."""
        try:
            account = await self._account(request, parameters)
        except CredentialRefusal as refusal:
            request.refuse(refusal, refusal.code)
            return encode(TrackReply(refusal.code, TRACK[refusal.code]))
        code = await self._track_code(account, parameters)
        if code not in TRACKED:
            request.refuse(errors.BadParameter(TRACK[code]), code)
        return encode(TrackReply(code, TRACK[code]))

    async def _track_code(self, account: Profile, parameters: Parameters) -> int:
        status, given_id = parameters.get("status"), parameters.get("message_id")
        if status is None:
            return 1005
        if status.lower() != "true":
            return 1006
        if given_id is None:
            return 1007
        message_id = _message_id(given_id)
        if message_id is None:
            return 1008
        verdict = await self._feedback.report(account.account_id, message_id, NUMBER, None)
        return {
            ConversionOutcome.RECORDED: 1000,
            ConversionOutcome.UNKNOWN_MESSAGE: 1008,
            ConversionOutcome.REPEATED: 1009,
        }[verdict]


def _messages(name: str, parameters: Parameters) -> int:
    """How many messages a call asked for."""
    if not name.startswith("lia.Send"):
        return 0
    return sum(1 for number in parameters.get("phonenumber", "").split(",") if number.strip())


def _message_id(text: str) -> int | None:
    """Decimal digits within 64 bits, else None."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    number = int(text)
    return number if 0 < number <= BIGINT_MAX else None


def _failure(remark: str, _uid: str = "") -> bytes:
    return encode(FailureReply("F", remark))


def _status_reply(message: MessageRow) -> StatusReply:
    is_unicode = message.encoding == TextEncoding.UCS2
    return StatusReply(
        message_id=message.message_id,
        PhoneNumber=message.number,
        SMSMessage=message.text,
        MessageType="Unicode" if is_unicode else "Text",
        MessageLength=utf16_units(message.text) if is_unicode else len(message.text),
        MessageParts=message.segments,
        ClientCost=currency_number(message.charge_micro - message.refund_micro),
        DLRStatus=STATE_WORDS[MessageState(message.state_seen)],
        SMSID=message.carrier_ref or "",
        ErrorCode=_number(message.error_code),
        ErrorDescription=failure_text(message.error_text, message.reason),
        SentDateUTC=(message.sent_at or message.submitted_at).strftime("%Y-%m-%dT%H:%M:%S"),
        Remarks="",
    )


def _number(code: str | None) -> int:
    return int(code) if code and code.isascii() and code.isdigit() and len(code) < 10 else 0
