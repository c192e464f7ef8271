"""laaffic: templates of verification codes (otp contract, section 2)."""

from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.admin import code_settings
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.dialects.laaffic.otp_answers import success
from homing.dialects.laaffic.otp_apps import find_app
from homing.dialects.laaffic.otp_parameters import (
    OtpTemplate,
    app_id_of,
    bounded_int,
    bounded_text,
    is_given,
    name_of,
)
from homing.dialects.laaffic.otp_setting_changes import SettingChanges, check_room, path_number
from homing.dialects.laaffic.otp_setting_data import VoiceSettings, template_data, voice_of
from homing.dialects.laaffic.parameters import Scalar, decode, decoder, text_of
from homing.model import CODE_MARK, CodeAlphabet, CodeTemplate
from homing.store.database import Database, DatabaseConnection

template_body: Final = decoder(OtpTemplate)
CODE_LENGTH_DEFAULT: Final = 4
LANGUAGES: Final = frozenset(["EN", "CN", "VN", "JP", "ARB", "DE", "IN", "IT", "KR", "RU", "ES", "PT", "IDN", "BD"])


class OtpTemplates:
    """What a change leaves out stays as it is."""

    def __init__(self, database: Database, settings: SettingChanges) -> None:
        self._database = database
        self._settings = settings

    async def add_template(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, template_body)
        app_id = app_id_of(call.appId)
        empty = CodeTemplate(
            template_id=0,
            app_id=app_id,
            name="",
            locale="",
            text="",
            alphabet=CodeAlphabet.NUMERIC,
            length=CODE_LENGTH_DEFAULT,
            sender="",
        )
        name_of(call.name, "name")
        _text_of(call.text)
        template = _changed(empty, call)
        async with self._settings.change(request, account) as transaction:
            await find_app(transaction, account, app_id)
            check_room(await code_settings.list_code_templates(transaction, account.account_id), "templates")
            template_id = await code_settings.add_code_template(transaction, account.account_id, template)
        return success(template_data(msgspec.structs.replace(template, template_id=template_id)))

    async def update_template(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, template_body)
        template_id = path_number(request, "template/update/", "templateId", call.templateId)
        async with self._settings.change(request, account) as transaction:
            template = _changed(await _find_template(transaction, account, template_id), call)
            await code_settings.change_code_template(transaction, account.account_id, template)
        return success(template_data(template))

    async def template_details(self, request: HttpRequest, account: Profile) -> HttpResponse:
        return success(template_data(await self._shown_template(request, account)))

    async def _shown_template(self, request: HttpRequest, account: Profile) -> CodeTemplate:
        """Without an ID: the one whose ID the vendor's SDK must have left out (`_path_id`)."""
        path = "template/details/"
        if request.path.endswith(path):
            url = f"{request.headers.get('host')}{request.path}"
            templates = await code_settings.list_code_templates(self._database, account.account_id)
            left_out = [template for template in templates if str(template.template_id) in url]
            if len(left_out) == 1:
                return left_out[0]
        return await _find_template(self._database, account, path_number(request, path, "templateId"))

    async def list_templates(self, _request: HttpRequest, account: Profile) -> HttpResponse:
        templates = await code_settings.list_code_templates(self._database, account.account_id)
        return success([template_data(template) for template in templates])


async def _find_template(connection: DatabaseConnection | Database, account: Profile, template_id: int) -> CodeTemplate:
    for template in await code_settings.list_code_templates(connection, account.account_id):
        if template.template_id == template_id:
            return template
    raise errors.BadShape("templateId is unknown")


def _text_of(value: Scalar) -> str:
    text = bounded_text(value, "text", 1, code_settings.TEXT_CHARS_MAX)
    if CODE_MARK not in text:
        raise errors.BadShape(f"text holds {CODE_MARK}")
    return text


def _changed(template: CodeTemplate, call: OtpTemplate) -> CodeTemplate:
    """A template with what a call gives. Raises `BadShape`."""
    voice = voice_of(template)

    def number(value: Scalar, name: str, low: int, high: int, default: int) -> int:
        return bounded_int(value, name, low, high) if is_given(value) else default

    language = text_of(call.language, "language").strip().upper() or voice.language
    if language not in LANGUAGES:
        raise errors.BadShape(f"language is one of {', '.join(sorted(LANGUAGES))}")
    voice = VoiceSettings(
        speechRate=number(call.speechRate, "speechRate", 0, 100, voice.speechRate),
        language=language,
        maxDuration=number(call.maxDuration, "maxDuration", 5, 599, voice.maxDuration),
        repeatCnt=number(call.repeatCnt, "repeatCnt", 1, 10, voice.repeatCnt),
    )
    return msgspec.structs.replace(
        template,
        name=name_of(call.name, "name") if is_given(call.name) else template.name,
        text=_text_of(call.text) if is_given(call.text) else template.text,
        alphabet=CodeAlphabet(number(call.codeType, "codeType", 1, len(CodeAlphabet), int(template.alphabet))),
        length=number(call.codeLength, "codeLength", *code_settings.CODE_CHARS, template.length),
        sender=template.sender if call.senderId is None else _sender_of(call.senderId),
        voice=msgspec.json.encode(voice).decode(),
    )


def _sender_of(value: Scalar) -> str:
    return bounded_text(value, "senderId", 0, limits.SENDER_CHARS_MAX)
