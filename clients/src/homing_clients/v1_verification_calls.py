"""Calls of verifications: sending codes and checking them."""

from typing import Final

from homing_clients.call import ClientCall
from homing_clients.v1_caller import V1Caller, get, given, post, reader, segment_of
from homing_clients.v1_results import Verification

VERIFICATIONS: Final = "verifications"

read_verification: Final = reader(Verification)


class V1VerificationCalls(V1Caller):
    """Builds the calls."""

    def start_verification(
        self,
        to: str,
        *,
        template: str = "",
        locale: str = "",
        code: str = "",
        sender: str = "",
        reference: str = "",
        app: str = "",
        end_user_ip: str = "",
        idempotency_key: str = "",
    ) -> ClientCall[Verification]:
        """POST /v1/verifications: sends a code. `code`: your own; "": Homing makes one. `end_user_ip`: the address that
        the person's request came from, as evidence against SMS pumping.

        Raises `NumberLimit`, whose `retry_after_s` says when the number may be sent a code again.
        """
        optional = {
            "template": template,
            "locale": locale,
            "code": code,
            "from": sender,
            "reference": reference,
            "app": app,
            "end_user": {"ip": end_user_ip} if end_user_ip else None,
        }
        return post(VERIFICATIONS, {"to": to, **given(optional)}, idempotency_key, read_verification)

    def check_verification(
        self, verification_id: str, code: str, *, idempotency_key: str = ""
    ) -> ClientCall[Verification]:
        """POST /v1/verifications/{id}/check: `is_verified` in the answer to the one right check, and in no other.

        A wrong code is an answer. Raises `AlreadyVerified`, `VerificationUnknown`. A key is for one entry of a person.
        """
        path = f"{VERIFICATIONS}/{segment_of(verification_id)}/check"
        return post(path, {"code": code}, idempotency_key, read_verification)

    def resend_verification(self, verification_id: str, *, idempotency_key: str = "") -> ClientCall[Verification]:
        """POST /v1/verifications/{id}/resend: the same code again. Raises `NumberLimit`, `VerificationOver`."""
        return post(f"{VERIFICATIONS}/{segment_of(verification_id)}/resend", {}, idempotency_key, read_verification)

    def cancel_verification(self, verification_id: str, *, idempotency_key: str = "") -> ClientCall[Verification]:
        """POST /v1/verifications/{id}/cancel: the code is no longer right."""
        return post(f"{VERIFICATIONS}/{segment_of(verification_id)}/cancel", {}, idempotency_key, read_verification)

    def verification(self, verification_id: str) -> ClientCall[Verification]:
        """GET /v1/verifications/{id}: with the messages that carried the code."""
        return get(f"{VERIFICATIONS}/{segment_of(verification_id)}", {}, read_verification)
