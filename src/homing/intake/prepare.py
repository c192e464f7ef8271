"""A submission against the tariff: segments, words, templates, price and route. Pure; nothing is stored here."""

from collections.abc import Callable

import msgspec

from homing import errors, limits
from homing.intake.submission import Accepted, Fate, Group, Refused, Submission
from homing.intake.templates import match_any
from homing.routing.choose import choose
from homing.routing.tariff import Tariff
from homing.text.numbers import Numbering
from homing.text.segments import Segmentation, count

MessageRow = tuple[object, ...]  # one element per array of the statement `submit`, in its order


class Prepared(msgspec.Struct, frozen=True):
    """A submission that only money can still refuse."""

    account_id: int
    total_micro: int
    rows: list[MessageRow]
    fates: list[Fate]


def prepare(submission: Submission, tariff: Tariff, numbering: Numbering, next_id: Callable[[], int]) -> Prepared:
    """Decides everything about a submission but the money.

    A recipient without price or route is refused alone as long as another can be served. Raises a `Refusal` when
    the whole submission is refused: its text, or no recipient that can be served.
    """
    account = submission.account
    rows: list[MessageRow] = []
    fates: list[Fate] = []
    total_micro = 0
    submission_id = 0
    for group in submission.groups:
        segmentation = screen(submission, group, tariff)
        notes = msgspec.json.encode(group.notes).decode() if group.notes else None
        for recipient in group.recipients:
            price = tariff.price(account.account_id, recipient.number)
            candidates = tariff.candidates(account.account_id, recipient.number)
            if price is None or candidates is None:
                fates.append(Refused(recipient, errors.NoRoute()))
                continue
            message_id = next_id()
            submission_id = submission_id or message_id
            route = choose(candidates, message_id)
            place = numbering.locate(recipient.number)
            charge_micro = price.micro * segmentation.parts
            rows.append(
                (
                    account.account_id,
                    message_id,
                    submission_id,
                    int(submission.door),
                    submission.app_id,
                    submission.request_id,
                    None if recipient.raw == recipient.number else recipient.raw,
                    recipient.number,
                    place.country,
                    place.mcc,
                    place.mnc,
                    group.sender,
                    group.text,
                    int(segmentation.encoding),
                    segmentation.parts,
                    int(submission.traffic),
                    recipient.reference,
                    submission.callback_url,
                    price.micro,
                    route.route_id,
                    route.carrier_id,
                    notes,
                    submission.validity_s,
                    total_micro,
                )
            )
            total_micro += charge_micro
            fates.append(Accepted(message_id, recipient))
    if not rows:
        raise errors.NoRoute
    return Prepared(account.account_id, total_micro, rows, fates)


def screen(submission: Submission, group: Group, tariff: Tariff) -> Segmentation:
    """Holds a group's text against templates and words, and counts its segments."""
    account = submission.account
    if account.templates_required:
        if not account.templates:
            raise errors.TemplateMissing
        if match_any(account.templates, group.text) is None:
            raise errors.TemplateMismatch
    if tariff.sensitive(account.account_id, group.text):
        raise errors.SensitiveWords
    segmentation = count(group.text, group.encoding)
    if segmentation.parts > limits.SEGMENTS_MAX:
        raise errors.ContentTooLong
    return segmentation
