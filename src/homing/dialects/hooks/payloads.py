"""What each product sends, and the code in it."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from homing import errors
from homing.api.http.wire import Headers
from homing.dialects.hooks import bounds

Number = Annotated[str, Meta(max_length=bounds.TO_CHARS_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=bounds.CODE_CHARS_MAX)]
Text = Annotated[str, Meta(max_length=bounds.TEXT_CHARS_MAX)]


class HookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a hook asks for. `code`: that it carries; "" where the text has none. `text`: the product's own,
    with the code in it; "" where it leaves the text to us. `locale`: the person's language, where it is told.
    `webhook_id`: of a generic call, the same when it is repeated; "" where the product makes a new code each time.
    `ip`: of the person who requested the code, where the product sends it; may be anything.
    """

    to: str
    code: str
    text: str = ""
    locale: str = ""
    webhook_id: str | None = None
    ip: str = ""


class SupabaseUser(msgspec.Struct, frozen=True):
    phone: Number = ""


class SupabaseSms(msgspec.Struct, frozen=True):
    """`phone`: where it goes, if that is not the user's (newer versions)."""

    otp: Code
    phone: Number = ""


class SupabaseMetadata(msgspec.Struct, frozen=True):
    ip_address: Any = None


class SupabaseBody(msgspec.Struct, frozen=True):
    """`metadata`: of the request, where the version sends it."""

    user: SupabaseUser
    sms: SupabaseSms
    metadata: SupabaseMetadata = SupabaseMetadata()


class LogtoPayload(msgspec.Struct, frozen=True):
    code: Code
    locale: Any = None


class LogtoBody(msgspec.Struct, frozen=True):
    to: Number
    payload: LogtoPayload
    ip: Any = None


class ZitadelContext(msgspec.Struct, frozen=True):
    recipientPhoneNumber: Number


class ZitadelTemplate(msgspec.Struct, frozen=True):
    text: Text = ""


class ZitadelBody(msgspec.Struct, frozen=True):
    """`args`: `code` of a phone verification, `oTP` of a second factor; names are compared without letter case."""

    contextInfo: ZitadelContext
    templateData: ZitadelTemplate = ZitadelTemplate()
    args: dict[str, Any] = {}


class GenericBody(msgspec.Struct, frozen=True):
    """A code, or a text, or a text with the code in it."""

    to: Number
    code: Annotated[str, Meta(max_length=bounds.CODE_CHARS_MAX)] = ""
    text: Text = ""
    locale: Annotated[str, Meta(max_length=bounds.LOCALE_CHARS_MAX)] = ""
    ip: Any = None


Reader = Callable[[bytes, Headers], HookMessage]
read_supabase_body: Final = msgspec.json.Decoder(SupabaseBody).decode
read_logto_body: Final = msgspec.json.Decoder(LogtoBody).decode
read_zitadel_body: Final = msgspec.json.Decoder(ZitadelBody).decode
read_generic_body: Final = msgspec.json.Decoder(GenericBody).decode


def read_supabase(body: bytes, _headers: Headers) -> HookMessage:
    call = read_supabase_body(body)
    return HookMessage(
        to=call.sms.phone or call.user.phone, code=call.sms.otp, webhook_id="", ip=_text(call.metadata.ip_address)
    )


def read_logto(body: bytes, _headers: Headers) -> HookMessage:
    call = read_logto_body(body)
    locale = call.payload.locale
    is_locale = isinstance(locale, str) and len(locale) <= bounds.LOCALE_CHARS_MAX
    return HookMessage(
        to=call.to,
        code=call.payload.code,
        locale=locale if is_locale else "",
        webhook_id="",
        ip=_text(call.ip),
    )


def read_zitadel(body: bytes, _headers: Headers) -> HookMessage:
    """Raises `BadShape` where no code is among the arguments: a notification that carries none."""
    call = read_zitadel_body(body)
    codes = [value for name, value in call.args.items() if name.lower() in ("code", "otp") and value]
    code = next((value for value in codes if isinstance(value, str)), "")
    if not 1 <= len(code) <= bounds.CODE_CHARS_MAX:
        raise errors.BadShape(f"args holds no code of 1 to {bounds.CODE_CHARS_MAX} characters")
    return HookMessage(to=call.contextInfo.recipientPhoneNumber, code=code, text=call.templateData.text, webhook_id="")


def read_generic(body: bytes, headers: Headers) -> HookMessage:
    """Raises `BadShape`."""
    call = read_generic_body(body)
    if not call.code and not call.text:
        raise errors.BadShape("code or text is needed")
    if call.code and call.text and call.code not in call.text:
        raise errors.BadShape("the text does not hold the code")
    webhook_id = headers.get("webhook-id") if headers.get("webhook-signature") else None
    if webhook_id is not None and len(webhook_id) > bounds.ID_CHARS_MAX:
        raise errors.BadShape(f"webhook-id has at most {bounds.ID_CHARS_MAX} characters")
    return HookMessage(
        to=call.to,
        code=call.code,
        text=call.text,
        locale=call.locale,
        webhook_id=webhook_id or None,
        ip=_text(call.ip),
    )


def _text(value: Any) -> str:
    """Evidence is no reason to refuse a code: what is no text is no address."""
    return value if isinstance(value, str) else ""
