"""Homing's own API under /v1 (docs/reference/v1.md)."""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from homing import errors, limits
from homing.accounts.profile import Credential, Profile
from homing.accounts.query_budget import QUERIES_BURST_FACTOR
from homing.api.http.bearer import bearer_credential
from homing.api.http.body import BodyBroken, BodyFailure, BodyLate, BodyTooLarge, LengthRequired
from homing.api.http.call_keys import CallKeys, KeyProblem, KeyRefused
from homing.api.http.failure_log import FailureLog
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.dialects.serving import Services
from homing.dialects.v1.account import AccountCalls
from homing.dialects.v1.api_viewer import ApiViewer
from homing.dialects.v1.apps import AppCalls
from homing.dialects.v1.calls import V1Call, idempotency_key
from homing.dialects.v1.event_calls import EventCalls
from homing.dialects.v1.idempotency import AnsweredCalls, replayed
from homing.dialects.v1.messages import MessageQueries
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.openapi import openapi_document
from homing.dialects.v1.operations import OPERATIONS, Operation
from homing.dialects.v1.problems import PROBLEMS, TYPES, ScopeMissing, V1Refusal, code_of, response_of, shown_code
from homing.dialects.v1.sending import MessageSending
from homing.dialects.v1.verifications import VerificationCalls
from homing.dialects.v1.webhooks import WebhookCalls
from homing.intake.terms import EarlierAnswer

ROOT: Final = "/v1/"
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""That are answered in this API's words."""
PLAIN: Final = "text/plain; charset=utf-8"
BODY_CODES: Final[Mapping[type[BodyFailure], str]] = {
    BodyTooLarge: "body_too_large",
    BodyBroken: "body_incomplete",
    BodyLate: "body_late",
    LengthRequired: "malformed_json",
}
CHALLENGE: Final = (("www-authenticate", 'Bearer realm="Homing"'),)
CHALLENGE_INVALID: Final = (("www-authenticate", 'Bearer realm="Homing", error="invalid_token"'),)
KEY_CODES: Final[Mapping[KeyProblem, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "missing": ("key_missing", CHALLENGE),
    "unknown": ("key_invalid", CHALLENGE_INVALID),
    "wrong": ("key_invalid", CHALLENGE_INVALID),
    "address": ("address_not_allowed", ()),
    "locked": ("account_locked", ()),
}
"""The code, and the headers, of a key that opens nothing."""
OF_A_MESSAGE: Final = frozenset(("messages.create", "verifications.create", "verifications.resend"))
LOGGED_BEFORE: Final = frozenset(("no_message_accepted", "already_verified"))
"""Not logged as refused calls: each message of the first is, and the second is the story of its verification."""
ANY_IDS: Final = frozenset((f"{ROOT}apps/",))
"""Of what has IDs that its owner chose: with a slash, which comes as %2F and arrives as `/`."""
Handler = Callable[[V1Call], Awaitable[HttpResponse]]
Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]


