"""laaffic: what became of verification codes (otp contract, section 6)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.accounts.profile import Profile
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.common.money import trimmed
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.codes import FAILURE_REASONS, ROW_STATUSES
from homing.dialects.laaffic.otp_answers import success
from homing.dialects.laaffic.otp_parameters import (
    OtpOrder,
    app_id_of,
    bounded_text,
    message_id_of,
    vendor_time,
    verification_id_of,
)
from homing.dialects.laaffic.otp_profiles import ProfileReader
from homing.dialects.laaffic.parameters import decode, decoder
from homing.dialects.laaffic.pushes import code_number
from homing.i18n.reasons import failure_text
from homing.model import VerificationStatus
from homing.states import FINAL_STATES, MessageState
from homing.store.database import Database
from homing.store.statements.verifications import VerificationMessageRow
from homing.verification.records import VerificationStory, read_story, read_story_by_reference

order_body: Final = decoder(OtpOrder)

VERIFIED: Final = 0
NOT_VERIFIED: Final = -1
SENDING: Final = 1
FAILED: Final = 2
UNKNOWN: Final = 3
"""Values of `matched`."""

ON_ITS_WAY: Final = frozenset((MessageState.QUEUED, MessageState.SENDING))


class OtpRecord(msgspec.Struct):
    matched: int
    verifiedDate: str | None = None
    oriReceiver: str | None = None
    channel: str | None = None
    orderId: str | None = None


class OtpMessage(msgspec.Struct):
    """A message that carried the code; `pay` is what it cost."""

    submitTm: str | None
    sendTm: str | None
    doneTm: str | None
    mcc: int
    mnc: int
    sender: str
    chargeCnt: int
    pay: str
    status: int
    reason: str


class OtpRecordData(msgspec.Struct):
    """`sms`: null for a test number, to which nothing is sent."""

    verificationId: str
    verifications: OtpRecord
    sms: OtpMessage | None


class OtpOrderData(msgspec.Struct):
    orderId: str
    flowId: int | None
    verifications: OtpRecord
    sms: list[OtpMessage]


class OtpRecords:
    def __init__(self, database: Database, profiles: ProfileReader, now: Callable[[], datetime]) -> None:
        self._database = database
        self._profiles = profiles
        self._now = now

    async def by_id(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """The message of this ID, and the state of its verification."""
        given = request.path.partition("/otp/verification/record/")[2].rstrip("/")
        given = bounded_text(given, "verificationId", 1, bounds.OPAQUE_CHARS_MAX)
        message_id = message_id_of(given)
        story = None
        if message_id is not None:
            story = await read_story(self._database, message_id, now=self._now(), account_id=account.account_id)
        if message_id is None or story is None:
            return success(OtpRecordData(given, OtpRecord(UNKNOWN), None))
        message = next((row for row in story.messages if row.message_id == message_id), None)
        shown = None if message is None else _message(message)
        return success(OtpRecordData(verification_id_of(message_id), _record(story), shown))

    async def by_order(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """The latest verification of an orderId, with all of its messages."""
        call = decode(request.body, order_body)
        app_id = app_id_of(call.appId)
        order_id = bounded_text(call.orderId, "orderId", 1, bounds.ORDER_CHARS_MAX)
        await self._profiles.with_app(account, app_id)
        story = await read_story_by_reference(self._database, account.account_id, app_id, order_id, now=self._now())
        if story is None:
            return success(OtpOrderData(order_id, None, OtpRecord(UNKNOWN), []))
        messages = [_message(row) for row in story.messages]
        return success(OtpOrderData(order_id, story.verification.flow_id, _record(story), messages))


def _record(story: VerificationStory) -> OtpRecord:
    row = story.verification
    is_verified = row.status == VerificationStatus.VERIFIED
    return OtpRecord(
        matched=_matched(VerificationStatus(row.status), row.is_expired, story.messages),
        verifiedDate=vendor_time(row.ended_at) if is_verified else None,
        oriReceiver=row.raw_number,
        channel="sms",
        orderId=row.reference,
    )


def _matched(status: VerificationStatus, is_expired: bool, messages: Sequence[VerificationMessageRow]) -> int:
    states = [MessageState(row.state) for row in messages]
    if status is VerificationStatus.VERIFIED:
        return VERIFIED
    if status is VerificationStatus.FAILED:
        return FAILED
    if states and all(state in FINAL_STATES and state is not MessageState.DELIVERED for state in states):
        return FAILED
    if states and not is_expired and all(state in ON_ITS_WAY for state in states):
        return SENDING
    return NOT_VERIFIED


def _message(row: VerificationMessageRow) -> OtpMessage:
    state = MessageState(row.state)
    reason = ""
    if state in FAILURE_REASONS:
        reason = failure_text(row.error_text, row.reason) or row.error_code or FAILURE_REASONS[state]
    return OtpMessage(
        submitTm=vendor_time(row.submitted_at),
        sendTm=vendor_time(row.sent_at),
        doneTm=vendor_time(row.final_at),
        mcc=code_number(row.mcc),
        mnc=code_number(row.mnc),
        sender=row.sender,
        chargeCnt=row.segments,
        pay=trimmed(row.charge_micro - row.refund_micro),
        status=int(ROW_STATUSES[state] or "-1"),
        reason=reason,
    )
