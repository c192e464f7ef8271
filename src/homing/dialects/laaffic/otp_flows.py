"""laaffic: flows of verification codes (otp contract, section 3)."""

from collections.abc import Sequence
from typing import Final

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import code_settings
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.otp_answers import success
from homing.dialects.laaffic.otp_parameters import (
    OtpFlow,
    OtpFlowStep,
    bounded_int,
    bounded_text,
    channel_of,
    is_given,
    name_of,
)
from homing.dialects.laaffic.otp_setting_changes import SettingChanges, check_room, path_number
from homing.dialects.laaffic.otp_setting_data import flow_data
from homing.dialects.laaffic.parameters import Scalar, decode, decoder
from homing.model import CodeFlow, FlowStep
from homing.store.database import Database, DatabaseConnection

flow_body: Final = decoder(OtpFlow)


class OtpFlows:
    """What a change leaves out stays as it is."""

    def __init__(self, database: Database, settings: SettingChanges) -> None:
        self._database = database
        self._settings = settings

    async def add_flow(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, flow_body)
        name, steps = name_of(call.name, "name"), _steps_of(call.flow)
        async with self._settings.change(request, account) as transaction:
            check_room(await code_settings.list_code_flows(transaction, account.account_id), "flows")
            flow_id = await code_settings.add_code_flow(transaction, account.account_id, name, steps)
        return success(flow_data(CodeFlow(flow_id=flow_id, name=name, steps=steps)))

    async def update_flow(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, flow_body)
        flow_id = path_number(request, "flow/update/", "flowId", call.flowId)
        name = name_of(call.name, "name") if is_given(call.name) else None
        steps = None if call.flow is None else _steps_of(call.flow)
        async with self._settings.change(request, account) as transaction:
            flow = await _find_flow(transaction, account, flow_id)
            flow = CodeFlow(
                flow_id=flow_id,
                name=flow.name if name is None else name,
                steps=flow.steps if steps is None else steps,
            )
            await code_settings.change_code_flow(transaction, account.account_id, flow_id, flow.name, flow.steps)
        return success(flow_data(flow))

    async def flow_details(self, request: HttpRequest, account: Profile) -> HttpResponse:
        flow_id = path_number(request, "flow/details/", "flowId")
        return success(flow_data(await _find_flow(self._database, account, flow_id)))

    async def list_flows(self, _request: HttpRequest, account: Profile) -> HttpResponse:
        flows = await code_settings.list_code_flows(self._database, account.account_id)
        return success([flow_data(flow) for flow in flows])


async def _find_flow(connection: DatabaseConnection | Database, account: Profile, flow_id: int) -> CodeFlow:
    for flow in await code_settings.list_code_flows(connection, account.account_id):
        if flow.flow_id == flow_id:
            return flow
    raise errors.BadShape("flowId is unknown")


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
