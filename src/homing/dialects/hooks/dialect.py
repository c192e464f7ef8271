"""Hooks of sign-in products as the rest of Homing knows them (docs/reference/hooks.md)."""

from collections.abc import Iterable, Mapping
from typing import Final

from homing.api.http.wire import HttpEndpoint
from homing.common.crypto import make_secret
from homing.dialects.base import ChangedMessage, CredentialFormat, NewPush
from homing.dialects.hooks.number import NUMBER
from homing.dialects.hooks.problems import STATUSES
from homing.dialects.serving import HttpDialect, Services
from homing.states import MessageState

KEY_CHARS: Final = 16
SECRET_CHARS: Final = 32
"""Of letters and digits: as base64 they are the 24 bytes that Standard Webhooks asks for at least."""


def make_key() -> str:
    return make_secret(KEY_CHARS)


class HooksDialect(HttpDialect):
    number = NUMBER
    name = "hooks"
    title = "Sign-in hooks"
    credentials = CredentialFormat(
        key_name="the last part of the hook's address",
        secret_name="",
        make_key=make_key,
        secret_chars_min=SECRET_CHARS,
        may_bind=False,
    )
    states = dict.fromkeys(MessageState)
    error_codes = STATUSES

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.hooks.endpoints import HookEndpoints  # of api processes alone: slow to import

        return HookEndpoints(services).by_path()

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        """Nothing is pushed: the products take no reports."""
        return ()
