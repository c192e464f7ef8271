"""How the laaffic dialect's calls are signed (contract, section 1)."""

import hashlib
from typing import Any
from urllib.parse import urlencode

import msgspec

from homing_clients.call import HEADERS, ClientCall, ClientRequest, check_credential, parse_base


class LaafficSigner:
    """One credential, with the app of calls that name none."""

    def __init__(self, *, key: str, secret: str, app_id: str, base_url: str) -> None:
        """Raises ValueError for a base URL or a key that cannot be one."""
        self.base = parse_base(base_url)
        self._key = check_credential("the key", key)
        self._secret = secret
        self._app_id = app_id

    def render(self, call: ClientCall[Any], now_s: float) -> ClientRequest:
        """Signed with the Unix time `now_s` (contract, section 1)."""
        timestamp = str(int(now_s))
        headers = {
            **HEADERS,
            "Content-Type": "application/json;charset=UTF-8",
            "Api-Key": self._key,
            "Timestamp": timestamp,
            "Sign": hashlib.md5(f"{self._key}{self._secret}{timestamp}".encode(), usedforsecurity=False).hexdigest(),
        }
        target = f"{self.base.prefix}/{call.endpoint.name}"
        if call.endpoint.method == "POST":
            return ClientRequest("POST", target, headers, msgspec.json.encode(call.parameters))
        query = urlencode({name: str(value) for name, value in call.parameters.items()})
        return ClientRequest("GET", f"{target}?{query}" if query else target, headers, None)
