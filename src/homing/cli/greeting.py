"""What `homing serve` prints once everything runs: addresses, and commands to paste."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from homing import demo, limits
from homing.api.smpp.dialect import PASSWORD_CHARS_MAX
from homing.dialects.base import Dialect
from homing.dialects.registry import DIALECTS
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.accounts import CredentialKey
from homing.users.admin import has_operator
from homing.users.links import make_link


async def console_greeting(dsn: str, url: str) -> str:
    """The console's URL; while there is no operator, the one-time link that creates the first."""
    database = Database(dsn=dsn, connections_max=1)
    await database.open()
    try:
        async with database.transaction() as transaction:
            if await has_operator(transaction):
                return f"Console: {url}"
            token = await make_link(transaction, None)
    finally:
        await database.close()
    hours = round(limits.CONSOLE_LINK_S / 3600)
    text = (
        f"Console: {url}. Create the first operator with this one-time link (valid for {hours} hours):\n"
        f"  {url}/welcome/{token}"
    )
    at = urlsplit(url)
    if os.environ.get("SSH_CONNECTION") and at.hostname == "127.0.0.1":
        text += f"\n  (from your own machine, first: ssh -L {at.port}:127.0.0.1:{at.port} and this host)"
    return text


async def greeting(dsn: str, data: Path, address: str, smpp: str, console: str) -> str:
    """Addresses, and commands to paste. Keys are shown only if they are the demo's."""
    database = Database(dsn=dsn, connections_max=1)
    await database.open()
    demo_dialects = [dialect for dialect in DIALECTS if dialect.demo is not None]
    keys = [CredentialKey(dialect=each.number, key=each.demo.key) for each in demo_dialects if each.demo]
    credentials = await statements.accounts.credentials_find(database, email_keyed=[], keys=keys)
    await database.close()
    lines = [f"\nHoming serves {address}    (health: {address}/healthz, metrics: {address}/metrics)"]
    if smpp:
        lines.append(f"SMPP 3.4 server: {smpp}")
    if console:
        lines.append(console)
    program, where = calling(data)
    if not credentials:
        lines.append(
            f"\nCreate an account:  {program} account create acme{where}      All commands: {program} --help\n"
        )
        return "\n".join(lines)
    for dialect in demo_dialects:
        assert dialect.demo is not None
        first, *rest = dialect.demo.lines(address, demo.APP_ID)
        lines += [f"\n{first}", *rest]
    if smpp:
        lines += _bind_lines(demo_dialects)
    lines += [
        f"\nList messages:                     {program} message list{where}",
        f"Show one message by its ID:        {program} message show ID{where}        Stop: Ctrl-C\n",
    ]
    return "\n".join(lines)


def _bind_lines(demo_dialects: Sequence[Dialect]) -> Iterator[str]:
    """The first of the demo's credentials that fits what SMPP has room for."""
    for dialect in demo_dialects:
        credential, credentials = dialect.demo, dialect.credentials
        if credential and credentials and credentials.may_bind and len(credential.secret) <= PASSWORD_CHARS_MAX:
            yield "\nOver SMPP, as transmitter, receiver or transceiver:"
            sender = demo.senders_of(DIALECTS)[0]
            yield f"  system_id {credential.key}, password {credential.secret}, source_addr {sender}"
            return


def calling(data: Path) -> tuple[str, str]:
    """(program, option): how a shell in this folder calls this `homing`, and what names this data folder to it. The
    option is empty where the folder is the one that a command takes by itself.
    """
    folder = Path.cwd()
    called = Path(sys.argv[0])
    if called.name != "homing":  # python -m homing.cli
        program = f"{quote(sys.executable)} -m homing.cli"
    elif (installed := shutil.which("homing")) and Path(installed).samefile(called):
        program = "homing"
    else:
        called = called.absolute()
        program = quote(str(called.relative_to(folder) if called.is_relative_to(folder) else called))
    is_usual = data == folder / "data"
    shortest = data.relative_to(folder) if data.is_relative_to(folder) else data
    return program, "" if is_usual else f" --data {quote(str(shortest))}"
