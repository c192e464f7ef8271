"""Bearer keys: `Authorization: Bearer hm_<key>_<secret>`, for dialects whose credentials come in one text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from homing import limits
from homing.accounts.refused_calls import invalid
from homing.api.http.call_keys import CallKeys, KeyRefused, check_lock
from homing.common.crypto import same

if TYPE_CHECKING:  # every command knows the form of tokens; an api process alone has these parts
    from homing.accounts.profile import Credential
    from homing.api.http.wire import HttpRequest

TOKEN: Final = "hm_{key}_{secret}"  # noqa: S105 - the form of all tokens
KEYS_DIALECT: Final = 3
"""Homing's own API, whose keys also open dialects that have none of their own."""
TOKEN_CHARS_MAX: Final = 2 * limits.KEY_CHARS_MAX


def key_and_secret(header: str) -> tuple[str, str] | None:
    """Of an Authorization header; None when it has no token of this form. The scheme is in any letter case (RFC 9110,
    section 11.1).
    """
    scheme, _space, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > TOKEN_CHARS_MAX:
        return None
    prefix, _first, rest = token.partition("_")
    key, _second, secret = rest.partition("_")
    return (key, secret) if prefix == "hm" and key and secret else None


async def bearer_credential(keys: CallKeys, request: HttpRequest) -> Credential:
    """The credential that a call's bearer key opens. Raises `KeyRefused`, in this order: no key, an unknown one, the
    caller's address, the secret, the account's lock.
    """
    header = request.headers.get("authorization")
    if not header:
        raise KeyRefused("missing")
    pair = key_and_secret(header)
    if pair is None:
        raise KeyRefused("unknown", invalid("the key is not of the form hm_KEY_SECRET"))
    key, secret = pair
    credential = await keys.find(request, key)
    await keys.prove(request, credential, is_right=same(credential.secret, secret))
    check_lock(credential)
    return credential
