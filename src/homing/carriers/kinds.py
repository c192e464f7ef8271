"""The kinds of carriers, and how a row's settings become a carrier."""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final, get_type_hints

import msgspec

from homing import errors
from homing.carriers import http, laaffic, lia
from homing.carriers.base import Carrier, Clock, WebhookParser
from homing.carriers.secret_mark import SECRET
from homing.carriers.simulator import SimulatorCarrier, SimulatorSettings
from homing.carriers.smpp.carrier import SmppCarrier
from homing.carriers.smpp.settings import SmppSettings

HIDDEN: Final = "(hidden)"


class CarrierKind(msgspec.Struct, frozen=True):
    """A kind's settings, its constructor, and the parser of its pushes, if its carriers push."""

    settings: type[msgspec.Struct]
    build: Callable[[Any, random.Random, Clock], Carrier]
    listener: Callable[[Any, Clock], WebhookParser] | None = None


KINDS: Final[Mapping[str, CarrierKind]] = {
    "simulator": CarrierKind(SimulatorSettings, lambda settings, _rng, clock: SimulatorCarrier(settings, clock)),
    "laaffic": CarrierKind(laaffic.LaafficSettings, laaffic.make, laaffic.LaafficWebhookParser),
    "lia": CarrierKind(lia.LiaSettings, lia.make, lia.LiaWebhookParser),
    "http": CarrierKind(http.HttpCarrierSettings, http.make, http.HttpWebhookParser),
    "smpp": CarrierKind(SmppSettings, SmppCarrier),
}


def make(kind: str, settings: str, rng: random.Random, clock: Clock) -> Carrier:
    """A carrier from its row; `rng` is for jitter. `clock`: by which submits have their times, which receipts
    are held against. Raises `InvalidInput` when the kind or a setting is unknown.
    """
    return _kind(kind).build(read_settings(kind, settings), rng, clock)


def listener(kind: str, settings: str, clock: Clock) -> WebhookParser | None:
    """The parser of the carrier's pushes; None for a kind that does not push. Parameters and errors as of `make`."""
    parser_of = _kind(kind).listener
    return None if parser_of is None else parser_of(read_settings(kind, settings), clock)


def read_settings(kind: str, settings: str) -> Any:
    """A row's settings as its kind's struct. Raises `InvalidInput` that names what is wrong."""
    try:
        return msgspec.json.decode(settings, type=_kind(kind).settings)
    except msgspec.MsgspecError as error:
        names = ", ".join(field.encode_name for field in msgspec.structs.fields(_kind(kind).settings))
        raise errors.InvalidInput(f"settings of a {kind} carrier: {error}. Known settings: {names}") from None


def visible_settings(kind: str, settings: str) -> Mapping[str, Any]:
    """A row's settings without secrets."""
    values: dict[str, Any] = msgspec.json.decode(settings)
    secrets = secret_names(kind)
    return {name: HIDDEN if name in secrets and value else value for name, value in values.items()}


def secret_names(kind: str) -> frozenset[str]:
    """Names of the secret settings of a kind; empty for an unknown kind."""
    if kind not in KINDS:
        return frozenset()
    hints = get_type_hints(KINDS[kind].settings, include_extras=True)
    return frozenset(name for name, hint in hints.items() if SECRET in getattr(hint, "__metadata__", ()))


def _kind(kind: str) -> CarrierKind:
    if kind not in KINDS:
        raise errors.InvalidInput(f"carrier kind {kind!r} does not exist; kinds: {', '.join(KINDS)}")
    return KINDS[kind]
