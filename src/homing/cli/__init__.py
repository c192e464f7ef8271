"""The command line `homing`: one module per noun, imported when it is asked for, so that `homing --help` is quick."""

import importlib
from collections.abc import Mapping
from typing import Final

import click

from homing.cli.suggesting import SuggestingGroup

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("serve", "Run Homing until it is stopped."),
    "migrate": ("serve", "Migrate the database schema to this release."),
    "account": ("account", "Customer accounts: create, list, show, change, lock."),
    "credential": ("credential", "API keys and secrets of customers."),
    "app": ("app", "A customer's apps and their push addresses."),
    "quota": ("quota", "How much accounts and apps may send."),
    "sender": ("sender", "A customer's registered sender IDs."),
    "template": ("template", "A customer's message templates."),
    "code-template": ("code_template", "A customer's texts for verification codes, by language."),
    "test-number": ("test_number", "A customer's test numbers, whose codes are fixed."),
    "word": ("word", "Sensitive words: messages that contain one are rejected."),
    "topup": ("money", "Add money to an account."),
    "adjust": ("money", "Adjust an account's balance, up or down."),
    "ledger": ("ledger", "Ledger entries, and the proof that they add up."),
    "price": ("price", "Customer prices per segment, by number prefix."),
    "carrier": ("carrier", "Carriers that messages are sent through."),
    "cost": ("cost", "Carrier costs per segment, by number prefix."),
    "route": ("route", "Routes: which carrier is used for which messages."),
    "learn": ("learn", "Adaptive routing: learned shares, settings, fake receipts."),
    "guard": ("guard", "SMS pumping protection: detections, lists, budgets."),
    "message": ("message", "Messages and their timelines."),
    "send": ("send", "Send a message as an account."),
    "verify": ("verify", "Send a verification code as an account, and check one."),
    "verification": ("verification", "Verifications: codes sent, and whether they were entered."),
    "refusal": ("refusal", "Refused calls of the APIs, and why."),
    "alarm": ("alarm", "Active alarms of the platform itself."),
    "stats": ("stats", "Message statistics, and their proof."),
    "push": ("push", "Pushes to customers, and sending them again."),
    "webhook": ("webhook", "Endpoints for events; secrets that sign pushes."),
    "lab": ("lab", "Simulations of the router and the guard."),
    "user": ("user", "Console users and their roles."),
    "receipt": ("receipt", "Receipts (DLRs) that match no message."),
    "reply": ("reply", "Inbound messages that match no account."),
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
        importlib.import_module("homing.common.lean_structlog")
        command = getattr(importlib.import_module(f"homing.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="homing", message="%(prog)s %(version)s")
def main() -> None:
    """Homing sends a business's SMS through any number of carriers and keeps a ledger that is exact to the
    micro-unit.

    \b
    Start with demo data:                homing serve --demo
    Then, in another terminal:           homing account show demo
                                         homing message list
                                         homing message show ID

    Every command prints a table for people, or with --json one JSON document for programs. Commands work on the data
    folder --data DIR (or HOMING_DATA, else ./data); with HOMING_DATABASE_URL they use that database server instead.
    """
