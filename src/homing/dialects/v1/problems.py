"""Every problem that Homing's own API answers (docs/reference/errors.md), as RFC 9457 words them."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from homing import errors
from homing.accounts.refused_calls import HasReason, hidden, invalid, reason_for
from homing.api.http.wire import HttpResponse
from homing.dialects.error_codes import ErrorCodes
from homing.reasons import Reason, ReasonCode

PROBLEM_JSON: Final = "application/problem+json"
TYPES: Final = "/v1/errors/"
RETRY_S: Final = 1
"""What `Retry-After` says where nothing better is known."""
encode: Final = msgspec.json.encode


class Problem(msgspec.Struct, frozen=True):
    """A kind of refusal or failure: its code, its status, and what its reader has to know."""

    code: str
    status: int
    title: str
    cause: str
    cure: str


class MemberError(msgspec.Struct, frozen=True):
    """What is wrong with a member of the body. `pointer`: where it is (RFC 6901), or the name of a query parameter."""

    pointer: str
    detail: str


class ProblemDocument(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An error (RFC 9457). `type`: a page about it, whose last part is the code. `errors`: of an invalid request, what
    is wrong where.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    errors: Sequence[MemberError] = ()


class V1Refusal(errors.Refusal, HasReason):
    """The call is refused with one of this API's own codes."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        members: Sequence[MemberError] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.members = members
        self.headers = headers

    @property
    def reason(self) -> Reason:  # type: ignore[override]
        """Of codes that others have as well, theirs."""
        kind = KINDS.get(self.code)
        if kind is not None:
            return reason_for(kind)
        if self.code == "idempotency_key_reused":
            return Reason.of(ReasonCode.CALL_KEY_REUSED)
        if self.code == "sender_not_registered":
            return Reason.of(ReasonCode.CALL_SENDER_UNKNOWN)
        if self.code.endswith("_not_found"):
            return Reason.of(ReasonCode.CALL_NOT_FOUND, detail=hidden(PROBLEMS[self.code].title))
        return invalid(self.detail or PROBLEMS[self.code].title)


class ScopeMissing(V1Refusal):
    """The key is for other calls."""

    def __init__(self, code: str, scope: str) -> None:
        super().__init__(code, f"this call needs the scope {scope}")
        self.scope = scope

    @property
    def reason(self) -> Reason:  # type: ignore[override]
        return Reason.of(ReasonCode.CALL_SCOPE_MISSING, scope=self.scope)


def wrong_member(name: str, detail: str, code: str = "invalid_request") -> V1Refusal:
    """The refusal of a value of the body's member `name`."""
    return V1Refusal(code, detail, members=(MemberError(f"#/{name}", detail),))


