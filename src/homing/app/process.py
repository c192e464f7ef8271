"""A process of `homing serve`: it opens its role, says so, works until it is told to stop, and drains."""

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import structlog
from prometheus_client import disable_created_metrics

from homing import config, errors, limits
from homing.app.roles import load_role
from homing.app.runtime import Runtime
from homing.config import Settings
from homing.dialects.base import Dialects
from homing.dialects.registry import DIALECTS
from homing.observe import logs
from homing.roles import READY

THREAD_SWITCH_S: Final = (
    0.0005  # the HTTP server's thread hands over call by call: at Python's 5 ms it queues behind a batch
)
GC_THRESHOLDS: Final = (20_000, 50, 100)  # a call makes some hundred objects that reference counting frees
log = structlog.get_logger()


async def run_role(*, role: str, process: str, data: Path, settings: Settings, dsn: str, dialects: Dialects) -> int:
    """Runs one role until SIGTERM or until the parent is gone; the exit code. Raises what keeps it from opening."""
    logs.start(settings.log.level, settings.log.format, process)
    disable_created_metrics()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    _stop_with_parent(stop)
    async with Runtime(data=data, settings=settings, dsn=dsn, process=process, dialects=dialects) as runtime:
        opening, stopping = loop.create_task(load_role(role)(runtime)), loop.create_task(stop.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            await opening
            _settle_memory()
            print(READY, flush=True)  # noqa: T201 - the parent waits for this word
            await stopping
            log.info("draining")
        else:  # stopped, or orphaned, before it was ready: what has been opened is closed again
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
    if runtime.undrained:
        log.error("drain_incomplete", seconds=limits.DRAIN_TIMEOUT_S, parts=runtime.undrained)
        return 1
    log.info("stopped")
    return 0


def _settle_memory() -> None:
    """What was built at start stays: without this the collector walks all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(THREAD_SWITCH_S)


def _stop_with_parent(stop: asyncio.Event) -> None:
    """The parent holds the other end of our stdin; when it dies, however it dies, the end of the file tells us."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            asyncio.get_running_loop().remove_reader(descriptor)
            stop.set()

    asyncio.get_running_loop().add_reader(descriptor, readable)


def main(arguments: list[str], dialects: Dialects = DIALECTS) -> Any:
    """`python -m homing.app ROLE PROCESS`: what `homing serve` starts for each process."""
    import uvloop

    role, process = arguments
    data = Path(os.environ["HOMING_DATA"])
    try:
        settings = config.load(data, dialects)
        dsn = os.environ["HOMING_DATABASE_URL"]
        return uvloop.run(
            run_role(role=role, process=process, data=data, settings=settings, dsn=dsn, dialects=dialects)
        )
    except (errors.HomingError, OSError) as error:
        log.error("start_failed", process=process, error=type(error).__name__, detail=str(error))
        return 1