class V1Endpoints:
    """Each call: authenticate it, read it, do the one thing, word the answer."""

    def __init__(self, services: Services) -> None:
        def clock() -> datetime:
            return datetime.fromtimestamp(services.steady_s(), UTC)

        database = services.database
        self._keys = CallKeys(services.directory, services.auth_guard, NUMBER)
        self._use = services.credential_use
        self._steady_s = services.steady_s
        self._budget = services.query_budget
        self._answered = AnsweredCalls(database, services.vault, clock)
        self._failures = FailureLog()
        sending = MessageSending(services.intake, services.addresses, clock)
        messages = MessageQueries(database=database, lookup=services.lookup, dialects=services.dialects, clock=clock)
        verifications = VerificationCalls(
            database=database,
            verifications=services.verifications,
            answered=self._answered,
            addresses=services.addresses,
            clock=clock,
        )
        account = AccountCalls(
            database=database,
            intake=services.intake,
            balances=services.balances,
            conversions=services.conversions,
            answered=self._answered,
            clock=clock,
        )
        apps = AppCalls(database=database, directory=services.directory, budget=services.query_budget)
        webhooks = WebhookCalls(
            database=database,
            vault=services.vault,
            http_client=services.http_client,
            wording=services.dialects.of(NUMBER),
            answered=self._answered,
            clock=clock,
        )
        events = EventCalls(database, clock)
        self._handlers: Mapping[str, Handler] = {
            "messages.create": sending.send,
            "messages.list": messages.list,
            "messages.show": messages.show,
            "messages.cancel": messages.cancel,
            "verifications.create": verifications.create,
            "verifications.show": verifications.show,
            "verifications.check": verifications.check,
            "verifications.resend": verifications.resend,
            "verifications.cancel": verifications.cancel,
            "conversions.create": account.convert,
            "balance": account.balance,
            "statement": account.statement,
            "inbound": account.inbound,
            "lookups.show": account.look_up,
            "lookups.create": account.look_up_body,
            "apps.list": apps.list,
            "apps.show": apps.show,
            "apps.change": apps.change,
            "webhooks.create": webhooks.create,
            "webhooks.list": webhooks.list,
            "webhooks.show": webhooks.show,
            "webhooks.change": webhooks.change,
            "webhooks.remove": webhooks.remove,
            "webhooks.rotate": webhooks.rotate,
            "webhooks.test": webhooks.test,
            "webhooks.replay": webhooks.replay,
            "webhooks.deliveries": webhooks.deliveries,
            "events.list": events.list,
            "events.show": events.show,
        }

    def by_path(self) -> Mapping[str, HttpEndpoint]:
        """Paths with a variable part are served by their beginnings; what is none of this API's has its last."""
        description = openapi_document()

        async def describe(_request: HttpRequest) -> HttpResponse:
            return HttpResponse(description)

        async def no_such_path(request: HttpRequest) -> HttpResponse:
            return _stray(request, V1Refusal("not_found"))

        endpoints = {
            "/v1/openapi.json": HttpEndpoint("v1.openapi", METHODS, _get_alone(describe)),
            **{
                path: HttpEndpoint("v1.docs", METHODS, _get_alone(answer))
                for path, answer in ApiViewer().by_path().items()
            },
            TYPES: HttpEndpoint("v1.errors", METHODS, _get_alone(_explain)),
        }
        for path in dict.fromkeys(operation.path for operation in OPERATIONS):
            beginning, variable, _rest = path.partition("{")
            if not variable:
                own: dict[str, Operation] = {each.method: each for each in OPERATIONS if each.path == path}
                endpoints[path] = HttpEndpoint(f"v1.{path[len(ROOT) :]}", METHODS, self._exact(own))
            elif beginning not in endpoints:
                endpoints[beginning] = HttpEndpoint(
                    f"v1.{beginning[len(ROOT) : -1]}.one", METHODS, self._variable(beginning)
                )
        return {**endpoints, ROOT: HttpEndpoint("v1.none", METHODS, no_such_path)}

    def _exact(self, by_method: Mapping[str, Operation]) -> Answer:
        async def answer(request: HttpRequest) -> HttpResponse:
            return await self._answer(request, by_method, "")

        return answer

    def _variable(self, beginning: str) -> Answer:
        by_action: dict[str, dict[str, Operation]] = {}
        for each in OPERATIONS:
            if each.path.startswith(beginning) and each.path != beginning.rstrip("/"):
                action = each.path[len(beginning) :].partition("/")[2]
                by_action.setdefault(action, {})[each.method] = each

        async def answer(request: HttpRequest) -> HttpResponse:
            rest = request.path[len(beginning) :]
            target, _slash, action = (rest, "", "") if beginning in ANY_IDS else rest.partition("/")
            if not target or action not in by_action:
                return _stray(request, V1Refusal("not_found"))
            return await self._answer(request, by_action[action], target)

        return answer

    async def _answer(self, request: HttpRequest, by_method: Mapping[str, Operation], target: str) -> HttpResponse:
        """Every outcome in this API's words."""
        operation = by_method.get(request.method)
        if operation is None:
            return _not_allowed(request, by_method)
        headers: tuple[tuple[str, str], ...] = ()
        call: V1Call | None = None
        try:
            credential = await bearer_credential(self._keys, request)
            if credential.scopes is not None and operation.scope not in credential.scopes:
                raise ScopeMissing("scope_missing", operation.scope)
            self._use.note(credential.credential_id, self._steady_s())
            if operation.is_query:
                headers = self._spend(credential.profile)
            call = await self._read(request, operation, credential, target)
            response = await self._handlers[operation.name](call)
        except EarlierAnswer as earlier:
            assert call is not None
            try:
                response = replayed(call, earlier)
            except errors.Refusal as refusal:
                response = _refuse(request, operation, refusal)
        except KeyRefused as refused:
            code, challenge = KEY_CODES[refused.problem]
            return _refuse(request, operation, refused, (), V1Refusal(code, headers=challenge))
        except errors.Refusal as refusal:
            return await self._refused(request, operation, call, refusal, headers)
        except BodyFailure as failure:
            return _refuse(request, operation, V1Refusal(BODY_CODES.get(type(failure), "body_incomplete")))
        except Exception as error:
            self._failures.tell(request.request_id, f"v1.{operation.name}", error)
            known = error if isinstance(error, errors.PlatformFailure) else errors.HomingError()
            return _refuse(request, operation, known, headers)
        response.headers = (*response.headers, *headers)
        return response

    async def _refused(
        self,
        request: HttpRequest,
        operation: Operation,
        call: V1Call | None,
        refusal: errors.Refusal,
        headers: tuple[tuple[str, str], ...],
    ) -> HttpResponse:
        """A call that is repeated gets its first answer, even if it would be refused by now."""
        if isinstance(refusal, errors.QueryTooFrequent):
            headers = (("ratelimit", '"queries";r=0;t=1'),)
        if call is not None and call.key is not None:
            try:
                if (earlier := await self._answered.find(call)) is not None:
                    return earlier
            except errors.Refusal as reused:
                refusal = reused
            except errors.PlatformFailure as failure:
                self._failures.tell(request.request_id, f"v1.{operation.name}", failure)
        return _refuse(request, operation, refusal, headers)

    async def _read(self, request: HttpRequest, operation: Operation, credential: Credential, target: str) -> V1Call:
        call = V1Call(request=request, account=credential.profile, api_key=credential.key, target=target)
        if operation.method == "GET":
            return call
        kind = request.headers.get("content-type")
        if kind is not None and not _is_json(kind):
            raise V1Refusal("unsupported_media_type")
        call.key = idempotency_key(request)
        try:
            await request.read(limits.HTTP_BODY_BYTES_MAX)
        except LengthRequired:
            if operation.is_body_needed:
                raise
        return call

    def _spend(self, account: Profile) -> tuple[tuple[str, str], ...]:
        """Counts a query. Gives the headers that say what is left (draft-ietf-httpapi-ratelimit-headers-10). Raises
        `QueryTooFrequent`.
        """
        rate_per_s = account.queries_per_s
        burst = rate_per_s * QUERIES_BURST_FACTOR
        bucket = self._budget.take(account.account_id, "v1", rate_per_s, burst)
        left = bucket.left()
        refill_s = max(1, math.ceil((burst - left) / rate_per_s)) if rate_per_s else 1
        return (
            ("ratelimit-policy", f'"queries";q={burst};w={QUERIES_BURST_FACTOR}'),
            ("ratelimit", f'"queries";r={left};t={refill_s}'),
        )


