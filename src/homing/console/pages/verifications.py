"""Verifications: a list, and the story of one code. Codes themselves are on no page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from homing import audit, errors, limits
from homing.admin.account_settings import as_id
from homing.common import ids
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, EVERYBODY, OPERATORS, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.timeline_view import STATE_LABELS, state_tone
from homing.model import CheckOutcome
from homing.states import TABLE, MessageState
from homing.store.statements.verifications import ShownVerification, VerificationMessageRow
from homing.text.numbers import normalise
from homing.verification.search import (
    STATUSES,
    FoundVerifications,
    ShownStory,
    VerificationFilter,
    read_shown_story,
    search_verifications,
    status_name,
)

STATUS_LABELS: Final[Mapping[str, str]] = {
    "pending": N_("Pending"),
    "verified": N_("Verified"),
    "failed": N_("Failed"),
    "expired": N_("Expired"),
    "cancelled": N_("Cancelled"),
}
TONES: Final[Mapping[str, str]] = {"pending": "blue", "verified": "good", "failed": "bad", "expired": "warn"}
CHECKED: Final[Mapping[CheckOutcome, str]] = {
    CheckOutcome.VERIFIED: N_("The code is right: the number is verified."),
    CheckOutcome.WRONG: N_("The code is wrong."),
    CheckOutcome.EXPIRED: N_("The code has expired."),
    CheckOutcome.TOO_MANY_ATTEMPTS: N_("Too many wrong codes were entered. The code is no longer valid."),
    CheckOutcome.ALREADY_VERIFIED: N_("The code was entered already."),
    CheckOutcome.CANCELLED: N_("The verification was cancelled."),
    CheckOutcome.UNKNOWN: N_("There is no such verification."),
}
"""What is said of a check."""
STILL_LIVE: Final = timedelta(minutes=10)
"""How long after its end a verification's page is still live: receipts of its messages arrive then."""


async def show(context: RequestContext) -> Response:
    query = context.query_value("find")
    named_id = await _verification_id(context, query)
    if named_id is not None:
        return context.redirect(f"/verifications/{named_id}")
    filter_error, result = "", FoundVerifications([], None)
    try:
        base = await _filter(context)
    except errors.InvalidInput as error:
        filter_error = context.sentence(error)
    else:
        for wanted in _interpretations(base, query):
            result = await _search(context, wanted)
            if result.rows or result.stopped_id:
                break
    page = page_of(result.rows, lambda row: row.verification_id)
    return context.page(
        "verifications.html",
        rows=page.rows,
        older_key=page.older,
        stopped_id=result.stopped_id,
        stopped_at=_time_of(result.stopped_id),
        filter_error=filter_error,
        query=query,
        statuses=STATUS_LABELS,
        status_of=status_name,
        tones=TONES,
        is_filtered=any(context.query_value(name) for name in ("find", "status", "account")),
    )


async def _verification_id(context: RequestContext, query: str) -> int | None:
    """Of a verification that the viewer may see, by the id of any of its messages, also in a dialect's form."""
    message_id = context.console_state.dialects.message_id_of(query) or as_id(query)
    if message_id is None:
        return None
    story = await read_shown_story(context.database, message_id, now=context.now, account_id=context.scope)
    return None if story is None else story.verification.verification_id


def _interpretations(base: VerificationFilter, query: str) -> Sequence[VerificationFilter]:
    """What a pasted text may be, in the order of the search."""
    if not query:
        return [base]
    number, by_reference = normalise(query), msgspec.structs.replace(base, reference=query)
    return [by_reference] if number is None else [msgspec.structs.replace(base, number=number), by_reference]


async def _search(context: RequestContext, wanted: VerificationFilter) -> FoundVerifications:
    return await context.console_state.live.cache.get(
        ("verifications", wanted),
        lambda: search_verifications(context.database, wanted, limits.CONSOLE_PAGE_ROWS + 1, context.now),
    )


