"""CAMARA's One Time Password SMS as the rest of Homing knows it (docs/reference/camara.md)."""

from collections.abc import Iterable, Mapping
from typing import Final

from homing.api.http.wire import HttpEndpoint
from homing.common.crypto import make_secret
from homing.dialects.base import ChangedMessage, CredentialFormat, NewPush
from homing.dialects.camara.number import NUMBER
from homing.dialects.camara.problems import CODES
from homing.dialects.serving import HttpDialect, Services
from homing.states import MessageState

KEY_CHARS: Final = 12
SECRET_CHARS: Final = 32


def make_key() -> str:
    return make_secret(KEY_CHARS)


class CamaraDialect(HttpDialect):
    number = NUMBER
    name = "camara"
    title = "CAMARA OTP SMS"
    credentials = CredentialFormat(
        key_name="key", secret_name="", make_key=make_key, secret_chars_min=SECRET_CHARS, may_bind=False
    )
    states = dict.fromkeys(MessageState)
    error_codes = CODES

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.camara.endpoints import CamaraEndpoints  # of api processes alone: slow to import

        return CamaraEndpoints(services).by_path()

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        """Nothing is pushed: the definition has no reports."""
        return ()