PROBLEMS: Final[Mapping[str, Problem]] = {
    problem.code: problem
    for problem in (
        Problem(
            "malformed_json",
            400,
            "The body is not JSON",
            "The body cannot be read as JSON in UTF-8.",
            "Send one JSON object in UTF-8. Let a library write it: texts with quotes or line breaks need escapes.",
        ),
        Problem(
            "body_incomplete",
            400,
            "The body broke off",
            "The connection ended before the whole body had arrived.",
            "Send the call again, with the same `Idempotency-Key`.",
        ),
        Problem(
            "key_missing",
            401,
            "No API key",
            "The call has no header `Authorization: Bearer hm_...`.",
            "Send your key with every call: `Authorization: Bearer hm_KEY_SECRET`.",
        ),
        Problem(
            "key_invalid",
            401,
            "The API key is not valid",
            "The key is unknown or revoked, or its secret is wrong. After many wrong keys an address is locked out for"
            " a while, and hears this too.",
            "Copy the key again from where you keep it, or create a new one: it is shown only once.",
        ),
        Problem(
            "insufficient_balance",
            402,
            "The balance does not cover this",
            "The price is more than the account's gift, balance and credit together. Nothing was sent or charged.",
            "Top the account up; `GET /v1/balance` shows what is available. A call with many messages is charged as a"
            " whole: fewer may still fit.",
        ),
        Problem(
            "address_not_allowed",
            403,
            "Calls from this address are not allowed",
            "The account has a list of addresses, and the call came from another one.",
            "Call from a listed address, or add this one to the list (console, Credentials).",
        ),
        Problem(
            "account_locked",
            403,
            "The account is locked",
            "The operator has locked the account.",
            "Ask the operator.",
        ),
        Problem(
            "scope_missing",
            403,
            "The key may not be used for this",
            "The key was created with scopes, and the one that this call needs is not among them.",
            "Use another key, or create one with the scope that `detail` names.",
        ),
        Problem(
            "not_found",
            404,
            "There is nothing at this address",
            "The path is none of this API's.",
            "Compare it with the reference or with `GET /v1/openapi.json`.",
        ),
        Problem(
            "message_not_found",
            404,
            "There is no such message",
            "The account has no message with this id.",
            "Use the `id` that the message was answered with. Messages of other accounts are not found.",
        ),
        Problem(
            "verification_not_found",
            404,
            "There is no such verification",
            "The account has no verification with this id.",
            "Use the `id` that the verification was answered with.",
        ),
        Problem(
            "webhook_not_found",
            404,
            "There is no such endpoint",
            "The account has no webhook endpoint with this id; it may have been removed.",
            "`GET /v1/webhooks` lists those that there are.",
        ),
        Problem(
            "app_not_found",
            404,
            "There is no such app",
            "The account has no app with this id.",
            "`GET /v1/apps` lists those that there are. An app is created in the console (Apps).",
        ),
        Problem(
            "event_not_found",
            404,
            "There is no such event",
            "The account has no event with this id, or it is older than events are kept.",
            "`GET /v1/events` lists those that there are. For what is older read the message or the verification.",
        ),
        Problem(
            "method_not_allowed",
            405,
            "The path has no such method",
            "The path exists, and not with this method.",
            "Use one that the header `Allow` names.",
        ),
        Problem(
            "body_late",
            408,
            "The body did not arrive in time",
            "The body took too long to arrive.",
            "Send the call again, with the same `Idempotency-Key`.",
        ),
        Problem(
            "idempotency_key_reused",
            409,
            "The Idempotency-Key belongs to another call",
            "Within the last 24 hours the same `Idempotency-Key` came with another path or body.",
            "Make a new key for each new call; keep it only for repetitions of the same call.",
        ),
        Problem(
            "already_verified",
            409,
            "The code was entered already",
            "The verification succeeded before. Exactly one check succeeds, so that a code that somebody else has read"
            " opens nothing.",
            "Treat only the answer `verified` as success. If that answer was lost, start a new verification; with an"
            " `Idempotency-Key` a repeated check gets the first answer.",
        ),
        Problem(
            "verification_over",
            409,
            "The verification is over",
            "It was verified, cancelled, expired or failed, or its code was sent as often as it may be.",
            "Start a new verification.",
        ),
        Problem(
            "webhook_limit_reached",
            409,
            "The account has as many endpoints as it may",
            "An account has at most 20 webhook endpoints.",
            "Remove one that is not used, or let one endpoint have more types of events.",
        ),
        Problem(
            "webhook_off",
            409,
            "The endpoint is disabled",
            "Nothing is pushed to an endpoint that is disabled: by a change, or after days of failures.",
            'Enable it with `PATCH /v1/webhooks/{id}` and `{"enabled": true}`, then replay what it has missed.',
        ),
        Problem(
            "too_late_to_cancel",
            409,
            "The message cannot be cancelled any more",
            "The message is on its way to a carrier, or has been sent.",
            "Only messages that are still waiting can be cancelled; `GET /v1/messages/{id}` shows the state.",
        ),
        Problem(
            "body_too_large",
            413,
            "The body is too large",
            "The body is larger than 2 MiB.",
            "Split the call: at most 1,000 messages in each.",
        ),
        Problem(
            "unsupported_media_type",
            415,
            "The body is not announced as JSON",
            "The `Content-Type` is something other than `application/json`. curl announces a form by itself.",
            "Send `Content-Type: application/json`.",
        ),
        Problem(
            "invalid_request",
            422,
            "The request is not valid",
            "A member or parameter is missing, has the wrong type or a value out of its range. `errors` says which.",
            "Correct what `errors` names; the reference has the bounds.",
        ),
        Problem(
            "unknown_member",
            422,
            "The request has a member that is not known",
            "The body or the query has a name that this call does not know, often a misspelt one. It is refused, since"
            " whoever wrote it expects an effect.",
            "Correct or remove what `errors` names.",
        ),
        Problem(
            "number_invalid",
            422,
            "The number is not valid",
            "A number has 7 to 15 digits with its country code.",
            "Send it in international form: `+8613800130001`. Blanks, dashes and brackets do no harm.",
        ),
        Problem(
            "number_national",
            422,
            "The number lacks its country code",
            "The number begins with 0, so it is written as inside its country.",
            "Put the country code in place of the 0: `+44 7700 900000`, not `07700 900000`.",
        ),
        Problem(
            "text_empty",
            422,
            "The text is empty",
            "The text has no characters, or only blanks.",
            "Send a text.",
        ),
        Problem(
            "text_too_long",
            422,
            "The text is too long",
            "The text has more than 1,600 characters, or needs more SMS than one message may have.",
            "Shorten it or send several messages. A dry run says how many segments a text takes.",
        ),
        Problem(
            "sender_not_registered",
            422,
            "The sender is not registered",
            "`from` is none of the account's sender IDs. It is not replaced by another one.",
            "Leave `from` out for the account's default, or have the sender ID registered.",
        ),
        Problem(
            "app_unknown",
            422,
            "There is no such app",
            "`app` is none of the account's apps; or the account has no app, which a verification needs.",
            "Leave `app` out for the account's first, or create one (console, Apps).",
        ),
        Problem(
            "template_unknown",
            422,
            "There is no such template",
            "The account has no code template of this name, or none for this locale.",
            "Leave `template` out for the default text, or create the template: one without a locale serves them all.",
        ),
        Problem(
            "sensitive_words",
            422,
            "The text has a word that may not be sent",
            "The text has a word of the operator's or the account's list.",
            "Use other words.",
        ),
        Problem(
            "template_mismatch",
            422,
            "The text matches no template",
            "The account may send only texts of its templates.",
            "Use a template's text, or have a new one added.",
        ),
        Problem(
            "webhook_url_refused",
            422,
            "Nothing may be pushed to this address",
            "The URL is not an http or https URL, or it names an address or a port that is not reachable from the"
            " internet: a private or local one, or that of a mail server or a database.",
            "Give an address that everybody reaches. Names are looked at when they are connected to: what"
            " `POST /v1/webhooks/{id}/test` answers says whether one is refused.",
        ),
        Problem(
            "template_missing",
            422,
            "The account has no template",
            "The account may send only texts of its templates, and has none.",
            "Have a template added.",
        ),
        Problem(
            "no_route",
            422,
            "There is no way to this number",
            "The account has no price or no route to this destination.",
            "`GET /v1/lookups/{number}` shows the price; ask the operator to open the destination.",
        ),
        Problem(
            "destination_blocked",
            422,
            "The destination is blocked",
            "The number's range is blocked: by the operator, or because its traffic looks like SMS pumping.",
            "If these are people of yours, ask the operator to allow the range.",
        ),
        Problem(
            "no_message_accepted",
            422,
            "None of the messages was accepted",
            "Each of the call's messages was refused; `errors` says why.",
            "Correct them and send the call again.",
        ),
        Problem(
            "limit_reached",
            429,
            "A limit is reached",
            "As many messages as a limit allows were sent.",
            "Wait as long as `Retry-After` says.",
        ),
        Problem(
            "quota_reached",
            429,
            "A quota is used up",
            "The account or the app has a quota of messages or money for a second or a day, and it is used up.",
            "Wait as long as `Retry-After` says, or have the quota raised.",
        ),
        Problem(
            "number_limit_reached",
            429,
            "This number has had enough codes",
            "A number is sent 1 code in 30 seconds, 5 an hour and 10 a day, or what the app allows.",
            "Wait as long as `Retry-After` says. Show the person when a code can be sent again.",
        ),
        Problem(
            "app_limit_reached",
            429,
            "The app has sent as many codes as it may",
            "The app has a limit on all of its codes.",
            "Wait as long as `Retry-After` says, or have the limit raised.",
        ),
        Problem(
            "too_many_requests",
            429,
            "Queries come too fast",
            "The account asks more often than it may in the long run. Sending is not counted.",
            "Wait as long as `Retry-After` says; the header `RateLimit` shows how many queries are left.",
        ),
        Problem(
            "internal_error",
            500,
            "Something went wrong here",
            "An error that nobody foresaw. It is in the server's log under the answer's `X-Request-Id`.",
            "Send the call again, with the same `Idempotency-Key`; if it stays, report the `X-Request-Id`.",
        ),
        Problem(
            "unavailable",
            503,
            "Not available for the moment",
            "The database cannot be reached or did not answer in time. The call may have been carried out.",
            "Send it again after `Retry-After`, with the same `Idempotency-Key`: nothing is then done twice.",
        ),
        Problem(
            "overloaded",
            503,
            "Too much is waiting",
            "More work is waiting than the limits allow. Nothing was done.",
            "Send the call again after `Retry-After`, with the same `Idempotency-Key`, and more slowly.",
        ),
    )
}
"""By code."""

