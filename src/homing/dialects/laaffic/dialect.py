"""The laaffic dialect as the rest of Homing knows it (docs/reference/laaffic.md)."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from homing.api.http.stray_calls import NamedKey
from homing.api.http.wire import HttpEndpoint, HttpRequest
from homing.common.crypto import make_secret
from homing.dialects.base import (
    ChangedMessage,
    CredentialFormat,
    DemoCredential,
    InboundMessage,
    NewPush,
    Quickstart,
)
from homing.dialects.laaffic import pushes, samples
from homing.dialects.laaffic.codes import CODES, ROW_STATUSES
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.signature import signature_of
from homing.dialects.serving import HttpDialect, Services
from homing.model import PushKind

KEY_CHARS: Final = 8
DEMO_KEY: Final = "bDqJFiq9"
DEMO_SECRET: Final = "7bz1lzh9"  # noqa: S105 - printed in the vendor's document


def make_key() -> str:
    return make_secret(KEY_CHARS)


def quickstart_body(values: Mapping[str, str]) -> str:
    body = {"appId": values["app"], "numbers": values["number"], "content": values["text"]}
    return json.dumps(body, ensure_ascii=False)


def demo_lines(address: str, app_id: str) -> Sequence[str]:
    timestamp = str(int(time.time()))
    signature = signature_of(DEMO_KEY, DEMO_SECRET, timestamp)
    headers = f"-H 'Api-Key: {DEMO_KEY}' -H 'Timestamp: {timestamp}' -H 'Sign: {signature}'"
    return (
        "The same with the laaffic dialect (the signature is valid for 30 minutes):",
        f"  curl {headers} {address}/v3/getBalance",
        f"  curl {headers} {address}/v3/sendSms"
        f' -d \'{{"appId":"{app_id}","numbers":"8613800130001","content":"Your code is 123456"}}\'',
    )


class LaafficDialect(HttpDialect):
    number = NUMBER
    name = "laaffic"
    title = "laaffic"
    credentials = CredentialFormat(key_name="Api-Key", secret_name="", make_key=make_key)
    states = ROW_STATUSES
    error_codes = CODES
    quickstart = Quickstart(
        path="/v3/sendSms", package="homing.dialects.laaffic", make_body=quickstart_body, needs_app=True
    )
    demo = DemoCredential(DEMO_KEY, DEMO_SECRET, demo_lines)
    has_app_reports = True

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.laaffic.endpoints import LaafficEndpoints  # of api processes alone: slow to import

        return LaafficEndpoints(services).by_path()

    def named_key(self, request: HttpRequest) -> NamedKey | None:
        key = request.headers.get("api-key")
        return NamedKey(NUMBER, key) if key else None

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        return pushes.reports(message)

    def inbound(self, message: InboundMessage) -> Iterable[NewPush]:
        return pushes.inbound(message)

    def is_acknowledged(self, status: int) -> bool:
        """200 alone (contract, section 10)."""
        return status == 200

    def sample(self, kind: PushKind, app_id: str, now: datetime) -> str | None:
        return samples.sample(kind, app_id, now)

    def message_id_of(self, verification_id: str) -> int | None:
        from homing.dialects.laaffic.otp_parameters import message_id_of  # slow to import

        return message_id_of(verification_id)
