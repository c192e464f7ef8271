"""CAMARA's two calls: send-code and validate-code."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.accounts.profile import Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.bearer import KEYS_DIALECT, bearer_credential
from homing.api.http.body import BodyFailure
from homing.api.http.call_keys import CallKeys
from homing.api.http.failure_log import FailureLog
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.common import ids
from homing.dialects.camara import bounds
from homing.dialects.camara.bodies import CamaraError, SendCodeBody, SendCodeReply, ValidateCodeBody
from homing.dialects.camara.number import NUMBER
from homing.dialects.camara.problems import (
    CHECKS,
    INVALID_ARGUMENT,
    METHOD_NOT_ALLOWED,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    VERIFICATION_FAILED,
    CamaraRefusal,
    CamaraScopeMissing,
    CodeNotRight,
    code_and_message,
)
from homing.dialects.serving import Services
from homing.model import CODE_MARK, CheckOutcome, CodeAlphabet, Recipient
from homing.text.numbers import normalise
from homing.verification.codes import make_code
from homing.verification.service import NUMBER_LIMITS, NewCode

BASE: Final = "/one-time-password-sms/v1"
LABEL: Final = "{{code}}"
SCOPE: Final = "verifications:write"
JSON: Final = "application/json"
CORRELATOR: Final = re.compile(r"[a-zA-Z0-9-]{0,55}", re.ASCII)
METHODS: Final = frozenset(("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
CHALLENGE: Final = ("www-authenticate", 'Bearer realm="Homing"')
encode: Final = msgspec.json.encode
read_send: Final = msgspec.json.Decoder(SendCodeBody).decode
read_validate: Final = msgspec.json.Decoder(ValidateCodeBody).decode
Call = Callable[[HttpRequest, Profile], Awaitable[HttpResponse]]


class CamaraEndpoints:
    """Each call: the correlator, the key, the body, the engine, the answer in the definition's words."""

    def __init__(self, services: Services) -> None:
        self._keys = CallKeys(services.directory, services.auth_guard, KEYS_DIALECT)
        self._use = services.credential_use
        self._verifications = services.verifications
        self._steady_s = services.steady_s
        self._failures = FailureLog()

    def by_path(self) -> Mapping[str, HttpEndpoint]:
        calls: dict[str, tuple[str, Call]] = {
            f"{BASE}/send-code": ("camara.send-code", self._send),
            f"{BASE}/validate-code": ("camara.validate-code", self._validate),
        }
        return {path: HttpEndpoint(name, METHODS, self._worded(name, call)) for path, (name, call) in calls.items()}

    def _worded(self, name: str, call: Call) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        async def handler(request: HttpRequest) -> HttpResponse:
            correlator = request.headers.get("x-correlator")
            is_valid = correlator is None or CORRELATOR.fullmatch(correlator) is not None
            try:
                if not is_valid:
                    raise CamaraRefusal(INVALID_ARGUMENT, "x-correlator: at most 55 letters, digits and hyphens.")
                response = await self._answer(request, call)
            except errors.Refusal as refusal:
                response = _refused(request, refusal)
            except BodyFailure as failure:
                text = failure.text.decode().strip()
                response = _refused(request, CamaraRefusal(INVALID_ARGUMENT, f"The body cannot be read: {text}."))
            except Exception as error:
                self._failures.tell(request.request_id, name, error)
                known = error if isinstance(error, errors.PlatformFailure) else errors.HomingError()
                response = _refused(request, known)
            if correlator is not None and is_valid:
                response.headers = (*response.headers, ("x-correlator", correlator))
            return response

        return handler

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        if request.method != "POST":
            raise CamaraRefusal(METHOD_NOT_ALLOWED, "The call is a POST.")
        credential = await bearer_credential(self._keys, request)
        if credential.scopes is not None and SCOPE not in credential.scopes:
            raise CamaraScopeMissing(PERMISSION_DENIED, SCOPE)
        self._use.note(credential.credential_id, self._steady_s())
        kind = request.headers.get("content-type")
        if kind is not None and kind.partition(";")[0].strip().lower() != JSON:
            raise CamaraRefusal(UNSUPPORTED_MEDIA_TYPE, f"The body is {JSON}.")
        await request.read(bounds.BODY_BYTES_MAX)
        try:
            return await call(request, credential.profile)
        except msgspec.MsgspecError as error:
            raise CamaraRefusal(INVALID_ARGUMENT, f"The body is not of the call's form: {error}.") from None

    async def _send(self, request: HttpRequest, account: Profile) -> HttpResponse:
        body = read_send(request.body)
        number = normalise(body.phoneNumber)
        if number is None:
            raise number_refusal(body.phoneNumber)
        if "\0" in body.message:
            raise CamaraRefusal(INVALID_ARGUMENT, "message: it must not hold the character U+0000.")
        app = account.default_app
        if app is None:
            raise errors.UnknownApp("the account has no app yet")
        sent = await self._verifications.send(
            NewCode(
                account=account,
                dialect=NUMBER,
                app=app,
                recipient=Recipient(body.phoneNumber, number),
                request_id=request.request_id,
                code=make_code(CodeAlphabet.NUMERIC, bounds.CODE_CHARS),
                text=body.message.replace(LABEL, CODE_MARK),
                number_limits=NUMBER_LIMITS,
            )
        )
        try:  # the definition's tests, validate-code 400.7
            await self._verifications.cancel_earlier(account.account_id, sent, number, NUMBER)
        except errors.PlatformFailure as failure:  # the new code is on its way, and its id is needed
            self._failures.tell(request.request_id, "camara.send-code", failure)
        return HttpResponse(encode(SendCodeReply(str(sent.verification_id))), content_type=JSON)

    async def _validate(self, request: HttpRequest, account: Profile) -> HttpResponse:
        body = read_validate(request.body)
        message_id = _id_of(body.authenticationId)
        if message_id is None:
            raise CodeNotRight(*CHECKS[CheckOutcome.UNKNOWN])
        checked = await self._verifications.check(account.account_id, message_id, body.code, NUMBER)
        if checked.outcome is CheckOutcome.VERIFIED:
            return HttpResponse(b"", 204, JSON)
        if checked.outcome is CheckOutcome.WRONG and not checked.attempts_left:
            raise CodeNotRight(VERIFICATION_FAILED, CHECKS[CheckOutcome.TOO_MANY_ATTEMPTS][1])
        raise CodeNotRight(*CHECKS[checked.outcome])


def _id_of(text: str) -> int | None:
    """Digits of at most an id's length, else None."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(ids.ID_MAX))):
        return None
    return int(text)


def _refused(request: HttpRequest, error: errors.HomingError) -> HttpResponse:
    code, message = code_and_message(error)
    if not isinstance(error, CodeNotRight):
        request.refuse(error, f"{code.status} {code.code}", messages=int(request.path == f"{BASE}/send-code"))
    headers: tuple[tuple[str, str], ...] = ()
    if code == UNAUTHENTICATED:
        headers = (CHALLENGE,)
    elif code == METHOD_NOT_ALLOWED:
        headers = (("allow", "POST"),)
    elif isinstance(error, errors.LimitReached):
        headers = (("retry-after", str(error.retry_after_s)),)
    return HttpResponse(encode(CamaraError(code.status, code.code, message)), code.status, JSON, headers)
