"""A submission against the tariff: segments, words, templates, price and route. Pure; nothing is stored here."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from homing import errors, limits
from homing.guard.enforcement import PASS, GuardDecision, GuardRequest
from homing.intake.submission import AcceptedMessage, MessageGroup, RefusedRecipient, Submission, SubmitResult
from homing.intake.templates import match_any
from homing.model import NO_OPTIONS, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteRequest
from homing.routing.selection import choose, order
from homing.store.statements.intake import NewMessage
from homing.text.numbers import Numbering
from homing.text.segments import Segmentation, count

GuardCheck = Callable[[GuardRequest], GuardDecision]
"""Decides whether a message passes: `GuardService.check` in the processes, an enforcer alone in the lab."""


class Prepared(msgspec.Struct, frozen=True):
    """A submission that only money can still refuse."""

    account_id: int
    total_micro: int
    messages: list[NewMessage]
    fates: list[SubmitResult]


def prepare(
    submission: Submission,
    catalogue: Catalogue,
    numbering: Numbering,
    next_id: Callable[[], int],
    check: GuardCheck | None = None,
) -> Prepared:
    """Decides everything about a submission but the money.

    A recipient without price or route, or whom the guard (`check`) blocks, is refused alone as long as another can be
    served. Raises a `Refusal` when the whole submission is refused: its text, or no recipient that can be served.
    """
    account = submission.account
    messages: list[NewMessage] = []
    fates: list[SubmitResult] = []
    total_micro = 0
    submission_id = 0
    for group in submission.groups:
        segmentation = screen(submission, group, catalogue)
        noted = group.notes or {}
        if group.options is not NO_OPTIONS:
            noted = {**noted, **group.options.as_notes()}
        notes = _encode(noted) if noted else None
        for recipient in group.recipients:
            place = numbering.locate(recipient.number)
            price = catalogue.price(account.account_id, recipient.number)
            charge_micro = 0 if price is None else price.micro * segmentation.parts
            message_id = next_id()
            decision = PASS
            if check is not None and price is not None:
                decision = check(
                    GuardRequest(
                        account_id=account.account_id,
                        app_id=submission.app_id,
                        message_id=message_id,
                        number=recipient.number,
                        destination=place,
                        charge_micro=charge_micro,
                    )
                )
                if decision.action is GuardAction.BLOCK:
                    fates.append(RefusedRecipient(recipient, errors.DestinationBlocked()))
                    continue
            request = RouteRequest(
                account.account_id,
                submission.app_id,
                group.sender,
                submission.traffic,
                recipient.number,
                place.country,
                place.mcc + place.mnc,
            )
            ranked = None if price is None else catalogue.rank(request, price.micro)
            route = None if ranked is None else choose(ranked, message_id)
            if price is None or ranked is None or route is None:
                fates.append(RefusedRecipient(recipient, errors.NoRoute()))
                continue
            route_notes = ranked.notes
            if group.options.flash and not catalogue.carries_flash(route.carrier_id):
                candidates = list(order(ranked, message_id))
                able = [one for one in candidates if catalogue.carries_flash(one.carrier_id)]
                if not able:
                    fates.append(RefusedRecipient(recipient, errors.FlashNotCarried()))
                    continue
                route = able[0]
                without = Reason.of(ReasonCode.ROUTE_CARRIERS_WITHOUT_FLASH, carriers=len(candidates) - len(able))
                route_notes = (*route_notes, without)
            submission_id = submission_id or message_id
            told = notes
            if route_notes or decision is not PASS:
                told = _encode({**noted, **_notes_of(route_notes, decision)})
            messages.append(
                NewMessage(
                    account_id=account.account_id,
                    message_id=message_id,
                    submission_id=submission_id,
                    dialect=submission.dialect,
                    app_id=submission.app_id,
                    request_id=submission.request_id,
                    raw_number=None if recipient.raw == recipient.number else recipient.raw,
                    number=recipient.number,
                    country=place.country,
                    mcc=place.mcc,
                    mnc=place.mnc,
                    sender=group.sender,
                    text=group.text,
                    encoding=int(segmentation.encoding),
                    segments=segmentation.parts,
                    traffic=int(submission.traffic),
                    reference=recipient.reference,
                    callback_url=submission.callback_url,
                    price_micro=price.micro,
                    route_id=route.route_id,
                    carrier_id=route.carrier_id,
                    notes=told,
                    validity_s=submission.validity_s,
                    registered=submission.registered,
                )
            )
            total_micro += charge_micro
            fates.append(AcceptedMessage(message_id, recipient))
    if not messages:
        reasons = {type(fate.reason) for fate in fates if isinstance(fate, RefusedRecipient)}
        raise reasons.pop() if len(reasons) == 1 else errors.NoRoute
    return Prepared(account.account_id, total_micro, messages, fates)


def _notes_of(route: Sequence[Reason], decision: GuardDecision) -> dict[str, object]:
    """For the message's timeline: reasons of its route, and what the guard would have blocked it for."""
    notes: dict[str, object] = {"route": route} if route else {}
    if decision.reason is not None:
        notes["guard"] = Reason.of(
            ReasonCode.GUARD_MONITORED, rule=decision.rule, scope=decision.scope, reason=decision.reason
        )
    return notes


def _encode(notes: Mapping[str, object]) -> str:
    return msgspec.json.encode(notes).decode()


def screen(submission: Submission, group: MessageGroup, catalogue: Catalogue) -> Segmentation:
    """Holds a group's text against templates and words, and counts its segments."""
    account = submission.account
    if account.templates_required:
        if not account.templates:
            raise errors.TemplateMissing
        if match_any(account.templates, group.text) is None:
            raise errors.TemplateMismatch
    if catalogue.is_sensitive(account.account_id, group.text):
        raise errors.SensitiveWords
    segmentation = count(group.text, group.encoding)
    if segmentation.parts > limits.SEGMENTS_MAX:
        raise errors.ContentTooLong
    return segmentation
