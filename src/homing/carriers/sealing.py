"""Carriers' secrets at rest: in the database, and so in its dumps, they are sealed. Each is bound to the carrier's name
and its own, so that a sealed value which is put elsewhere does not open.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from homing import errors
from homing.carriers.kinds import secret_names
from homing.common.crypto import Vault

MARK: Final = "sealed:"
"""What a sealed value begins with, in the place of the plain one."""


def seal_settings(vault: Vault, name: str, kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with their secrets sealed; those that are already stay as they are."""

    def seal(value: str, about: str) -> str:
        if value.startswith(MARK):
            return value
        return MARK + base64.b64encode(vault.seal(value, about)).decode()

    return _each(name, kind, settings, seal)


def open_settings(vault: Vault, name: str, kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with their secrets in clear. Raises `InvalidInput` for what another key sealed, or for another
    place.
    """

    def open_sealed(value: str, about: str) -> str:
        if not value.startswith(MARK):
            return value
        try:
            return vault.open(base64.b64decode(value.removeprefix(MARK), validate=True), about)
        except ValueError:
            raise errors.InvalidInput(
                f"a secret of the carrier {name!r} cannot be decrypted: it belongs to another key or setting"
            ) from None

    return _each(name, kind, settings, open_sealed)


def open_text(vault: Vault, name: str, kind: str, settings: str) -> str:
    """Likewise, of the JSON text that a row holds."""
    return msgspec.json.encode(open_settings(vault, name, kind, msgspec.json.decode(settings))).decode()


def has_plain(kind: str, settings: Mapping[str, Any]) -> bool:
    """Whether any secret stands in clear."""
    plain: list[str] = []

    def look(value: str, about: str) -> str:
        if not value.startswith(MARK):
            plain.append(about)
        return value

    _each("", kind, settings, look)
    return bool(plain)


def _each(name: str, kind: str, settings: Mapping[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    changed = dict(settings)
    for member in secret_names(kind):
        value = changed.get(member)
        about = f"carrier/{name}/{member}"
        if isinstance(value, str) and value:
            changed[member] = change(value, about)
        elif isinstance(value, dict):
            changed[member] = {
                key: change(str(secret), f"{about}/{key}") if secret else secret for key, secret in value.items()
            }
    return changed
