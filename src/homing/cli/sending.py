"""Messages and codes of commands: they take the way of a customer's call (one intake), with an account's settings."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from homing import errors
from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.cli.context import CommandContext
from homing.cli.exit_status import CommandFailed, failure_of
from homing.dialects.registry import DIALECTS
from homing.guard.service import GuardService
from homing.intake.intake import Intake
from homing.model import App
from homing.routing.catalogue_cache import CatalogueCache
from homing.store.id_nodes import IdNodeLease
from homing.store.owners import owner_of
from homing.text.numbers import Numbering
from homing.verification.codes import CodeKeeper
from homing.verification.service import Verifications

OWN_DIALECT: Final = "v1"
"""Messages of commands are as if sent by Homing's own API: an operator's endpoints and pages show them alike."""
REQUEST: Final = "command"
"""In place of the id of an HTTP request: it stands in the message's timeline."""

reference_option: Final = click.option("--reference", help="A reference of your own.")
dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Show price and segments; send, charge and store nothing."
)


class AccountSender(msgspec.Struct, frozen=True):
    """What sends for an account. `app`: None where the account has none."""

    account: Profile
    app: App | None
    intake: Intake
    verifications: Verifications
    dialect: int

    def sender(self, given: str | None) -> str:
        """Raises `InvalidInput` for a sender ID that is not registered to the account."""
        if given is None:
            return self.account.default_sender or ""
        registered = self.account.registered(given)
        if registered is None:
            raise errors.InvalidInput(
                f"sender ID {given} is not registered; `homing sender add {self.account.name} {given}` registers it"
            )
        return registered


@contextlib.asynccontextmanager
async def account_sender(context: CommandContext, account: str, app: str | None) -> AsyncIterator[AccountSender]:
    """Opens what sending needs. `app`: None for the account's first. Raises `InvalidInput`."""
    database, vault = context.database, await context.vault()
    account_id = (await context.account(account)).account_id
    directory = Directory(database=database, vault=vault, email_keyed=DIALECTS.email_keyed)
    profile = await directory.profile_of(account_id)
    if profile is None or profile.locked:
        raise errors.InvalidInput(f"account {account} is locked; `homing account unlock {account}` unlocks it")
    chosen = profile.default_app if app is None else profile.apps.get(app)
    if app is not None and chosen is None:
        raise errors.InvalidInput(f"account {account} has no app {app}; `homing app list {account}` lists its apps")
    async with contextlib.AsyncExitStack() as parts:
        node = IdNodeLease(database, owner_of(f"{REQUEST}-{uuid.uuid4().hex}"))
        catalogue, guard = CatalogueCache(database), GuardService(database, lambda: datetime.now(UTC).timestamp())
        for part in (node, catalogue, guard):
            await part.open()
            parts.push_async_callback(part.close)
        intake = Intake(
            database=database,
            catalogue_cache=catalogue,
            numbering=Numbering.load(),
            next_id=node.next_id,
            check=guard.check,
        )
        verifications = Verifications(
            database=database,
            intake=intake,
            keeper=CodeKeeper(vault),
            next_id=node.next_id,
            clock=lambda: datetime.now(UTC),
            dialects=DIALECTS,
        )
        parts.push_async_callback(intake.drained)
        parts.push_async_callback(verifications.drained)
        yield AccountSender(profile, chosen, intake, verifications, DIALECTS.named(OWN_DIALECT).number)


@contextlib.contextmanager
def refusals_worded() -> Iterator[None]:
    """Raises `CommandFailed` in place of a refusal, with its code of Homing's own API."""
    try:
        yield
    except errors.Refusal as refused:
        code = DIALECTS.named(OWN_DIALECT).error_codes.of(type(refused))
        text = f"refused, nothing was sent or charged: {refused} ({code})"
        raise CommandFailed(text, failure_of(refused).status) from None
