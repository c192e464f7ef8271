"""Homing's own API as the rest of Homing knows it (docs/reference/v1.md)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from homing.api.http.bearer import TOKEN, key_and_secret
from homing.api.http.stray_calls import NamedKey
from homing.api.http.wire import HttpEndpoint, HttpRequest
from homing.common.crypto import make_secret
from homing.dialects.base import (
    ChangedMessage,
    CredentialFormat,
    DemoCredential,
    EventSubject,
    NewPush,
    Quickstart,
)
from homing.dialects.serving import HttpDialect, Services
from homing.dialects.v1.api_viewer import VIEWER_PATH
from homing.dialects.v1.events import event_body, event_data, sample_data
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import CODES
from homing.dialects.v1.scopes import SCOPES
from homing.dialects.v1.words import STATUSES

KEY_CHARS: Final = 12
SECRET_CHARS: Final = 32
DEMO_KEY: Final = "demo"
DEMO_SECRET: Final = "7bz1lzh9"  # noqa: S105 - published with the demo


def make_key() -> str:
    return make_secret(KEY_CHARS)


def quickstart_body(values: Mapping[str, str]) -> str:
    return json.dumps({"to": values["number"], "text": values["text"]}, ensure_ascii=False)


def demo_lines(address: str, _app_id: str) -> Sequence[str]:
    token = TOKEN.format(key=DEMO_KEY, secret=DEMO_SECRET)
    headers = f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'"
    return (
        "Verify a phone number and send a message with Homing's own API:",
        f'  curl {headers} {address}/v1/verifications -d \'{{"to":"+8613800130001"}}\'',
        f'  curl {headers} {address}/v1/messages -d \'{{"to":"+8613800130001","text":"Your table is ready"}}\'',
    )


class V1Dialect(HttpDialect):
    number = NUMBER
    name = "v1"
    title = "Homing API"
    credentials = CredentialFormat(
        key_name="key",
        secret_name="",
        make_key=make_key,
        secret_chars_min=SECRET_CHARS,
        may_bind=False,
        token=TOKEN,
        scopes=SCOPES,
    )
    states = STATUSES
    error_codes = CODES
    quickstart = Quickstart(
        path="/v1",
        package="homing.dialects.v1",
        make_body=quickstart_body,
        needs_app=True,
        description_path=VIEWER_PATH,
    )
    demo = DemoCredential(DEMO_KEY, DEMO_SECRET, demo_lines)
    words_events = True

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.v1.endpoints import V1Endpoints  # of api processes alone: slow to import

        return V1Endpoints(services).by_path()

    def named_key(self, request: HttpRequest) -> NamedKey | None:
        pair = key_and_secret(request.headers.get("authorization") or "")
        return None if pair is None else NamedKey(NUMBER, pair[0])

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        """None: what is pushed are events, to the account's webhook endpoints."""
        return ()

    def event_data(self, subject: EventSubject) -> str:
        return event_data(subject)

    def sample_event(self, type: str, event_id: str, webhook_id: int, url: str, now: datetime) -> str:
        return event_body(event_id, type, now, sample_data(type, webhook_id, url, now))
