"""What every command shares: the data folder, the open database, errors and output."""

import asyncio
import contextlib
import functools
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import click
import msgspec

from homing import config, errors
from homing.admin.account_settings import find_account
from homing.admin.setting_warnings import push_address_warnings
from homing.audit import at_the_machine
from homing.cli.exit_status import CommandFailed, ExitStatus, failure_of
from homing.cli.show import Detail, Reply, print_reply
from homing.cli.suggesting import SuggestingGroup
from homing.common.crypto import Vault, load_key
from homing.common.private_files import make_data_folder
from homing.dialects.registry import DIALECTS
from homing.model import GENERAL
from homing.store import statements
from homing.store.database import FREE_PLANS, Database
from homing.store.embedded.location import has_cluster
from homing.store.embedded.server import EmbeddedPostgres
from homing.store.migrate import migrate
from homing.store.statements.admin import AccountRow

CONNECTIONS_MAX: Final = 2

data_option: Final = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    envvar="HOMING_DATA",
    default=Path("data"),
    show_default=True,
    show_envvar=True,
    help="The data folder.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class CommandGroup(SuggestingGroup):
    """The commands of a noun, in the order of their definition."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class CommandContext(msgspec.Struct, frozen=True):
    """The data folder and the open database of a command."""

    data: Path
    database: Database

    async def account(self, name_or_id: str) -> AccountRow:
        return await find_account(self.database, name_or_id)

    async def scope(self, name_or_id: str | None) -> int:
        """The account_id of a setting; GENERAL, for all accounts, without an account."""
        return GENERAL if name_or_id is None else int((await self.account(name_or_id)).account_id)

    def push_warnings(self, *urls: str | None) -> Sequence[str]:
        """Warnings about addresses that the settings of the data folder exclude from pushes."""
        allowed_networks = config.networks(config.load(self.data, DIALECTS).push.allowed_networks)
        return [str(warning) for url in urls for warning in push_address_warnings(url, allowed_networks)]

    async def vault(self) -> Vault:
        """What seals the customers' secrets. Raises `InvalidInput` when its key cannot be used, or when there are
        sealed secrets and no key: a new one could open none of them, and `homing serve` none of what it seals.
        """
        from_environment, file = os.environ.get("HOMING_SECRET_KEY", ""), self.data / "secret.key"
        if not from_environment and not file.exists():
            if await statements.admin.is_sealed(self.database):
                raise errors.InvalidInput(
                    f"the key of this database's secrets is not in {self.data}: name Homing's data folder with --data"
                    " or HOMING_DATA, or the key with HOMING_SECRET_KEY"
                )
            make_data_folder(self.data)
        try:
            return Vault(load_key(from_environment, file))
        except ValueError as error:
            raise errors.InvalidInput(str(error)) from None


def in_context(work: Callable[..., Coroutine[Any, Any, Reply]]) -> Callable[..., None]:
    """Makes a command of a coroutine function that takes a `CommandContext` first: adds --data and --json, opens (and
    migrates) the database, prints what comes back, and turns what Homing can word into one line
    on stderr and an `ExitStatus`.
    """

    @data_option
    @json_option
    @functools.wraps(work)
    def command(data: Path, as_json: bool, **values: Any) -> None:
        _refuse_broken_text(values)
        with errors_in_one_line(), database_url(data) as dsn:
            reply = asyncio.run(_with_database(dsn, lambda database: work(CommandContext(data, database), **values)))
        print_reply(reply, as_json)
        if isinstance(reply, Detail) and reply.status:
            raise SystemExit(reply.status)

    return command


@contextlib.contextmanager
def database_url(data: Path, *, may_create: bool = False) -> Iterator[str]:
    """The DSN: HOMING_DATABASE_URL's, or that of the embedded PostgreSQL for as long as it is needed.

    may_create: a new database is made where there is none. Else that raises `InvalidInput`: a command that was meant
    for another folder must not answer from an empty database of its own making.
    """
    with opened_database(data, may_create=may_create) as opened:
        yield opened.dsn


class OpenedDatabase(msgspec.Struct, frozen=True):
    """`embedded`: None where the database is a server of HOMING_DATABASE_URL."""

    dsn: str
    embedded: EmbeddedPostgres | None


@contextlib.contextmanager
def opened_database(data: Path, *, may_create: bool = False) -> Iterator[OpenedDatabase]:
    """As `database_url`, with the embedded PostgreSQL itself."""
    from_environment = os.environ.get("HOMING_DATABASE_URL")
    if from_environment:
        yield OpenedDatabase(from_environment, None)
        return
    if not may_create and not has_cluster(data):
        raise errors.InvalidInput(
            f"there is no Homing in {data}: name its data folder with --data or HOMING_DATA (`homing serve` makes a new"
            " one)"
        )
    embedded = EmbeddedPostgres(data)
    with embedded as dsn:
        yield OpenedDatabase(dsn, embedded)


async def _with_database(dsn: str, work: Callable[[Database], Awaitable[Reply]]) -> Reply:
    database = Database(dsn=dsn, connections_max=CONNECTIONS_MAX, plans={**FREE_PLANS, **at_the_machine()})
    try:
        await migrate(dsn)
        await database.open()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(
            f"the database cannot be opened: {error or type(error).__name__}", ExitStatus.NOT_NOW
        ) from error
    try:
        return await work(database)
    finally:
        await database.close()


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turns expected errors into one line on stderr and the status of such a failure."""
    try:
        yield
    except (errors.InvalidInput, errors.LimitReached, errors.PlatformFailure) as error:
        raise failure_of(error) from None
    except OSError as error:  # a folder that may not be made, read or written
        raise CommandFailed(str(error)) from None


def _refuse_broken_text(values: dict[str, Any]) -> None:
    """Refuses arguments that are not UTF-8: Python has them as lone surrogates, which PostgreSQL cannot store."""
    for name, value in values.items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
                raise click.UsageError(f"{name.replace('_', '-')} is not UTF-8 text")
