"""Flows: a code that nobody has entered goes out again after a wait, by another carrier."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors
from homing.accounts.profile import Profile
from homing.observe.logs import describe
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.verifications import DueStep
from homing.verification.service import PERSON_LIMITS, Verifications

POLL_S: Final = 1.0
STEPS_MAX: Final = 100  # that are claimed at once
LEASE: Final = timedelta(seconds=60)
"""After it a step is due again whose process ended before it had sent."""

log = structlog.get_logger()


class FlowRunner:
    """Carries out due steps; any number of processes may. A step that is refused (money, limits, no route) is skipped:
    the flow goes on with the next one.
    """

    def __init__(
        self,
        *,
        database: Database,
        verifications: Verifications,
        profile_of: Callable[[int], Awaitable[Profile | None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._verifications = verifications
        self._profile_of = profile_of
        self._clock = clock

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.run_due()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="flows", failure=str(failure))

    async def run_due(self) -> int:
        """Carries out what is due now; gives how many steps were claimed. Raises a `PlatformFailure`."""
        due = await statements.verifications.verification_steps_claim(
            self._database, now=self._clock(), lease=LEASE, rows_max=STEPS_MAX
        )
        for step in due:
            try:
                await self._carry_out(step)
            except errors.PlatformFailure:
                raise
            except Exception as error:
                log.error("flow_step_failed", verification_id=step.verification_id, **describe(error))
        return len(due)

    async def _carry_out(self, step: DueStep) -> None:
        row = await self._verifications.find(step.account_id, step.verification_id)
        profile = await self._profile_of(step.account_id)
        flow = None if row is None or profile is None else profile.code_flows.get(row.flow_id or 0)
        if row is None or profile is None or flow is None or row.steps_done >= len(flow.steps):
            await self._go_on(step, 0, None)
            return
        done = row.steps_done + 1
        following = flow.steps[done] if done < len(flow.steps) else None
        due_at = None if following is None else self._clock() + timedelta(seconds=following.wait_s)
        if profile.locked or flow.steps[row.steps_done].channel != "sms":
            await self._go_on(step, done, due_at)
            return
        try:
            await self._verifications.resend(
                profile, row, "flow", number_limits=PERSON_LIMITS, steps_done=done, step_due_at=due_at
            )
        except errors.VerificationOver:
            await self._go_on(step, done, None)
        except errors.Refusal:
            await self._go_on(step, done, due_at)

    async def _go_on(self, step: DueStep, steps_done: int, due_at: datetime | None) -> None:
        await statements.verifications.verification_step_skip(
            self._database,
            account_id=step.account_id,
            verification_id=step.verification_id,
            steps_done=steps_done,
            step_due_at=due_at,
        )
