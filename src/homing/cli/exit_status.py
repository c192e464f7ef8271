"""The exit statuses of commands, for scripts (docs/reference/command-line.md)."""

import enum

import click

from homing import errors
from homing.model import CheckOutcome


class ExitStatus(enum.IntEnum):
    SUCCESS = 0
    FAILURE = 1  # the command did nothing; a line on stderr says why
    USAGE = 2  # click's own
    NEGATIVE = 3  # it did its work, and the result is a no
    OVER = 4  # a verification that has ended: no code is right any more
    PENDING = 5  # --wait ended before the message's final state
    NOT_NOW = 6  # the same command may succeed later


class CommandFailed(click.ClickException):
    """One line on stderr, and the status."""

    def __init__(self, text: str, status: ExitStatus = ExitStatus.FAILURE) -> None:
        super().__init__(text)
        self.status = status

    exit_code = property(lambda self: int(self.status))  # what click ends with


def failure_of(error: errors.HomingError) -> CommandFailed:
    """An expected error as one line, with its status."""
    if isinstance(error, errors.DatabaseUnavailable):
        return CommandFailed(f"the database cannot be reached: {error}", ExitStatus.NOT_NOW)
    if isinstance(error, errors.DatabaseFailed):
        return CommandFailed(f"the database did not do it: {error}", ExitStatus.NOT_NOW)
    if isinstance(error, errors.PlatformFailure | errors.LimitReached):
        return CommandFailed(f"not now: {error}", ExitStatus.NOT_NOW)
    return CommandFailed(str(error))


def status_of(is_as_wanted: bool) -> ExitStatus:
    """Of a command that looks whether something is so."""
    return ExitStatus.SUCCESS if is_as_wanted else ExitStatus.NEGATIVE


def status_of_check(outcome: CheckOutcome, attempts_left: int) -> ExitStatus:
    """The fifth wrong code ends the verification."""
    if outcome is CheckOutcome.VERIFIED:
        return ExitStatus.SUCCESS
    return ExitStatus.NEGATIVE if outcome is CheckOutcome.WRONG and attempts_left else ExitStatus.OVER
