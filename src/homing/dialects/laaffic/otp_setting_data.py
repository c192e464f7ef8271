"""laaffic: what answers show of applications, templates and flows (otp contract, sections 1 to 3)."""

import msgspec

from homing.admin.code_settings import CodeApp
from homing.dialects.laaffic.otp_parameters import UNIT_NUMBERS, vendor_time
from homing.model import CodeFlow, CodeTemplate, SendLimit


class ShownLimit(msgspec.Struct, omit_defaults=True):
    """A limit as answers have it; of one that is disabled `enabled` alone."""

    enabled: bool
    unit: int | None = None
    period: int | None = None
    limit: int | None = None


class OtpAppData(msgspec.Struct):
    name: str
    appId: str
    periodTotalSendLimit: ShownLimit
    periodPhoneSendLimit: ShownLimit
    codeExpiry: int
    createTime: str | None


class VoiceSettings(msgspec.Struct, frozen=True):
    """What a template says of calls: kept, and answered as it came."""

    speechRate: int = 50
    language: str = "EN"
    maxDuration: int = 59
    repeatCnt: int = 1


class OtpTemplateData(msgspec.Struct):
    templateId: int
    appId: str
    name: str
    text: str
    codeType: int
    codeLength: int
    speechRate: int
    language: str
    maxDuration: int
    repeatCnt: int
    senderId: str


class OtpStepData(msgspec.Struct):
    waitingTime: int
    status: str | int | None
    channel: str
    channelCut: str | int | None


class OtpFlowData(msgspec.Struct):
    flowId: int
    name: str
    flow: list[OtpStepData]


def voice_of(template: CodeTemplate) -> VoiceSettings:
    """Raises nothing: another dialect's templates say nothing of calls, or something else."""
    try:
        return msgspec.json.decode(template.voice or "{}", type=VoiceSettings)
    except msgspec.MsgspecError:
        return VoiceSettings()


def _shown_limit(limit: SendLimit | None) -> ShownLimit:
    if limit is None:
        return ShownLimit(enabled=False)
    return ShownLimit(enabled=True, unit=UNIT_NUMBERS[limit.unit], period=limit.period, limit=limit.most)


def app_data(app: CodeApp) -> OtpAppData:
    return OtpAppData(
        name=app.name,
        appId=app.app_id,
        periodTotalSendLimit=_shown_limit(app.total_limit),
        periodPhoneSendLimit=_shown_limit(app.number_limit),
        codeExpiry=-(-app.code_expiry_s // 60),
        createTime=vendor_time(app.created_at),
    )


def template_data(template: CodeTemplate) -> OtpTemplateData:
    voice = voice_of(template)
    return OtpTemplateData(
        templateId=template.template_id,
        appId=template.app_id,
        name=template.name,
        text=template.text,
        codeType=int(template.alphabet),
        codeLength=template.length,
        speechRate=voice.speechRate,
        language=voice.language,
        maxDuration=voice.maxDuration,
        repeatCnt=voice.repeatCnt,
        senderId=template.sender,
    )


def flow_data(flow: CodeFlow) -> OtpFlowData:
    steps = [
        OtpStepData(waitingTime=step.wait_s, status=step.status, channel=step.channel, channelCut=step.channel_cut)
        for step in flow.steps
    ]
    return OtpFlowData(flowId=flow.flow_id, name=flow.name, flow=steps)
