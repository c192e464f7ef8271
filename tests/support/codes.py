"""A verification engine beside a running Homing: what it submits, the server's processes send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from homing.accounts.profile import Profile
from homing.common.ids import NODES, IdSource
from homing.dialects.registry import DIALECTS
from homing.intake.intake import Intake, utc_now
from homing.model import App, CheckOutcome, CodeAlphabet, CodeTemplate, Recipient
from homing.routing.catalogue_cache import CatalogueCache
from homing.text.numbers import Numbering
from homing.verification.codes import CodeKeeper
from homing.verification.service import NewCode, SentCode, Verifications
from tests.support.server import Account, Server

LAAFFIC = 2
TEXT = "##code## is your Acme code"


@dataclass(frozen=True)
class CodeEngine:
    """Sends and checks codes of a server's accounts. They are the customer's own, so that tests know them."""

    verifications: Verifications

    async def send(self, account: Account, number: str, code: str = "471-906", **more: Any) -> SentCode:
        template = CodeTemplate(
            template_id=more.pop("template_id", 0),
            app_id=account.app,
            name="sign-in",
            locale="",
            text=TEXT,
            alphabet=CodeAlphabet.NUMERIC,
            length=6,
            sender="",
        )
        return await self.verifications.send(
            NewCode(
                account=profile(account, more.pop("test_numbers", {})),
                dialect=LAAFFIC,
                app=App(account.app, account.name, None, None),
                recipient=Recipient(number, number, more.pop("reference", None)),
                request_id="r",
                template=template,
                code=code,
                **more,
            )
        )

    async def resend(self, account: Account, sent: SentCode) -> SentCode:
        row = await self.verifications.find(account.account_id, sent.verification_id)
        assert row
        return await self.verifications.resend(profile(account), row, "r")

    async def check(self, account: Account, sent: SentCode, code: str = "471-906") -> CheckOutcome:
        checked = await self.verifications.check(account.account_id, sent.message_id, code, LAAFFIC)
        return checked.outcome


def profile(account: Account, test_numbers: dict[str, str] | None = None) -> Profile:
    app = App(account.app, account.name, None, None)
    senders = frozenset((account.sender,))
    return Profile(
        account.account_id,
        account.name,
        False,
        (),
        100_000,
        False,
        account.sender,
        senders,
        {account.app: app},
        (),
        test_numbers=test_numbers or {},
    )


@asynccontextmanager
async def code_engine(server: Server) -> AsyncIterator[CodeEngine]:
    catalogue = CatalogueCache(server.database)
    await catalogue.open()
    next_id = IdSource(NODES - 1).next
    intake = Intake(
        database=server.database,
        catalogue_cache=catalogue,
        numbering=Numbering.load(),
        next_id=next_id,
        clock=utc_now,
    )
    yield CodeEngine(
        Verifications(
            database=server.database,
            intake=intake,
            keeper=CodeKeeper(server.vault),
            next_id=next_id,
            clock=utc_now,
            dialects=DIALECTS,
        )
    )
    await catalogue.close()
