"""The demo: an account with the dialects' published sample credentials, prices, senders and two simulated carriers, so
that the examples of their documents run unchanged.
"""

from collections.abc import Iterable
from typing import Final

from homing import errors
from homing.admin import account_settings, carriers, code_settings, guard_settings, prices, routes
from homing.common import money
from homing.common.crypto import Vault
from homing.dialects.base import Dialect
from homing.ledger.postings import gift, post, top_up
from homing.model import CODE_MARK, GENERAL, CodeAlphabet, CodeTemplate
from homing.routing.rules import RouteScope
from homing.store import statements
from homing.store.database import Database

ACCOUNT: Final = "demo"
APP_ID: Final = "4luaKsL2"
SENDER: Final = "HOMING"
PRICES: Final = (("86", "0.031"), ("91", "0.004"), ("1", "0.008"), ("", "0.02"))
CARRIERS: Final = (
    ("simulator-a", '{"seed": 1, "receipt_ms_mean": 600, "converted": 0.7}'),
    (
        "simulator-b",
        '{"seed": 2, "receipt_ms_mean": 1500, "undeliverable": 0.08, "fake": 0.5, "converted": 0.5}',
    ),
)
TEST_NUMBERS: Final = (("861380013", "the documents' test numbers"), ("91800333", "the documents' test numbers"))
"""Prefixes of the documents' test numbers. They never convert, so the guard would flag them."""
TEMPLATE: Final = CodeTemplate(
    template_id=1,
    app_id=APP_ID,
    name="verification",
    locale="",
    text=f"{CODE_MARK} is your verification code",
    alphabet=CodeAlphabet.NUMERIC,
    length=6,
    sender="",
)
TEST_NUMBER: Final = ("8613800139999", "123456")
"""A number to which no code is sent, and the code that is right for it."""
AUTHOR: Final = "demo"


def senders_of(dialects: Iterable[Dialect]) -> list[str]:
    """The demo account's sender IDs, the default first."""
    return [*(dialect.demo.sender for dialect in dialects if dialect.demo and dialect.demo.sender), SENDER]


async def load(database: Database, vault: Vault, dialects: Iterable[Dialect]) -> None:
    """Fills an empty database. Raises `InvalidInput` when it is not empty."""
    async with database.transaction() as transaction:
        if not await statements.admin.is_empty(transaction):
            raise errors.InvalidInput("the demo needs an empty database, but this one has accounts or carriers")
        account_id = await account_settings.create_account(transaction, ACCOUNT)
        for dialect in dialects:
            if dialect.demo is not None:
                key, secret = dialect.demo.key, dialect.demo.secret
                await account_settings.create_credential(
                    transaction, vault, account_id, dialect, key=key, secret=secret, label="demo", may_be_short=True
                )
        await account_settings.create_app(transaction, account_id, name="demo", app_id=APP_ID)
        await code_settings.add_code_template(transaction, account_id, TEMPLATE, template_id=TEMPLATE.template_id)
        await code_settings.set_test_number(transaction, account_id, *TEST_NUMBER)
        senders = senders_of(dialects)
        for sender in senders:
            await account_settings.add_sender(transaction, account_id, sender, default=sender == senders[0])
        await prices.set_prices(transaction, GENERAL, [(prefix, money.parse(price)) for prefix, price in PRICES])
        await post(transaction, account_id, top_up(money.parse("99.99")), AUTHOR, "demo balance")
        await post(transaction, account_id, gift(money.parse("50")), AUTHOR, "demo gift")
        for prefix, note in TEST_NUMBERS:
            await guard_settings.set_listed(transaction, account_id, ("prefix", prefix), True, note)
        for name, settings in CARRIERS:
            carrier_id = await carriers.add_carrier(transaction, name, "simulator", settings)
            await routes.set_route(transaction, RouteScope(), carrier_id=carrier_id)
