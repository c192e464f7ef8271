"""What a carrier's answers mean: of one submit_sm, and of a message that left in several. Pure."""

import enum
from collections.abc import Sequence

import msgspec

from homing.carriers.smpp_settings import SmppSettings
from homing.model import Answer, Outcome
from homing.smpp import session
from homing.smpp.pdus import SubmitSmResp
from homing.smpp.session import Failure
from homing.smpp.statuses import Kind, Status, error_code, meaning
from homing.smpp.tlvs import ADDITIONAL_STATUS_INFO_TEXT

NO_REFERENCE = "accepted without a message id: its receipt cannot be matched"


class Fate(enum.IntEnum):
    """What became of a submit_sm. Of several in one message, the highest decides."""

    ACCEPTED = 0
    NOT_SENT = 1
    THROTTLED = 2
    PUT_OFF = 3
    REFUSED = 4
    UNKNOWN = 5


class Told(msgspec.Struct, frozen=True):
    """A submit's fate, the carrier's id or else its code, and words for people."""

    fate: Fate
    message_id: str = ""
    error_code: str | None = None
    words: str = ""


class Reader:
    """Reads answers by the specification (section 5.1.3) and by a carrier's own rules, which go first."""

    def __init__(self, settings: SmppSettings) -> None:
        self._rules = {
            **dict.fromkeys(settings.throttle_statuses, Fate.THROTTLED),
            **dict.fromkeys(settings.temporary_statuses, Fate.PUT_OFF),
            **dict.fromkeys(settings.permanent_statuses, Fate.REFUSED),
        }

    def read(self, answer: session.Answer) -> Told:
        """What an answer to a submit_sm says; a `Failure` is that there is none."""
        if isinstance(answer, Failure):
            return Told(Fate.UNKNOWN if answer.fate_unknown else Fate.NOT_SENT, words=answer.value)
        if answer.status == Status.ROK:
            if isinstance(answer, SubmitSmResp):
                return Told(Fate.ACCEPTED, answer.message_id)
            return Told(Fate.UNKNOWN, words="generic_nack that gives no reason")
        words = describe(answer.status)
        more = ADDITIONAL_STATUS_INFO_TEXT.of(answer.tlvs)
        return Told(
            self._rules.get(answer.status) or _FATES[meaning(answer.status).kind],
            error_code=error_code(answer.status),
            words=f"{words} ({more})" if more else words,
        )


_FATES = {
    Kind.OK: Fate.ACCEPTED,
    Kind.THROTTLED: Fate.PUT_OFF,  # not one of those that the settings say are a matter of speed
    Kind.TEMPORARY: Fate.PUT_OFF,
    Kind.PERMANENT: Fate.REFUSED,
    Kind.SESSION: Fate.PUT_OFF,  # the link is wrong and not the message
}


def describe(status: int) -> str:
    """A status for people: `ESME_RINVDSTADR: the destination address is invalid`."""
    found = meaning(status)
    return f"{found.name}: {found.words}"


def conclude(told: Sequence[Told | None]) -> Answer:
    """A message's answer from those of its parts; None: a part that was never sent, because another had failed.

    A message of which a part was taken and another was not has neither gone nor not gone: it is REFUSED, so that it is
    not sent again to the same carrier, which would be paid for its first part each time. It has no carrier_ref then: a
    receipt of what was taken says nothing about the message. Its text has the ids.
    """
    ids = [one.message_id for one in told if one is not None and one.fate is Fate.ACCEPTED]
    if len(ids) == len(told):
        return _accepted(ids)
    worst = max((one for one in told if one is not None), key=lambda one: one.fate, default=Told(Fate.NOT_SENT))
    words = _words(told, worst, ids)
    if worst.fate is Fate.UNKNOWN:
        return Answer(Outcome.UNKNOWN, None, worst.error_code, words)
    if worst.fate is Fate.REFUSED or ids:
        return Answer(Outcome.REFUSED, None, worst.error_code, words)
    return Answer(Outcome.DEFERRED, None, worst.error_code, words)


def _accepted(ids: Sequence[str]) -> Answer:
    if all(ids):
        return Answer(Outcome.ACCEPTED, ids[0], part_refs=tuple(ids) if len(ids) > 1 else ())
    return Answer(Outcome.ACCEPTED, next(filter(None, ids), None), error_text=NO_REFERENCE)


def _words(told: Sequence[Told | None], worst: Told, ids: Sequence[str]) -> str:
    words = worst.words or "not sent"
    if len(told) == 1:
        return words
    place = next((nth for nth, one in enumerate(told, 1) if one is worst), 1)
    taken = f"; taken before: {', '.join(ids)}" if ids else ""
    return f"part {place} of {len(told)}: {words}{taken}"
