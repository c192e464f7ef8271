"""The laaffic dialect's calls of verification codes: how each is written and its answer read."""

from typing import Final

from homing_clients import errors
from homing_clients.call import ClientCall, ClientEndpoint, ClientReply
from homing_clients.laaffic_envelope import call_of, envelope_of
from homing_clients.laaffic_results import VerificationCheck, VerificationSent
from homing_clients.laaffic_signing import LaafficSigner
from homing_clients.reading import Members, Unreadable, body_of, members_of, parse

SEND_CODE: Final = ClientEndpoint("otp/verification/send", "POST", repeatable=False)
SEND_OWN_CODE: Final = ClientEndpoint("otp/verification/sendRule", "POST", repeatable=False)
RESEND_CODE: Final = ClientEndpoint("otp/verification/resend", "POST", repeatable=False)
CHECK_CODE: Final = ClientEndpoint("otp/verification/verify", "POST", repeatable=False)


class LaafficCodeCalls(LaafficSigner):
    """Builds the calls."""

    def send_code(
        self, number: str, template_id: int, *, order_id: str = "", flow_id: int | None = None, app_id: str = ""
    ) -> ClientCall[VerificationSent]:
        """otp/verification/send: the vendor makes a code by a template and sends it. `order_id` is your reference."""
        parameters = self._code_parameters(number, template_id, order_id, flow_id, app_id)
        return call_of(SEND_CODE, parameters, lambda reply: _verification(envelope_of(reply)))

    def send_own_code(
        self,
        number: str,
        code: str,
        *,
        template_id: int | None = None,
        order_id: str = "",
        flow_id: int | None = None,
        app_id: str = "",
    ) -> ClientCall[VerificationSent]:
        """otp/verification/sendRule: the same with a code of yours, up to 10 characters."""
        parameters = self._code_parameters(number, template_id, order_id, flow_id, app_id)
        return call_of(SEND_OWN_CODE, {**parameters, "code": code}, lambda reply: _verification(envelope_of(reply)))

    def resend_code(self, verification_id: str) -> ClientCall[VerificationSent]:
        """otp/verification/resend: the same code again, under a new ID; the old one stays good."""
        return call_of(
            RESEND_CODE, {"verificationId": verification_id}, lambda reply: _verification(envelope_of(reply))
        )

    def check_code(self, verification_id: str, code: str) -> ClientCall[VerificationCheck]:
        """otp/verification/verify: whether a person entered the right code. A code is right once: a call whose
        answer was lost is not repeated.
        """
        parameters = {"verificationId": verification_id, "code": code}
        return call_of(CHECK_CODE, parameters, _verification_check)

    def _code_parameters(
        self, number: str, template_id: int | None, order_id: str, flow_id: int | None, app_id: str
    ) -> dict[str, object]:
        given = {"templateId": template_id, "orderId": order_id or None, "flowId": flow_id}
        parameters: dict[str, object] = {"appId": app_id or self._app_id, "to": number}
        return {**parameters, **{name: value for name, value in given.items() if value is not None}}


def _verification(members: Members) -> VerificationSent:
    data = members.object("data")
    if data is None or "verificationId" not in data:
        raise Unreadable("no verificationId")
    return VerificationSent(data.text("verificationId"), data.text("to"), data.text("channel"))


def _verification_check(reply: ClientReply) -> VerificationCheck:
    """A code that is not right is an answer, and no failure: it has `data` beside its status."""
    try:
        envelope_of(reply)
    except errors.BadParameter as refusal:
        data = members_of(parse(body_of(reply))).object("data")
        if data is None:
            raise
        return VerificationCheck(data.text("verificationId"), False, refusal.words)
    data = members_of(parse(body_of(reply))).object("data")
    return VerificationCheck("" if data is None else data.text("verificationId"), True, "")
