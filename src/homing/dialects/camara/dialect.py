"""CAMARA's One Time Password SMS as the rest of Homing knows it (docs/reference/camara.md)."""

from collections.abc import Iterable, Mapping

from homing.api.http.wire import HttpEndpoint
from homing.dialects.base import ChangedMessage, NewPush
from homing.dialects.camara.number import NUMBER
from homing.dialects.camara.problems import CODES
from homing.dialects.serving import HttpDialect, Services
from homing.states import MessageState


class CamaraDialect(HttpDialect):
    number = NUMBER
    name = "camara"
    title = "CAMARA OTP SMS"
    credentials = None
    states = dict.fromkeys(MessageState)
    error_codes = CODES

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        from homing.dialects.camara.endpoints import CamaraEndpoints  # of api processes alone: slow to import

        return CamaraEndpoints(services).by_path()

    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        """Nothing is pushed: the definition has no reports."""
        return ()
