"""laaffic: applications, templates and flows of verification codes (otp contract, sections 1 to 3)."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.accounts.query_budget import QueryBudget
from homing.admin import code_settings
from homing.admin.account_settings import create_app
from homing.admin.code_settings import CodeApp, NameTaken
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.audit import act_as
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.otp_answers import success
from homing.dialects.laaffic.otp_parameters import (
    OtpApp,
    OtpFlow,
    OtpFlowStep,
    OtpTemplate,
    app_id_of,
    bounded_int,
    bounded_text,
    channel_of,
    is_given,
    limit_of,
    name_of,
)
from homing.dialects.laaffic.otp_setting_data import VoiceSettings, app_data, flow_data, template_data, voice_of
from homing.dialects.laaffic.parameters import Scalar, decode, decoder, text_of
from homing.dialects.laaffic.refusals import NameInUse
from homing.model import CODE_MARK, CodeAlphabet, CodeFlow, CodeTemplate, FlowStep, SendLimit
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

app_body: Final = decoder(OtpApp)
template_body: Final = decoder(OtpTemplate)
flow_body: Final = decoder(OtpFlow)

EXPIRY_MIN: Final = tuple(seconds // 60 for seconds in code_settings.EXPIRY_S)
EXPIRY_MIN_DEFAULT: Final = 5
CODE_LENGTH_DEFAULT: Final = 4
CHANGES_PER_QUERY: Final = 1 / 20
CHANGES_BURST_S: Final = 3
"""How often an account may change its settings, by its queries a second: after each change every process reads its own
anew.
"""
ID_MAX: Final = 2**31 - 1  # of a template or a flow: an Int
LANGUAGES: Final = frozenset(["EN", "CN", "VN", "JP", "ARB", "DE", "IN", "IT", "KR", "RU", "ES", "PT", "IDN", "BD"])


class OtpSettings:
    """Each change is one transaction, which the audit log has under the caller's key. What a change leaves out stays as
    it is.
    """

    def __init__(self, database: Database, directory: Directory, budget: QueryBudget) -> None:
        self._database = database
        self._directory = directory
        self._budget = budget

    async def add_app(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, app_body)
        name = name_of(call.name, "name")
        expiry_min = _expiry_min(call.codeExpiry, EXPIRY_MIN_DEFAULT)
        total_limit = limit_of(call.periodTotalSendLimit, "periodTotalSendLimit")
        number_limit = limit_of(call.periodPhoneSendLimit, "periodPhoneSendLimit")
        async with self._change(request, account) as transaction:
            _check_room(
                await statements.accounts.profiles_apps(transaction, account_ids=[account.account_id]), "applications"
            )
            app_id = await create_app(transaction, account.account_id, name=name)
            app = await _set_app(transaction, account, app_id, name, expiry_min * 60, total_limit, number_limit)
        return success(app_data(app))

    async def update_app(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, app_body)
        app_id = _path_id(request, "app/update/", "appId", call.appId)
        name = name_of(call.name, "name") if is_given(call.name) else None
        expiry_min = _expiry_min(call.codeExpiry, 0)
        total_limit = limit_of(call.periodTotalSendLimit, "periodTotalSendLimit")
        number_limit = limit_of(call.periodPhoneSendLimit, "periodPhoneSendLimit")
        async with self._change(request, account) as transaction:
            app = await _find_app(transaction, account, app_id)
            app = await _set_app(
                transaction,
                account,
                app_id,
                app.name if name is None else name,
                expiry_min * 60 or app.code_expiry_s,
                app.total_limit if call.periodTotalSendLimit is None else total_limit,
                app.number_limit if call.periodPhoneSendLimit is None else number_limit,
            )
        return success(app_data(app))

    async def app_details(self, request: HttpRequest, account: Profile) -> HttpResponse:
        app = await _find_app(self._database, account, _path_id(request, "app/details/", "appId"))
        return success(app_data(app))

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
        async with self._change(request, account) as transaction:
            await _find_app(transaction, account, app_id)
            _check_room(await code_settings.list_code_templates(transaction, account.account_id), "templates")
            template_id = await code_settings.add_code_template(transaction, account.account_id, template)
        return success(template_data(msgspec.structs.replace(template, template_id=template_id)))

    async def update_template(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, template_body)
        template_id = _path_number(request, "template/update/", "templateId", call.templateId)
        async with self._change(request, account) as transaction:
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
        return await _find_template(self._database, account, _path_number(request, path, "templateId"))

    async def list_templates(self, _request: HttpRequest, account: Profile) -> HttpResponse:
        templates = await code_settings.list_code_templates(self._database, account.account_id)
        return success([template_data(template) for template in templates])

    async def add_flow(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, flow_body)
        name, steps = name_of(call.name, "name"), _steps_of(call.flow)
        async with self._change(request, account) as transaction:
            _check_room(await code_settings.list_code_flows(transaction, account.account_id), "flows")
            flow_id = await code_settings.add_code_flow(transaction, account.account_id, name, steps)
        return success(flow_data(CodeFlow(flow_id=flow_id, name=name, steps=steps)))

    async def update_flow(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, flow_body)
        flow_id = _path_number(request, "flow/update/", "flowId", call.flowId)
        name = name_of(call.name, "name") if is_given(call.name) else None
        steps = None if call.flow is None else _steps_of(call.flow)
        async with self._change(request, account) as transaction:
            flow = await _find_flow(transaction, account, flow_id)
            flow = CodeFlow(
                flow_id=flow_id,
                name=flow.name if name is None else name,
                steps=flow.steps if steps is None else steps,
            )
            await code_settings.change_code_flow(transaction, account.account_id, flow_id, flow.name, flow.steps)
        return success(flow_data(flow))

    async def flow_details(self, request: HttpRequest, account: Profile) -> HttpResponse:
        flow_id = _path_number(request, "flow/details/", "flowId")
        return success(flow_data(await _find_flow(self._database, account, flow_id)))

    async def list_flows(self, _request: HttpRequest, account: Profile) -> HttpResponse:
        flows = await code_settings.list_code_flows(self._database, account.account_id)
        return success([flow_data(flow) for flow in flows])

    @contextlib.asynccontextmanager
    async def _change(self, request: HttpRequest, account: Profile) -> AsyncIterator[DatabaseConnection]:
        """A transaction of the caller's, one of an account after the other. Afterwards this process reads the account
        anew; the others do when the database tells them. Raises `QueryTooFrequent`.
        """
        queries_per_s = account.queries_per_s
        self._budget.take(
            account.account_id, "otp settings", queries_per_s * CHANGES_PER_QUERY, queries_per_s * CHANGES_BURST_S
        )
        try:
            async with self._database.transaction() as transaction:
                actor = f"api:{request.headers.get('api-key')}"
                await act_as(transaction, actor, request.call.find_address())
                await statements.admin.account_settings(transaction, account_id=account.account_id)  # locks it
                yield transaction
        except NameTaken:
            raise NameInUse from None
        except errors.InvalidInput as error:
            raise errors.BadShape(str(error)) from None
        self._directory.settings_changed(str(account.account_id))


async def _set_app(
    transaction: DatabaseConnection,
    account: Profile,
    app_id: str,
    name: str,
    expiry_s: int,
    total_limit: SendLimit | None,
    number_limit: SendLimit | None,
) -> CodeApp:
    await code_settings.change_code_app(
        transaction,
        account.account_id,
        app_id,
        name=name,
        code_expiry_s=expiry_s,
        total_limit=total_limit,
        number_limit=number_limit,
    )
    return await _find_app(transaction, account, app_id)


async def _find_app(connection: DatabaseConnection | Database, account: Profile, app_id: str) -> CodeApp:
    app = await code_settings.find_code_app(connection, account.account_id, app_id)
    if app is None:
        raise errors.UnknownApp
    return app


async def _find_template(connection: DatabaseConnection | Database, account: Profile, template_id: int) -> CodeTemplate:
    for template in await code_settings.list_code_templates(connection, account.account_id):
        if template.template_id == template_id:
            return template
    raise errors.BadShape("templateId is unknown")


async def _find_flow(connection: DatabaseConnection | Database, account: Profile, flow_id: int) -> CodeFlow:
    for flow in await code_settings.list_code_flows(connection, account.account_id):
        if flow.flow_id == flow_id:
            return flow
    raise errors.BadShape("flowId is unknown")


def _check_room(rows: Sequence[object], what: str) -> None:
    if len(rows) >= bounds.SETTINGS_ITEMS_MAX:
        raise errors.BadShape(f"name: an account has at most {bounds.SETTINGS_ITEMS_MAX} {what}")


def _path_id(request: HttpRequest, path: str, name: str, in_body: Scalar = None) -> str:
    """What a path ends in, behind `path`; else the body's. The vendor's SDK leaves an ID out of the path that occurs in
    the URL before it.
    """
    given = request.path.partition(f"/otp/{path}")[2].rstrip("/")
    return bounded_text(given or in_body, name, 1, bounds.OPAQUE_CHARS_MAX)


def _path_number(request: HttpRequest, path: str, name: str, in_body: Scalar = None) -> int:
    return bounded_int(_path_id(request, path, name, in_body), name, 1, ID_MAX)


def _expiry_min(value: Scalar, default: int) -> int:
    return bounded_int(value, "codeExpiry", *EXPIRY_MIN) if is_given(value) else default


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


def _steps_of(given: Sequence[OtpFlowStep] | None) -> tuple[FlowStep, ...]:
    if not given or len(given) > code_settings.STEPS_MAX:
        raise errors.BadShape(f"flow has 1 to {code_settings.STEPS_MAX} steps")
    return tuple(_step_of(step, f"flow[{place}]") for place, step in enumerate(given))


def _step_of(step: OtpFlowStep, name: str) -> FlowStep:
    return FlowStep(
        wait_s=bounded_int(step.waitingTime, f"{name}.waitingTime", *code_settings.STEP_WAIT_S),
        channel=channel_of(step.channel, f"{name}.channel"),
        status=_opaque(step.status, f"{name}.status"),
        channel_cut=_opaque(step.channelCut, f"{name}.channelCut"),
    )


def _opaque(value: Scalar, name: str) -> str | int | None:
    """Kept and answered as it came."""
    if value is None:
        return None
    text = bounded_text(value, name, 0, bounds.OPAQUE_CHARS_MAX)
    return int(text) if not isinstance(value, str) and len(text) <= 10 else text
