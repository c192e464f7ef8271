"""The command line `homing`: one module per noun, imported when it is asked for, so that `homing --help` is quick."""

import importlib
from collections.abc import Mapping
from typing import Final

import click

from homing.cli.suggesting import SuggestingGroup

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("serve", "Run Homing until it is told to stop."),
    "migrate": ("serve", "Bring the database to this release's schema."),
    "account": ("account", "Customers: make, list, show, change, lock."),
    "credential": ("credential", "The keys and secrets with which customers call the APIs."),
    "app": ("app", "A customer's SMS applications, and where their reports go."),
    "sender": ("sender", "The sender IDs a customer may use."),
    "template": ("template", "Texts with variables that a customer may send."),
    "word": ("word", "Words that no message may hold."),
    "topup": ("money", "Add money to an account."),
    "adjust": ("money", "Correct an account's money by hand, up or down."),
    "ledger": ("ledger", "Every movement of money, and the proof that it adds up."),
    "price": ("price", "What a segment costs, by number prefix."),
    "carrier": ("carrier", "The ways out: who carries messages."),
    "cost": ("cost", "What carriers ask for a segment, by number prefix."),
    "route": ("route", "Which numbers go by which carrier."),
    "learn": ("learn", "What conversions taught adaptive routes; made-up receipts."),
    "guard": ("guard", "Theft by SMS pumping: verdicts, refusals, lists, budgets."),
    "message": ("message", "What became of a message, step by step."),
    "alarm": ("alarm", "What is wrong now in the platform itself."),
    "stats": ("stats", "What became of messages in figures, and the proof of them."),
    "push": ("push", "What customers were told, and telling it again."),
    "lab": ("lab", "Simulated traffic under the real router and guard."),
    "user": ("user", "People who may use the console, and their roles."),
    "receipt": ("receipt", "Carriers' delivery reports that belong to no message."),
    "reply": ("reply", "What people sent and no account was found for."),
}
"""Each command with its module here and a line of help, in the order in which a newcomer meets them."""


class Commands(SuggestingGroup):
    """The commands above; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _help = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"homing.cli.{module}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="homing", message="%(prog)s %(version)s")
def main() -> None:
    """Homing sends a business's SMS through any number of carriers and keeps a ledger that is right to the last
    micro-unit.

    \b
    Start it with a demo to play with:   homing serve --demo
    Then, in another terminal:           homing account show demo
                                         homing message list
                                         homing message show ID

    Every command prints a table for people, or with --json one JSON document for programs. What it works on lies in
    --data DIR (or HOMING_DATA, else ./data); with HOMING_DATABASE_URL the database is that server's instead.
    """
