"""Checks, prices and routes a submission by the catalogue. Pure: nothing is stored here."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from homing import errors, limits
from homing.guard.end_users import EndUserAddress
from homing.guard.enforcement import PASS, GuardDecision, GuardRequest
from homing.intake.kept_references import kept_references
from homing.intake.quotas import quota_takes
from homing.intake.submission import (
    AcceptedMessage,
    MessageGroup,
    RefusedRecipient,
    RepeatedReferences,
    Submission,
    SubmitResult,
)
from homing.intake.templates import match_any
from homing.intake.terms import NO_TERMS, SubmissionTerms
from homing.model import NO_OPTIONS, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteCandidate, RouteRequest
from homing.routing.selection import RankedCandidates, choose, order
from homing.store.statements.intake import NewMessage
from homing.text.numbers import Numbering
from homing.text.segments import Segmentation, count

GuardCheck = Callable[[GuardRequest], GuardDecision]
"""Decides whether a message passes: `GuardService.check` in the processes, an enforcer alone in the lab."""


class PreparedSubmission(msgspec.Struct, frozen=True):
    """A submission that is checked, priced and routed; only a lack of money can still refuse it."""

    account_id: int
    total_micro: int
    messages: list[NewMessage]
    results: list[SubmitResult]
    terms: SubmissionTerms = NO_TERMS
    end_user: EndUserAddress | None = None


def prepare(
    submission: Submission,
    catalogue: Catalogue,
    numbering: Numbering,
    next_id: Callable[[], int],
    check: GuardCheck | None = None,
) -> PreparedSubmission:
    """Checks the texts, and finds price, guard decision (`check`) and route of each recipient.

    A recipient without a price or route, or that the guard blocks, is refused alone if another one is accepted. Raises
    a `Refusal` when a text is refused, or every recipient.
    """
    account = submission.account
    messages: list[NewMessage] = []
    results: list[SubmitResult] = []
    total_micro = 0
    submission_id = 0
    code = submission.terms.code
    is_resent = True if code is not None and code.resend is not None else None
    for group in submission.groups:
        segmentation = screen(submission, group, catalogue)
        group_notes = group.notes or {}
        if group.options is not NO_OPTIONS:
            group_notes = {**group_notes, **group.options.as_notes()}
        notes = _encode(group_notes) if group_notes else None
        for recipient in group.recipients:
            destination = numbering.locate(recipient.number)
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
                        destination=destination,
                        charge_micro=charge_micro,
                        end_user=submission.end_user,
                    )
                )
                if decision.action is GuardAction.BLOCK:
                    results.append(RefusedRecipient(recipient, errors.DestinationBlocked()))
                    continue
            request = RouteRequest(
                account.account_id,
                submission.app_id,
                group.sender,
                submission.traffic,
                recipient.number,
                destination.country,
                destination.mcc + destination.mnc,
            )
            ranked = None if price is None else catalogue.rank(request, price.micro)
            route = None if ranked is None else choose(ranked, message_id)
            if price is None or ranked is None or route is None:
                results.append(RefusedRecipient(recipient, errors.NoRoute()))
                continue
            route_notes = ranked.notes
            if group.options.flash and not catalogue.carries_flash(route.carrier_id):
                candidates = list(order(ranked, message_id))
                with_flash = [candidate for candidate in candidates if catalogue.carries_flash(candidate.carrier_id)]
                if not with_flash:
                    results.append(RefusedRecipient(recipient, errors.FlashNotCarried()))
                    continue
                route = with_flash[0]
                without_flash = Reason.of(
                    ReasonCode.ROUTE_CARRIERS_WITHOUT_FLASH, carriers=len(candidates) - len(with_flash)
                )
                route_notes = (*route_notes, without_flash)
            if route.carrier_id in submission.avoid_carriers:
                other = _another(ranked, message_id, submission.avoid_carriers)
                if other is not None:
                    route = other
                    route_notes = (*route_notes, Reason.of(ReasonCode.ROUTE_ANOTHER_CARRIER))
                elif submission.resend_reason is not None:
                    results.append(RefusedRecipient(recipient, errors.NoRoute()))
                    continue
            if submission.resend_reason is not None:
                route_notes = (*route_notes, submission.resend_reason)
            submission_id = submission_id or message_id
            message_notes = notes
            if route_notes or decision is not PASS:
                message_notes = _encode({**group_notes, **_notes_of(route_notes, decision)})
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
                    country=destination.country,
                    mcc=destination.mcc,
                    mnc=destination.mnc,
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
                    notes=message_notes,
                    validity_s=submission.validity_s,
                    registered=submission.registered,
                    masked_text=group.masked_text,
                    hold_s=submission.hold_s or None,
                    is_resent=is_resent,
                )
            )
            total_micro += charge_micro
            results.append(AcceptedMessage(message_id, recipient))
    if not messages:
        reasons = {type(result.reason) for result in results if isinstance(result, RefusedRecipient)}
        raise reasons.pop() if len(reasons) == 1 else errors.NoRoute
    terms = submission.terms
    if account.quotas:
        takes = quota_takes(account, submission.app_id, messages=len(messages), total_micro=total_micro)
        terms = msgspec.structs.replace(terms, limits=(*terms.limits, *takes))
    if submission.repeated_references is not RepeatedReferences.SENT:
        terms = msgspec.structs.replace(terms, references=kept_references(messages))
    return PreparedSubmission(account.account_id, total_micro, messages, results, terms, submission.end_user)


def _another(ranked: RankedCandidates, message_id: int, avoid: frozenset[int]) -> RouteCandidate | None:
    """The first in the order of failover that is not to be avoided."""
    return next((each for each in order(ranked, message_id) if each.carrier_id not in avoid), None)


def _notes_of(route: Sequence[Reason], decision: GuardDecision) -> dict[str, object]:
    """Notes for the message's timeline: the reasons of its route, and why the guard would have blocked it."""
    notes: dict[str, object] = {"route": route} if route else {}
    if decision.reason is not None:
        notes["guard"] = Reason.of(
            ReasonCode.GUARD_MONITORED, rule=decision.rule, scope=decision.scope, reason=decision.reason
        )
    return notes


def _encode(notes: Mapping[str, object]) -> str:
    return msgspec.json.encode(notes).decode()


def screen(submission: Submission, group: MessageGroup, catalogue: Catalogue) -> Segmentation:
    """Checks a group's text against templates, sensitive words and length. Returns its encoding and segments.

    Raises `TemplateMissing`, `TemplateMismatch`, `SensitiveWords` or `ContentTooLong`.
    """
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
