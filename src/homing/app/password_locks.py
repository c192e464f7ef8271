"""The guard against guessed passwords, as every process that takes customers' credentials opens it."""

import contextlib

from homing import errors
from homing.api.http.auth_guard import AuthGuard
from homing.app.runtime import Runtime


async def open_auth_guard(runtime: Runtime) -> AuthGuard:
    """Knows the locks of the other processes, if the database can be reached, and goes on sharing them."""
    auth_guard = AuthGuard(database=runtime.database, registry=runtime.registry, dialects=runtime.dialects)
    with contextlib.suppress(errors.PlatformFailure):
        await auth_guard.share()
    runtime.background("password_locks", auth_guard.share_for_ever)
    return auth_guard