def _refuse(
    request: HttpRequest,
    operation: Operation,
    error: errors.HomingError,
    headers: tuple[tuple[str, str], ...] = (),
    worded: errors.HomingError | None = None,
) -> HttpResponse:
    """`worded`: what is answered in the error's place."""
    answered = worded or error
    if code_of(answered) not in LOGGED_BEFORE:
        request.refuse(error, shown_code(answered), messages=int(operation.name in OF_A_MESSAGE))
    return response_of(answered, headers)


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def _not_allowed(request: HttpRequest, allowed: Mapping[str, object]) -> HttpResponse:
    headers = (("allow", ", ".join(sorted(allowed))),)
    return _stray(request, V1Refusal("method_not_allowed", headers=headers))


def _stray(request: HttpRequest, refusal: V1Refusal) -> HttpResponse:
    """A path, or a method of it, that this API does not have."""
    request.stray_code = shown_code(refusal)
    return response_of(refusal)


def _get_alone(handler: Answer) -> Answer:
    async def answer(request: HttpRequest) -> HttpResponse:
        return await handler(request) if request.method == "GET" else _not_allowed(request, {"GET": None})

    return answer


async def _explain(request: HttpRequest) -> HttpResponse:
    """The page that a problem's `type` names."""
    problem = PROBLEMS.get(request.path[len(TYPES) :])
    if problem is None:
        return response_of(V1Refusal("not_found"))
    text = f"{problem.code} ({problem.status})\n\n{problem.title}.\n\n{problem.cause}\n\n{problem.cure}\n"
    return HttpResponse(text.encode(), content_type=PLAIN)
