"""The composition root: each role of `homing serve` as a process, its parts opened in order and closed in reverse."""

import homing.common.lean_structlog  # noqa: F401  # before anything of a role is imported
