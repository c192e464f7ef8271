"""What `homing serve` says when all of it runs: where, and lines to paste."""

import os
import shutil
import sys
import time
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from homing import demo, limits
from homing.kit.crypto import laaffic_sign
from homing.model import Door
from homing.store.database import Database
from homing.users.admin import has_operator
from homing.users.links import make_link


async def console_greeting(dsn: str, url: str) -> str:
    """Where the console is; while nobody is its operator, the one-time link that makes the first one."""
    database = Database(dsn, connections_max=1)
    await database.open()
    try:
        async with database.transaction() as transaction:
            if await has_operator(transaction):
                return f"Look at it on {url}"
            token = await make_link(transaction, None)
    finally:
        await database.close()
    hours = round(limits.CONSOLE_LINK_S / 3600)
    said = f"Look at it on {url}: within {hours} hours, once, become its operator by\n  {url}/welcome/{token}"
    at = urlsplit(url)
    if os.environ.get("SSH_CONNECTION") and at.hostname == "127.0.0.1":
        said += f"\n  (from your own machine, first: ssh -L {at.port}:127.0.0.1:{at.port} and this host)"
    return said


async def greeting(dsn: str, data: Path, address: str, smpp: str, console: str) -> str:
    """What a newcomer needs: where it runs, and lines to paste. Keys are shown only if they are the demo's."""
    database = Database(dsn, connections_max=1)
    await database.open()
    found = await database.fetch("credentials_find", [Door.LIA], [demo.LIA_KEY])
    await database.close()
    lines = [f"\nHoming serves {address}    (health: {address}/healthz, metrics: {address}/metrics)"]
    if smpp:
        lines.append(f"Customers bind over SMPP 3.4 on {smpp}")
    if console:
        lines.append(console)
    program, where = calling(data)
    if not found:
        lines.append(f"\nMake an account:  {program} account create acme{where}      All commands: {program} --help\n")
        return "\n".join(lines)
    timestamp = str(int(time.time()))
    sign = laaffic_sign(demo.LAAFFIC_KEY, demo.LAAFFIC_SECRET, timestamp)
    signed = f"-H 'Api-Key: {demo.LAAFFIC_KEY}' -H 'Timestamp: {timestamp}' -H 'Sign: {sign}'"
    lia = f"api_id={demo.LIA_KEY}&api_password={demo.LIA_PASSWORD}"
    return "\n".join(
        [
            *lines,
            "\nSend with the lia dialect, and ask what became of it (a number ending in 0001 is delivered at once):",
            f"  curl '{address}/api/SendSMS?{lia}&sms_type=T&encoding=T&sender_id=LIASMART"
            "&phonenumber=8613800130001&textmessage=Your+code+is+123456&uid=first'",
            f"  curl '{address}/api/GetDeliveryStatus?{lia}&uid=first'",
            "\nThe same with the laaffic dialect (a signature holds for 30 minutes):",
            f"  curl {signed} {address}/v3/getBalance",
            f"  curl {signed} {address}/v3/sendSms"
            f' -d \'{{"appId":"{demo.APP_ID}","numbers":"8613800130001","content":"Your code is 123456"}}\'',
            *(
                [
                    "\nOver SMPP, as transmitter, receiver or transceiver:",
                    f"  system_id {demo.LAAFFIC_KEY}, password {demo.LAAFFIC_SECRET}, source_addr {demo.SENDERS[0]}",
                ]
                if smpp
                else ()
            ),
            f"\nWhat happened to your messages:    {program} message list{where}",
            f"What happened to one, by its id:   {program} message show ID{where}        Stop: Ctrl-C\n",
        ]
    )


def calling(data: Path) -> tuple[str, str]:
    """(program, option): how a shell in this folder calls this `homing`, and what names this data folder to it. The
    option is empty where the folder is the one that a command takes by itself.
    """
    here = Path.cwd()
    called = Path(sys.argv[0])
    if called.name != "homing":  # python -m homing.cli
        program = f"{quote(sys.executable)} -m homing.cli"
    elif (installed := shutil.which("homing")) and Path(installed).samefile(called):
        program = "homing"
    else:
        called = called.absolute()
        program = quote(str(called.relative_to(here) if called.is_relative_to(here) else called))
    is_usual = data == here / "data"
    option = "" if is_usual else f" --data {quote(str(data.relative_to(here) if data.is_relative_to(here) else data))}"
    return program, option
