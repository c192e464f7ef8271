"""What a carrier's answers mean: of one submit_sm, and of a message that left in several. Pure."""

import enum
from collections.abc import Sequence

import msgspec

from homing.carriers.smpp_settings import SmppSettings
from homing.model import Answer, Outcome
from homing.smpp import session
from homing.smpp.pdus import SubmitSmResp
from homing.smpp.session import RequestFailure
from homing.smpp.statuses import CommandStatus, StatusKind, error_code, meaning
from homing.smpp.tlvs import ADDITIONAL_STATUS_INFO_TEXT

NO_REFERENCE = "accepted without a message id: its receipt cannot be matched"


class PartOutcome(enum.IntEnum):
    """What became of a submit_sm. Of several in one message, the highest decides."""

    ACCEPTED = 0
    NOT_SENT = 1
    THROTTLED = 2
    PUT_OFF = 3
    REFUSED = 4
    UNKNOWN = 5


class PartResult(msgspec.Struct, frozen=True):
    """A submit's fate, the carrier's id or else its code, and words for people."""

    fate: PartOutcome
    message_id: str = ""
    error_code: str | None = None
    words: str = ""


class AnswerReader:
    """Reads answers by the specification (section 5.1.3) and by a carrier's own rules, which go first."""

    def __init__(self, settings: SmppSettings) -> None:
        self._rules = {
            **dict.fromkeys(settings.throttle_statuses, PartOutcome.THROTTLED),
            **dict.fromkeys(settings.temporary_statuses, PartOutcome.PUT_OFF),
            **dict.fromkeys(settings.permanent_statuses, PartOutcome.REFUSED),
        }

    def read(self, answer: session.ResponseOrFailure) -> PartResult:
        """What an answer to a submit_sm says; a `RequestFailure` is that there is none."""
        if isinstance(answer, RequestFailure):
            return PartResult(
                PartOutcome.UNKNOWN if answer.may_have_arrived else PartOutcome.NOT_SENT, words=answer.value
            )
        if answer.status == CommandStatus.ROK:
            if isinstance(answer, SubmitSmResp):
                return PartResult(PartOutcome.ACCEPTED, answer.message_id)
            return PartResult(PartOutcome.UNKNOWN, words="generic_nack that gives no reason")
        words = describe_status(answer.status)
        more = ADDITIONAL_STATUS_INFO_TEXT.of(answer.tlvs)
        return PartResult(
            self._rules.get(answer.status) or _FATES[meaning(answer.status).kind],
            error_code=error_code(answer.status),
            words=f"{words} ({more})" if more else words,
        )


_FATES = {
    StatusKind.OK: PartOutcome.ACCEPTED,
    StatusKind.THROTTLED: PartOutcome.PUT_OFF,  # not one of those that the settings say are a matter of speed
    StatusKind.TEMPORARY: PartOutcome.PUT_OFF,
    StatusKind.PERMANENT: PartOutcome.REFUSED,
    StatusKind.SESSION: PartOutcome.PUT_OFF,  # the link is wrong and not the message
}


def describe_status(status: int) -> str:
    """A status for people: `ESME_RINVDSTADR: the destination address is invalid`."""
    known = meaning(status)
    return f"{known.name}: {known.description}"


def combine(told: Sequence[PartResult | None]) -> Answer:
    """A message's answer from those of its parts; None: a part that was never sent, because another had failed.

    A message of which a part was taken and another was not has neither gone nor not gone: it is REFUSED, so that it is
    not sent again to the same carrier, which would be paid for its first part each time. It has no carrier_ref then: a
    receipt of what was taken says nothing about the message. Its text has the ids.
    """
    ids = [one.message_id for one in told if one is not None and one.fate is PartOutcome.ACCEPTED]
    if len(ids) == len(told):
        return _accepted(ids)
    worst = max(
        (one for one in told if one is not None), key=lambda one: one.fate, default=PartResult(PartOutcome.NOT_SENT)
    )
    words = _words(told, worst, ids)
    if worst.fate is PartOutcome.UNKNOWN:
        return Answer(Outcome.UNKNOWN, None, worst.error_code, words)
    if worst.fate is PartOutcome.REFUSED or ids:
        return Answer(Outcome.REFUSED, None, worst.error_code, words)
    return Answer(Outcome.DEFERRED, None, worst.error_code, words)


def _accepted(ids: Sequence[str]) -> Answer:
    if all(ids):
        return Answer(Outcome.ACCEPTED, ids[0], part_refs=tuple(ids) if len(ids) > 1 else ())
    return Answer(Outcome.ACCEPTED, next(filter(None, ids), None), error_text=NO_REFERENCE)


def _words(told: Sequence[PartResult | None], worst: PartResult, ids: Sequence[str]) -> str:
    words = worst.words or "not sent"
    if len(told) == 1:
        return words
    place = next((nth for nth, one in enumerate(told, 1) if one is worst), 1)
    taken = f"; taken before: {', '.join(ids)}" if ids else ""
    return f"part {place} of {len(told)}: {words}{taken}"