async def _filter(context: RequestContext) -> VerificationFilter:
    """Without the text that is searched for. A customer's is of the own account, whatever the query says."""
    status, account = context.query_value("status"), context.query_value("account")
    account_id = context.scope
    if account and context.scope is None:
        account_id = await form_values.account_id(context, account)
    before_id = context.query_id("before")
    return VerificationFilter(
        account_id=account_id,
        status=status if status in STATUSES else None,
        before_id=ids.ID_MAX if before_id is None else min(before_id, ids.ID_MAX),
    )


def _time_of(verification_id: int | None) -> datetime | None:
    return None if verification_id is None else datetime.fromtimestamp(ids.id_time_ms(verification_id) / 1000, UTC)


async def show_item(context: RequestContext) -> Response:
    """By the id of any of its messages."""
    message_id = as_id(context.path_part("message_id"))
    if message_id is None:
        raise PageNotFound
    scope = context.scope
    story = await context.console_state.live.cache.get(
        ("verification", message_id, scope),
        lambda: read_shown_story(context.database, message_id, now=context.now, account_id=scope),
    )
    if story is None:
        raise PageNotFound
    status = status_name(story.verification)
    return context.page(
        "verification.html",
        verification=story.verification,
        messages=story.messages,
        label=STATUS_LABELS[status],
        tone=TONES.get(status, ""),
        outcome=_outcome(context, status, story.verification),
        labels=STATE_LABELS,
        state_tone=state_tone,
        took_s=_took_s,
        is_pending=status == "pending",
        is_live=_is_live(story, context.now),
    )


async def check_item(context: RequestContext) -> Response:
    """Checks a code that was entered: like a check by an API, it counts, and a right one is the conversion."""
    message_id = as_id(context.path_part("message_id"))
    story = None
    if message_id is not None:
        story = await read_shown_story(context.database, message_id, now=context.now, account_id=context.scope)
    if story is None:
        raise PageNotFound
    row = story.verification
    code = context.field("code")
    if not code:
        raise errors.InvalidInput(context.translate("Enter the code."))
    sending = context.console_state.sending
    checked = await sending.verifications.check(row.account_id, row.verification_id, code, sending.dialect)
    async with context.changing() as transaction:
        await audit.record(
            transaction,
            "verification",
            "check_test",
            str(row.verification_id),
            account_id=row.account_id,
            after={"outcome": checked.outcome.name.lower()},
        )
    context.console_state.live.cache.forget()  # the next page shows what the check changed
    return context.redirect(f"/verifications/{row.verification_id}", context.translate(CHECKED[checked.outcome]))


def _outcome(context: RequestContext, status: str, row: ShownVerification) -> str:
    """What the checks came to, in words."""
    translate, formats = context.translate, context.formats
    match status:
        case "verified":
            assert row.ended_at is not None
            return translate(
                "The correct code was entered {span} after the verification was created.",
                span=formats.span((row.ended_at - row.created_at).total_seconds()),
            )
        case "failed":
            return translate("Too many wrong codes were entered. The code is no longer valid.")
        case "cancelled":
            return translate("Cancelled through the API. The code is no longer valid.")
        case "expired":
            return translate("Nobody entered the correct code in time.")
        case _:
            return translate("The correct code has not been entered yet.")


def _took_s(message: VerificationMessageRow) -> float | None:
    """From the submission to the final state."""
    return None if message.final_at is None else (message.final_at - message.submitted_at).total_seconds()


def _is_live(story: ShownStory, now: datetime) -> bool:
    row = story.verification
    if any(not TABLE[MessageState(message.state)].final for message in story.messages):
        return True
    return now - (row.ended_at or row.expires_at) < STILL_LIVE


SECTION = PageSection(
    (
        Page("/verifications", show, seen_by=EVERYBODY),
        Page(
            "/verifications/{message_id}",
            show_item,
            check_item,
            seen_by=EVERYBODY,
            changed_by=OPERATORS | CUSTOMERS,
        ),
    ),
    (NavigationEntry("/verifications", N_("Verifications"), NavigationGroup.TRAFFIC, "check", EVERYBODY),),
)
