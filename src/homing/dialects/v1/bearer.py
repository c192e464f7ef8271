"""Bearer keys: `Authorization: Bearer hm_<key>_<secret>`."""

from typing import Final

from homing.accounts.directory import Directory
from homing.accounts.profile import Credential
from homing.api.http.auth_guard import AuthGuard
from homing.api.http.wire import HttpRequest
from homing.common.crypto import same
from homing.dialects.v1 import bounds
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import V1Refusal

TOKEN: Final = "hm_{key}_{secret}"  # noqa: S105 - the form of all tokens
CHALLENGE: Final = (("www-authenticate", 'Bearer realm="Homing"'),)
CHALLENGE_INVALID: Final = (("www-authenticate", 'Bearer realm="Homing", error="invalid_token"'),)


def key_and_secret(header: str) -> tuple[str, str] | None:
    """Of an Authorization header; None when it has no token of this API's form. The scheme is in any letter case
    (RFC 9110, section 11.1).
    """
    scheme, _space, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > bounds.TOKEN_CHARS_MAX:
        return None
    prefix, _first, rest = token.partition("_")
    key, _second, secret = rest.partition("_")
    return (key, secret) if prefix == "hm" and key and secret else None


class V1Keys:
    """Finds the credential that a call's bearer key opens."""

    def __init__(self, directory: Directory, guard: AuthGuard) -> None:
        self._directory = directory
        self._guard = guard

    async def credential_of(self, request: HttpRequest) -> Credential:
        """Raises `V1Refusal`, in this order: no key, an unknown one, the caller's address, the secret, the account's
        lock. From an address that is not allowed nobody learns whether a secret is right.
        """
        header = request.headers.get("authorization")
        if not header:
            raise V1Refusal("key_missing", headers=CHALLENGE)
        pair = key_and_secret(header)
        if pair is None:
            raise V1Refusal("key_invalid", "an API key looks like hm_KEY_SECRET", headers=CHALLENGE_INVALID)
        key, secret = pair
        credential = self._directory.peek(NUMBER, key) or await self._directory.find(NUMBER, key)
        address = request.call.find_address()
        if credential is None:
            self._guard.unknown(NUMBER, key, address)
            raise V1Refusal("key_invalid", headers=CHALLENGE_INVALID)
        account = credential.profile
        if account.allowed_networks and not account.allows(address):
            self._guard.count(NUMBER, "address")
            raise V1Refusal("address_not_allowed")
        if not await self._guard.passes(NUMBER, key, address, same(credential.secret, secret)):
            raise V1Refusal("key_invalid", headers=CHALLENGE_INVALID)
        if account.locked:
            raise V1Refusal("account_locked")
        return credential
