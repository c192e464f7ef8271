"""Codes that are likely lost: whether another message is worth its price, and when to look again.

docs/internals/verifications.md says how. The steps of flows carry it: a look is claimed by one process, and a message
is stored in the transaction that notes that it was sent.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import errors
from homing.accounts.profile import Profile
from homing.learning.outlook import (
    LOOK_FIRST_S,
    EarlierMessage,
    Outlook,
    ResendWorth,
    age_of_gain,
    best_resend,
    is_better_later,
    next_look_s,
)
from homing.model import App, ReceiptState, Traffic
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue_cache import CatalogueCache
from homing.routing.rules import RouteRequest
from homing.routing.selection import order
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.verifications import VerificationMessageRow, VerificationRow
from homing.verification.personal_failures import is_personal
from homing.verification.service import MESSAGES_MAX, PERSON_LIMITS, AutomaticResend, Verifications

REQUEST_ID: Final = "likely-lost"
"""Of messages that go out for this reason. Customers' requests have ids of Homing's making."""
OUTLOOK_AGE: Final = timedelta(minutes=15)
LOST: Final = frozenset((MessageState.UNDELIVERABLE, MessageState.EXPIRED, MessageState.REJECTED, MessageState.FAILED))
_read_outlook: Final = msgspec.json.Decoder(Outlook).decode


class LikelyLost:
    """Looks after pending codes of apps that have set `resend_messages`."""

    def __init__(
        self,
        *,
        database: Database,
        verifications: Verifications,
        catalogue_cache: CatalogueCache,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._verifications = verifications
        self._catalogue_cache = catalogue_cache
        self._clock = clock

    async def look(self, profile: Profile, row: VerificationRow) -> None:
        """Sends a code again, or decides when to look next. Raises a `PlatformFailure`."""
        app = profile.apps.get(row.app_id)
        if app is None or profile.locked or row.attempts or not _may_resend(app, row, row.steps_done):
            await self._look_at(row, None)  # whoever has entered a code has one
            return
        messages = await statements.verifications.verification_story(
            self._database, account_id=row.account_id, verification_id=row.verification_id
        )
        if any(message.state in LOST and is_personal(message.error_code, message.error_text) for message in messages):
            await self._look_at(row, None)
            return
        now = self._clock()
        earlier = [_earlier(message, now) for message in messages]
        life_s = (row.expires_at - now).total_seconds()
        outlook = await self._outlook(row, messages, now)
        next_s = next_look_s(earlier[-1].age_s if earlier else 0.0)
        if outlook is not None:
            price_micro = messages[-1].charge_micro
            carriers = self._carriers(row, messages[-1])
            resend = best_resend(outlook, earlier, carriers)
            worth_micro = app.resend_worth_micro
            if resend is not None and resend.gain * worth_micro > price_micro:
                if next_s < life_s and is_better_later(
                    outlook, earlier, resend, price_share=price_micro / worth_micro, wait_s=next_s
                ):
                    await self._look_at(row, now + timedelta(seconds=next_s))
                    return
                reason = _reason(resend, earlier[-1].receipt, price_micro, worth_micro)
                others = frozenset(carrier_id for carrier_id in carriers if carrier_id != resend.carrier_id)
                if await self._send(profile, app, row, AutomaticResend(reason, others), now):
                    return
            elif resend is not None:
                crossing_s = age_of_gain(outlook, earlier, price_micro / worth_micro, life_s, candidates=carriers)
                if crossing_s is not None:
                    next_s = min(next_s, max(1.0, crossing_s))
        await self._look_at(row, now + timedelta(seconds=next_s) if next_s < life_s else None)

    async def _send(
        self, profile: Profile, app: App, row: VerificationRow, automatic: AutomaticResend, now: datetime
    ) -> bool:
        """False: it was refused, for money, limits, quotas, the guard, or since the route has no such carrier now."""
        done = row.steps_done + 1
        again = msgspec.structs.replace(row, messages=row.messages + 1)
        due_at = now + timedelta(seconds=LOOK_FIRST_S) if _may_resend(app, again, done) else None
        try:
            await self._verifications.resend(
                profile,
                row,
                REQUEST_ID,
                number_limits=PERSON_LIMITS,
                steps_done=done,
                step_due_at=due_at,
                automatic=automatic,
            )
        except errors.VerificationOver:
            return True  # it has been answered, or another process has sent it
        except errors.Refusal:
            return False
        return True

    async def _outlook(
        self, row: VerificationRow, messages: Sequence[VerificationMessageRow], now: datetime
    ) -> Outlook | None:
        if not messages:
            return None
        text = await statements.learning.learn_outlook(
            self._database,
            account_id=row.account_id,
            app_id=row.app_id,
            country=messages[-1].country,
            network=messages[-1].mcc + messages[-1].mnc,
            after=now - OUTLOOK_AGE,
        )
        return None if text is None else _read_outlook(text)

    def _carriers(self, row: VerificationRow, message: VerificationMessageRow) -> frozenset[int]:
        """The carriers that the code's route has now and that work."""
        catalogue = self._catalogue_cache.catalogue
        price = catalogue.price(row.account_id, row.number)
        ranked = (
            None
            if price is None
            else catalogue.rank(
                RouteRequest(
                    row.account_id,
                    row.app_id,
                    message.sender,
                    Traffic.TRANSACTIONAL,
                    row.number,
                    message.country,
                    message.mcc + message.mnc,
                ),
                price.micro,
            )
        )
        if ranked is None:
            return frozenset()
        listed = {candidate.carrier_id for candidate in order(ranked, row.verification_id)}
        return frozenset(carrier_id for carrier_id in listed if not catalogue.is_down(carrier_id))

    async def _look_at(self, row: VerificationRow, due_at: datetime | None) -> None:
        await statements.verifications.verification_step_skip(
            self._database,
            account_id=row.account_id,
            verification_id=row.verification_id,
            steps_before=row.steps_done,
            due_before=row.step_due_at,
            steps_done=row.steps_done,
            step_due_at=due_at,
        )


def _reason(resend: ResendWorth, receipt: ReceiptState, price_micro: int, worth_micro: int) -> Reason:
    gain_ppm = round(resend.gain * 1e6)
    if receipt is ReceiptState.LOST:
        return Reason.of(
            ReasonCode.RESEND_AFTER_RECEIPT, price_micro=price_micro, gain_ppm=gain_ppm, worth_micro=worth_micro
        )
    return Reason.of(
        ReasonCode.RESEND_LIKELY_LOST,
        answered_ppm=round(resend.answered_share * 1e6),
        price_micro=price_micro,
        gain_ppm=gain_ppm,
        worth_micro=worth_micro,
    )


def _may_resend(app: App, row: VerificationRow, done: int) -> bool:
    return done < app.resend_messages and row.messages < MESSAGES_MAX


def _earlier(message: VerificationMessageRow, now: datetime) -> EarlierMessage:
    """A message that still waits to be sent has the age 0."""
    age_s = 0.0 if message.sent_at is None else max(0.0, (now - message.sent_at).total_seconds())
    state = MessageState(message.state)
    receipt = ReceiptState.NONE
    if state is MessageState.DELIVERED:
        receipt = ReceiptState.DELIVERED
    elif state in LOST:
        receipt = ReceiptState.LOST
    return EarlierMessage(message.carrier_id, age_s, receipt)
