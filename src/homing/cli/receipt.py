"""`homing receipt`."""

import click

from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.parameters import limit_option
from homing.cli.show import COUNT, PROSE, TIME, Column, Reply, Table, named
from homing.states import State

UNMATCHED = (
    Column("parked_id", "Id", COUNT),
    Column("received_at", "Received (UTC)", TIME),
    Column("carrier", "Carrier"),
    Column("carrier_ref", "Carrier's id", PROSE),
    Column("state", "Says", named(State)),
    Column("error_code", "Error"),
    Column("raw", "Raw", PROSE),
    Column("given_up_at", programs_only=True),
)


@click.group(cls=Noun)
def receipt() -> None:
    """Carriers' delivery reports that belong to no message.

    \b
    Example:  homing receipt unmatched
    """


@receipt.command("unmatched")
@limit_option
@at_desk
async def unmatched(desk: Desk, limit: int) -> Reply:
    """Reports whose carrier's id no message has.

    They have waited some minutes for one, as a report can be quicker than the answer to its submit. Many of them mean
    that a carrier reports to the wrong place, or spells its ids in two ways.

    \b
    Example:  homing receipt unmatched --json
    """
    return Table(UNMATCHED, await desk.database.fetch("parked_unmatched", limit), "Every report has found its message.")
