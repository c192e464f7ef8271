"""The lia dialect as the rest of Homing knows it (docs/reference/lia.md)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_plus

from homing.api.http.stray_calls import NamedKey
from homing.api.http.wire import HttpEndpoint, HttpRequest
from homing.common.crypto import make_secret
from homing.dialects.base import ChangedMessage, CredentialFormat, DemoCredential, NewPush, Quickstart
from homing.dialects.lia import reports
from homing.dialects.lia.number import NUMBER
from homing.dialects.lia.settings import LiaDialectSettings
from homing.dialects.lia.words import REMARKS, STATE_WORDS
from homing.dialects.serving import HttpDialect, Services

API_ID: Final = re.compile(r"(?:^|&)api_id=([^&]+)")
DEMO_KEY: Final = "API4623444906"
DEMO_SENDER: Final = "LIASMART"
DEMO_PASSWORD: Final = "password@123"  # noqa: S105 - printed in the vendor's document


def make_key() -> str:
    """`API` and ten digits."""
    return f"API{10**9 + int.from_bytes(make_secret(8).encode()) % 9_000_000_000}"


def demo_lines(address: str, _app_id: str) -> Sequence[str]:
    credential = f"api_id={DEMO_KEY}&api_password={DEMO_PASSWORD}"
    return (
        "Send with the lia dialect and query the status (numbers ending in 0001 are delivered at once):",
        f"  curl '{address}/api/SendSMS?{credential}&sms_type=T&encoding=T&sender_id={DEMO_SENDER}"
        "&phonenumber=8613800130001&textmessage=Your+code+is+123456&uid=first'",
        f"  curl '{address}/api/GetDeliveryStatus?{credential}&uid=first'",
    )


class LiaDialect(HttpDialect):
    number = NUMBER
    name = "lia"
    title = "lia"
    credentials = CredentialFormat(
        key_name="api_id",
        secret_name="api_password",  # noqa: S106 - what the dialect calls it
        make_key=make_key,
        is_email_a_key=True,
    )
    states = STATE_WORDS
    error_codes = REMARKS
    settings = LiaDialectSettings
    quickstart = Quickstart(path="/api/SendSMS", package="homing.dialects.lia", needs_sender=True)
    demo = DemoCredential(DEMO_KEY, DEMO_PASSWORD, demo_lines, DEMO_SENDER)

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.lia.endpoints import LiaEndpoints  # of api processes alone: slow to import

        assert isinstance(services.settings, LiaDialectSettings)
        return LiaEndpoints(services, services.settings).by_path()

    def named_key(self, request: HttpRequest) -> NamedKey | None:
        """Of a query; a form is not read for it."""
        key = API_ID.search(request.query)
        return NamedKey(NUMBER, unquote_plus(key[1])) if key else None

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        return reports.reports(message)
