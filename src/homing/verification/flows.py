"""Flows: a code that nobody has entered goes out again after a wait, by another carrier; and the looks after codes of
apps without one, which go out again if they are likely lost (likely_lost.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors
from homing.accounts.profile import Profile
from homing.observe.logs import describe
from homing.routing.catalogue_cache import CatalogueCache
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.verifications import DueStep, VerificationRow
from homing.verification.likely_lost import LikelyLost
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
        catalogue_cache: CatalogueCache,
        profile_of: Callable[[int], Awaitable[Profile | None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._verifications = verifications
        self._likely_lost = LikelyLost(
            database=database, verifications=verifications, catalogue_cache=catalogue_cache, clock=clock
        )
        self._profile_of = profile_of
        self._clock = clock

    async def run(self) -> None:
        claimed = 0
        while True:
            if claimed < STEPS_MAX:
                await asyncio.sleep(POLL_S)
            claimed = 0
            try:
                claimed = await self.run_due()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="flows", failure=str(failure))

    async def run_due(self) -> int:
        """Carries out what is due now; gives how many steps were claimed. Raises a `PlatformFailure`."""
        due = await statements.verifications.verification_steps_claim(
            self._database, now=self._clock(), lease=LEASE, rows_max=STEPS_MAX
        )
        outcomes = await asyncio.gather(*map(self._carry_out, due), return_exceptions=True)
        failures = []
        for step, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, errors.PlatformFailure):
                failures.append(outcome)
            elif isinstance(outcome, Exception):
                log.error("flow_step_failed", verification_id=step.verification_id, **describe(outcome))
        if failures:
            raise failures[0]
        return len(due)

    async def _carry_out(self, step: DueStep) -> None:
        row = await self._verifications.find(step.account_id, step.verification_id)
        if row is None or row.step_due_at != step.step_due_at:
            return  # it is over, or this process was so slow that another has sent it
        profile = await self._profile_of(step.account_id)
        if row.flow_id is None and profile is not None:
            await self._likely_lost.look(profile, row)
            return
        flow = None if profile is None else profile.code_flows.get(row.flow_id or 0)
        if profile is None or flow is None or row.steps_done >= len(flow.steps):
            await self._go_on(row, row.steps_done, None)
            return
        done = row.steps_done + 1
        following = flow.steps[done] if done < len(flow.steps) else None
        due_at = None if following is None else self._clock() + timedelta(seconds=following.wait_s)
        if profile.locked or flow.steps[row.steps_done].channel != "sms":
            await self._go_on(row, done, due_at)
            return
        try:
            await self._verifications.resend(
                profile, row, "flow", number_limits=PERSON_LIMITS, steps_done=done, step_due_at=due_at
            )
        except errors.VerificationOver:
            await self._go_on(row, done, None)
        except errors.Refusal:
            await self._go_on(row, done, due_at)

    async def _go_on(self, row: VerificationRow, steps_done: int, due_at: datetime | None) -> None:
        await statements.verifications.verification_step_skip(
            self._database,
            account_id=row.account_id,
            verification_id=row.verification_id,
            steps_before=row.steps_done,
            due_before=row.step_due_at,
            steps_done=steps_done,
            step_due_at=due_at,
        )