CODES: Final = ErrorCodes(
    {
        errors.HomingError: "internal_error",
        errors.Refusal: "invalid_request",
        errors.BadShape: "invalid_request",
        errors.BadParameter: "invalid_request",
        errors.UnknownApp: "app_unknown",
        errors.NumbersEmpty: "invalid_request",
        errors.NumbersTooMany: "invalid_request",
        errors.NumbersAbnormal: "number_invalid",
        errors.NationalNumber: "number_national",
        errors.ContentEmpty: "text_empty",
        errors.ContentTooLong: "text_too_long",
        errors.SensitiveWords: "sensitive_words",
        errors.TemplateMismatch: "template_mismatch",
        errors.TemplateMissing: "template_missing",
        errors.BatchEmpty: "invalid_request",
        errors.NoRoute: "no_route",
        errors.FlashNotCarried: "no_route",
        errors.DestinationBlocked: "destination_blocked",
        errors.InsufficientBalance: "insufficient_balance",
        errors.ReferenceReused: "invalid_request",
        errors.LimitReached: "limit_reached",
        errors.QuotaReached: "quota_reached",
        errors.AppLimitReached: "app_limit_reached",
        errors.NumberLimitReached: "number_limit_reached",
        errors.VerificationOver: "verification_over",
        errors.QueryEmpty: "invalid_request",
        errors.QueryTooFrequent: "too_many_requests",
        errors.BadTime: "invalid_request",
        errors.OutOfRange: "invalid_request",
        errors.PlatformFailure: "unavailable",
        errors.DatabaseUnavailable: "unavailable",
        errors.DatabaseFailed: "unavailable",
        errors.Overloaded: "overloaded",
    }
)
"""The code of each refusal and failure that all dialects have."""


