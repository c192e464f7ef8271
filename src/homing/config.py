"""Settings: the default file, then `homing.toml` in the data folder, then the environment."""

import ipaddress
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from homing import errors
from homing.common.networks import Network
from homing.dialects.base import Dialect

Workers = Annotated[int, msgspec.Meta(ge=0, le=64)]


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    url: str
    workers: Workers
    trusted_proxies: list[str]

    @property
    def base_url(self) -> str:
        """The base URL for customers, without a trailing slash."""
        return _base_url(self.url, self.address)


class LinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workers: Workers


class DispatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    unknown_retry_s: Annotated[int, msgspec.Meta(ge=1, le=3600)]
    queue_age_s: Annotated[int, msgspec.Meta(ge=1, le=3600)]


class SmppServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    workers: Workers
    tls_certificate: str
    tls_key: str
    tls_address: str


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    url: str

    @property
    def base_url(self) -> str:
        """The base URL for users, without a trailing slash."""
        return _base_url(self.url, self.address)


class PushSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allowed_networks: list[str]


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "json", "text"]


class Headings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member for each section of default.toml, which explains the settings."""

    http: HttpSettings
    link: LinkSettings
    dispatch: DispatchSettings
    smpp: SmppServerSettings
    console: ConsoleSettings
    push: PushSettings
    log: LogSettings


class Settings(Headings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`dialects`: by name, the settings of those that have any; their settings.toml explains them."""

    dialects: Mapping[str, msgspec.Struct]


def load(data: Path, dialects: Iterable[Dialect], environment: Mapping[str, str] | None = None) -> Settings:
    """Raises `InvalidInput` that names the invalid setting."""
    environment = os.environ if environment is None else environment
    sections = {dialect.name: dialect.settings for dialect in dialects if dialect.settings is not None}
    values = tomllib.loads(resources.files("homing").joinpath("default.toml").read_text(encoding="utf-8"))
    for dialect in dialects:
        if dialect.settings is not None:
            values[dialect.name] = tomllib.loads(settings_file(dialect).read_text(encoding="utf-8"))
    own = data / "homing.toml"
    if own.exists():
        try:
            _merge(values, tomllib.loads(own.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise errors.InvalidInput(f"{own}: {error}") from None
    _merge(values, _from_environment(values, environment))
    shape = msgspec.defstruct("Sections", list(sections.items()), bases=(Headings,), frozen=True, kw_only=True)
    try:
        read = msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        raise errors.InvalidInput(f"settings: {error}") from None
    core = {name: getattr(read, name) for name in Headings.__struct_fields__}
    return Settings(**core, dialects={name: getattr(read, name) for name in sections})


def settings_file(dialect: Dialect) -> Traversable:
    """A dialect's settings.toml, with defaults and explanations."""
    package = type(dialect).__module__.rpartition(".")[0]
    return resources.files(package).joinpath("settings.toml")


def by_heading(settings: Settings) -> dict[str, dict[str, Any]]:
    """All settings as plain values by section; a dialect's section is named like it."""
    values: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
    return {**values, **values.pop("dialects")}


def _merge(values: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    for heading, members in overrides.items():
        if not isinstance(members, dict):
            raise errors.InvalidInput(f"settings: {heading} must be a section, as in [{heading}]")
        values.setdefault(heading, {}).update(members)


def _from_environment(values: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    read: dict[str, dict[str, Any]] = {}
    for heading, members in values.items():
        for name, default in members.items():
            text = environment.get(f"HOMING_{heading}_{name}".upper())
            if text is not None:
                read.setdefault(heading, {})[name] = _read(text, default)
    names = {f"HOMING_{heading}_{name}".upper() for heading, members in values.items() for name in members}
    headings = tuple(f"HOMING_{heading}_".upper() for heading in values)
    unknown = sorted(name for name in environment if name.startswith(headings) and name not in names)
    if unknown:
        raise errors.InvalidInput(f"setting {unknown[0]} does not exist")
    return read


def _read(text: str, default: object) -> object:
    if isinstance(default, str):
        return text
    if isinstance(default, list) and not text.startswith("["):
        return [piece.strip() for piece in text.split(",") if piece.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def networks(texts: list[str]) -> list[Network]:
    """Addresses and networks. Raises `InvalidInput` for other text."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError as error:
        raise errors.InvalidInput(str(error)) from None


def _base_url(url: str, address: str) -> str:
    if url:
        return url.rstrip("/")
    host, port = host_port(address)
    return f"http://{'[' + host + ']' if ':' in host else host}:{port}"


def host_port(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080`. Raises `InvalidInput`."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or not 0 <= int(port) <= 65535 or not host:
        raise errors.InvalidInput(f"{text!r} is not in the form HOST:PORT")
    return host.strip("[]"), int(port)
