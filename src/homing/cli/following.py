"""A message's state, read until it changes no more."""

import asyncio
import time
from typing import Final

import click

from homing.cli.exit_status import ExitStatus
from homing.cli.parameters import WholeNumberType
from homing.messages.lookup import MessageLookup
from homing.states import FINAL_STATES, MessageState
from homing.store.database import Database
from homing.store.statements.messages import MessageRow

WAIT_S_MAX: Final = 86_400
READ_FIRST_S: Final = 0.1
READ_S_MAX: Final = 1.0

wait_option: Final = click.option(
    "--wait",
    "wait_s",
    type=WholeNumberType(1, WAIT_S_MAX),
    metavar="SECONDS",
    help="Wait for the final state, at most so long; the exit status tells whether it is delivered.",
)


async def follow(database: Database, account_id: int, message_id: int, wait_s: int | None) -> MessageRow:
    """The message as it is now (`wait_s` None), or as soon as its state is final or the time is over."""
    lookup = MessageLookup(database)
    until_s = time.monotonic() + (wait_s or 0)
    pause_s = READ_FIRST_S
    while True:
        row = await lookup.by_id(account_id, message_id)
        assert row is not None, "it was stored before"
        if row.state in FINAL_STATES or time.monotonic() >= until_s:
            return row
        await asyncio.sleep(min(pause_s, max(0.0, until_s - time.monotonic())))
        pause_s = min(READ_S_MAX, pause_s * 1.5)


def status_of(row: MessageRow, wait_s: int | None) -> ExitStatus:
    """Of a command that waited for the message, or did not (`wait_s` None)."""
    if wait_s is None or row.state == MessageState.DELIVERED:
        return ExitStatus.SUCCESS
    return ExitStatus.NEGATIVE if row.state in FINAL_STATES else ExitStatus.PENDING


def note_of(row: MessageRow, wait_s: int | None) -> str:
    """For people, where the time was over first."""
    if wait_s is None or row.state in FINAL_STATES:
        return ""
    return f"No final state within {wait_s} s. A message leaves while `homing serve` runs."