KINDS: Final[Mapping[str, type[errors.HomingError]]] = {
    "text_empty": errors.ContentEmpty,
    "text_too_long": errors.ContentTooLong,
    "number_invalid": errors.NumbersAbnormal,
    "number_national": errors.NationalNumber,
    "app_unknown": errors.UnknownApp,
    "verification_over": errors.VerificationOver,
}
"""Refusals that all dialects have, by the codes that are also answered where a member names them."""


def code_of(error: errors.HomingError) -> str:
    return error.code if isinstance(error, V1Refusal) else CODES.of(type(error))


def document_of(error: errors.HomingError) -> ProblemDocument:
    """The problem that an error is answered as. What failed inside is not told."""
    problem = PROBLEMS[code_of(error)]
    is_refusal = isinstance(error, errors.Refusal)
    return ProblemDocument(
        type=TYPES + problem.code,
        title=problem.title,
        status=problem.status,
        code=problem.code,
        detail=(error.detail if is_refusal else "") or problem.cause,
        errors=error.members if isinstance(error, V1Refusal) else (),
    )


def shown_code(error: errors.HomingError) -> str:
    """What the customer sees of an error, in short."""
    problem = PROBLEMS[code_of(error)]
    return f"{problem.status} {problem.code}"


def response_of(error: errors.HomingError, headers: tuple[tuple[str, str], ...] = ()) -> HttpResponse:
    """`headers`: beside those that the error itself calls for."""
    document = document_of(error)
    own = error.headers if isinstance(error, V1Refusal) else ()
    if document.status in (429, 503):
        wait_s = error.retry_after_s if isinstance(error, errors.LimitReached) else RETRY_S
        own = (*own, ("retry-after", str(wait_s)))
    return HttpResponse(encode(document), document.status, PROBLEM_JSON, (*headers, *own))
