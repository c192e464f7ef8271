"""Structured logs on stderr: one line an event, as JSON or for a terminal."""

import contextlib
import logging
import sys
import traceback
from typing import Final, TextIO, cast

import structlog

from homing import errors

LOGGER: Final = logging.getLogger("homing")
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LibraryLog(logging.Handler):
    """Warnings of libraries from `logging` in our format: the message without its values, which can contain anything,
    and an exception's type without its traceback.
    """

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning(
            "library",
            logger=record.name,
            message=str(record.msg)[:200],
            error=record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "",
        )


class UnfailingStream:
    """A stream whose failure (reader gone, disk full) loses the line but does not fail the caller."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def start(level: str, form: str, process: str) -> None:
    """Sets logging up for this process. No line ever holds a query string, a body, a number or a secret: events name
    IDs, and an unexpected error is logged by its type and place (`describe`). `form`: json, text, or auto (text where
    stderr is a terminal).
    """
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "text" or (form == "auto" and sys.stderr.isatty())
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, UnfailingStream(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[LibraryLog()], level=logging.WARNING, force=True)
    LOGGER.setLevel(LEVELS.get(level, logging.INFO))
    structlog.contextvars.bind_contextvars(process=process)


def is_debug() -> bool:
    """Whether debug events are logged. To be asked on hot paths: making an event that is then discarded costs a hundred
    times as much.
    """
    return LOGGER.isEnabledFor(logging.DEBUG)


def describe(error: BaseException) -> dict[str, object]:
    """The loggable part of an unexpected error: its type and place. Its text can contain a customer's data."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {
        "error": type(error).__name__,
        "detail": str(error) if isinstance(error, errors.HomingError) else "",
        "at": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames],
    }
