"""The meaning of a carrier's responses: to one submit_sm, and to all of a multipart message. Pure."""

import enum
from collections.abc import Sequence

import msgspec

from homing.carriers.smpp.settings import SmppSettings
from homing.model import Answer, Outcome
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import SubmitSmResp
from homing.smpp.statuses import CommandStatus, StatusKind, error_code, meaning
from homing.smpp.tlvs import ADDITIONAL_STATUS_INFO_TEXT

NO_REFERENCE = "accepted without a message id: its receipt cannot be matched"


class PartOutcome(enum.IntEnum):
    """The outcome of a submit_sm. Of the parts of one message, the highest decides."""

    ACCEPTED = 0
    NOT_SENT = 1
    THROTTLED = 2
    DEFERRED = 3
    REFUSED = 4
    UNKNOWN = 5


class PartResult(msgspec.Struct, frozen=True):
    """The outcome of a submit_sm, the carrier's message id or its error code, and a description for people."""

    outcome: PartOutcome
    message_id: str = ""
    error_code: str | None = None
    description: str = ""


class AnswerReader:
    """Reads responses by the carrier's own rules, else by the specification (SMPP 3.4, section 5.1.3)."""

    def __init__(self, settings: SmppSettings) -> None:
        self._rules = {
            **dict.fromkeys(settings.throttle_statuses, PartOutcome.THROTTLED),
            **dict.fromkeys(settings.temporary_statuses, PartOutcome.DEFERRED),
            **dict.fromkeys(settings.permanent_statuses, PartOutcome.REFUSED),
        }

    def read(self, answer: ResponseOrFailure) -> PartResult:
        """The result of a submit_sm."""
        if isinstance(answer, RequestFailure):
            return PartResult(
                PartOutcome.UNKNOWN if answer.may_have_arrived else PartOutcome.NOT_SENT, description=answer.value
            )
        if answer.status == CommandStatus.ROK:
            if isinstance(answer, SubmitSmResp):
                return PartResult(PartOutcome.ACCEPTED, answer.message_id)
            return PartResult(PartOutcome.UNKNOWN, description="generic_nack that gives no reason")
        description = describe_status(answer.status)
        detail = ADDITIONAL_STATUS_INFO_TEXT.of(answer.tlvs)
        return PartResult(
            self._rules.get(answer.status) or _OUTCOMES[meaning(answer.status).kind],
            error_code=error_code(answer.status),
            description=f"{description} ({detail})" if detail else description,
        )


_OUTCOMES = {
    StatusKind.OK: PartOutcome.ACCEPTED,
    StatusKind.THROTTLED: PartOutcome.DEFERRED,  # the settings do not count it as throttling
    StatusKind.TEMPORARY: PartOutcome.DEFERRED,
    StatusKind.PERMANENT: PartOutcome.REFUSED,
    StatusKind.SESSION: PartOutcome.DEFERRED,  # the bind is at fault, not the message
}


def describe_status(status: int) -> str:
    """A status for people: `ESME_RINVDSTADR: the destination address is invalid`."""
    known = meaning(status)
    return f"{known.name}: {known.description}"


def combine(results: Sequence[PartResult | None]) -> Answer:
    """A message's answer from the results of its parts; None: a part that was never sent, because another had failed.

    A message of which only some parts were accepted is REFUSED, so that it is not sent to the same carrier again, which
    would be paid for the accepted parts each time. It then has no carrier_ref, because a receipt for a part says
    nothing about the message; the error text names the ids.
    """
    ids = [result.message_id for result in results if result is not None and result.outcome is PartOutcome.ACCEPTED]
    if len(ids) == len(results):
        return _accepted(ids)
    with_result = (result for result in results if result is not None)
    worst = max(with_result, key=lambda result: result.outcome, default=PartResult(PartOutcome.NOT_SENT))
    description = _describe(results, worst, ids)
    if worst.outcome is PartOutcome.UNKNOWN:
        return Answer(Outcome.UNKNOWN, None, worst.error_code, description)
    if worst.outcome is PartOutcome.REFUSED or ids:
        return Answer(Outcome.REFUSED, None, worst.error_code, description)
    return Answer(Outcome.DEFERRED, None, worst.error_code, description)


def _accepted(ids: Sequence[str]) -> Answer:
    if all(ids):
        return Answer(Outcome.ACCEPTED, ids[0], part_refs=tuple(ids) if len(ids) > 1 else ())
    return Answer(Outcome.ACCEPTED, next(filter(None, ids), None), error_text=NO_REFERENCE)


def _describe(results: Sequence[PartResult | None], worst: PartResult, ids: Sequence[str]) -> str:
    description = worst.description or "not sent"
    if len(results) == 1:
        return description
    number = next((nth for nth, result in enumerate(results, 1) if result is worst), 1)
    accepted = f"; taken before: {', '.join(ids)}" if ids else ""
    return f"part {number} of {len(results)}: {description}{accepted}"
