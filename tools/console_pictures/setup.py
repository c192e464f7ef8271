"""The customer, the carriers, prices, costs and routes of the pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from homing.admin import account_settings, carriers, code_settings, guard_settings, prices, routes
from homing.common import money
from homing.guard.rules import RuleMode
from homing.ledger.postings import post, top_up
from homing.model import CODE_MARK, GENERAL, CodeAlphabet, CodeTemplate
from homing.routing.rules import RouteScope
from homing.store.database import DatabaseConnection
from tests.support.installation import Installation

UNREACHED: Final = "8613601"
"""Numbers that the first carrier of China reports as undeliverable: a code to them is sent again by the second."""


@dataclass(frozen=True)
class SampleCountry:
    """`prefixes` begin its numbers of `digits` digits; `price` and `cost` are USD per segment; `share` is its part of
    the genuine traffic, `converted` the share of its people who enter their code. Carriers: the first choice, then the
    second.
    """

    code: str
    calling_code: str
    prefixes: Sequence[str]
    digits: int
    price: str
    costs: tuple[str, str]
    carriers: tuple[str, str]
    share: float
    converted: float


COUNTRIES: Final = (
    SampleCountry(
        "CN", "86", ("86139", "86186", "86133"), 13, "0.031", ("0.0242", "0.0255"), ("pacific", "meridian"), 36, 0.91
    ),
    SampleCountry(
        "IN", "91", ("91987", "91900"), 12, "0.024", ("0.0171", "0.0185"), ("pacific", "northlink"), 18, 0.84
    ),
    SampleCountry(
        "BR", "55", ("551198", "552198"), 13, "0.027", ("0.0196", "0.0214"), ("meridian", "northlink"), 15, 0.87
    ),
    SampleCountry(
        "NG", "234", ("234803", "234806"), 13, "0.094", ("0.0720", "0.0790"), ("northlink", "meridian"), 9, 0.81
    ),
    SampleCountry("GB", "44", ("4474", "4479"), 12, "0.045", ("0.0350", "0.0372"), ("northlink", "meridian"), 8, 0.93),
    SampleCountry("PH", "63", ("63917", "63918"), 12, "0.058", ("0.0435", "0.0461"), ("pacific", "meridian"), 8, 0.85),
    SampleCountry("ID", "62", ("62812", "62857"), 12, "0.110", ("0.0860", "0.0905"), ("pacific", "meridian"), 15, 0.86),
)
CARRIERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "pacific": {
        "seed": 11,
        "submit_ms": 38,
        "receipt_ms_mean": 1400,
        "undeliverable": 0.024,
        "lost": 0.003,
        "prefixes": {UNREACHED: {"submit_ms": 41, "receipt_ms_mean": 900, "undeliverable": 1, "expired": 0}},
    },
    "meridian": {"seed": 12, "submit_ms": 52, "receipt_ms_mean": 1900, "undeliverable": 0.038, "lost": 0.004},
    "northlink": {"seed": 13, "submit_ms": 64, "receipt_ms_mean": 2300, "undeliverable": 0.055, "lost": 0.006},
}
ACCOUNT: Final = "acme"
SENDER: Final = "ACME"
TEMPLATE: Final = "sign-in"
DENIED: Final = "234709"
BUDGET: Final = 450
"""Messages to Nigeria in an hour: fewer than are sent, so that a rule that only monitors has something to show."""
BLOCKING: Final = ("range", "burst", "network")


@dataclass(frozen=True)
class SampleCustomer:
    """The account, its app, the bearer token of Homing's own API, and the credentials of lia's and laaffic's APIs."""

    account_id: int
    app_id: str
    token: str
    api_id: str
    api_password: str
    key: str
    secret: str


async def set_up(installation: Installation, report_url: str) -> SampleCustomer:
    async with installation.looked_into() as database, database.transaction() as transaction:
        account_id = await account_settings.create_account(transaction, ACCOUNT)
        app_id = await account_settings.create_app(transaction, account_id, name="web shop", report_url=report_url)
        await account_settings.change_app(transaction, app_id, {"expects_conversions": True})
        await account_settings.add_sender(transaction, account_id, SENDER, default=True)
        await code_settings.add_code_template(transaction, account_id, _template(app_id))
        await post(transaction, account_id, top_up(money.parse("25000")), "ada", "bank transfer")
        await _guard(transaction, account_id)
        await _connect(transaction)
    v1 = await _credential(installation, "v1")
    lia = await _credential(installation, "lia")
    laaffic = await _credential(installation, "laaffic")
    return SampleCustomer(
        account_id=account_id,
        app_id=app_id,
        token=v1["token"],
        api_id=lia["key"],
        api_password=lia["secret"],
        key=laaffic["key"],
        secret=laaffic["secret"],
    )


def _template(app_id: str) -> CodeTemplate:
    return CodeTemplate(
        template_id=0,
        app_id=app_id,
        name=TEMPLATE,
        locale="",
        text=f"{CODE_MARK} is your Acme code. Share it with nobody.",
        alphabet=CodeAlphabet.NUMERIC,
        length=6,
        sender="",
    )


async def _guard(transaction: DatabaseConnection, account_id: int) -> None:
    await guard_settings.set_modes(transaction, GENERAL, BLOCKING, RuleMode.BLOCK)
    await guard_settings.set_listed(transaction, GENERAL, ("prefix", DENIED), False, "premium numbers")
    budget: dict[str, int | None] = {
        "hour_messages": BUDGET,
        "day_messages": None,
        "hour_micro": None,
        "day_micro": None,
    }
    await guard_settings.set_budget(transaction, account_id, country="NG", **budget)


async def _connect(transaction: DatabaseConnection) -> None:
    """Carriers with their costs, the routes to them, and what customers pay."""
    carrier_ids = {
        name: await carriers.add_carrier(transaction, name, "simulator", json.dumps(settings))
        for name, settings in CARRIERS.items()
    }
    price_list = [(country.calling_code, money.parse(country.price)) for country in COUNTRIES]
    await prices.set_prices(transaction, GENERAL, price_list)
    for country in COUNTRIES:
        for place, (name, cost) in enumerate(zip(country.carriers, country.costs, strict=True)):
            await prices.set_costs(transaction, carrier_ids[name], [(country.calling_code, money.parse(cost))])
            scope = RouteScope(prefix=country.calling_code)
            await routes.set_route(transaction, scope, carrier_id=carrier_ids[name], priority=10 * (place + 1))


async def _credential(installation: Installation, dialect: str) -> dict[str, Any]:
    """By the command line: it has the key that seals secrets."""
    process = await installation.command("credential", "create", ACCOUNT, "--dialect", dialect, "--json")
    output, errors = await process.communicate()
    if process.returncode:
        raise SystemExit(errors.decode())
    credential: dict[str, Any] = json.loads(output)
    return credential
