"""The log of refused calls, as every process that serves customers opens it."""

from homing.accounts.refusal_log import RefusalLog
from homing.app.runtime import Runtime


def open_refusal_log(runtime: Runtime) -> RefusalLog:
    """It writes in the background, and once more at the end."""
    refusal_log = RefusalLog(runtime.database, runtime.clock)
    runtime.on_close(lambda: refusal_log.write(is_last=True))
    runtime.background("refused_calls", refusal_log.run)
    return refusal_log
