"""The calls there are: paths, methods, scopes, bodies and answers, as one table. Endpoints and the OpenAPI description
are made from it.
"""

from typing import Any, Final, Literal

import msgspec

from homing.admin.webhooks import EVENT_TYPES
from homing.dialects.v1 import bodies, bounds, events, replies, scopes, words

Method = Literal["GET", "POST", "PATCH", "DELETE"]


class QueryParameter(msgspec.Struct, frozen=True):
    """A parameter of a query; `schema`: as JSON Schema."""

    name: str
    description: str
    schema: dict[str, Any]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A call. `path`: with `{id}`, `{app}` or `{number}` where it has a variable part. `statuses`: of success, and of
    refusals that not every call has. An answer without `replies` has no body. `is_costly`: a change that counts as a
    query.
    """

    name: str
    method: Method
    path: str
    scope: str
    summary: str
    bodies: tuple[type[msgspec.Struct], ...] = ()
    is_body_needed: bool = True
    replies: tuple[type[msgspec.Struct], ...]
    status: int = 200
    other_success: int | None = None
    problems: tuple[int, ...] = ()
    parameters: tuple[QueryParameter, ...] = ()
    is_costly: bool = False

    @property
    def is_query(self) -> bool:
        """Whether it counts against the account's rate of queries."""
        return self.method == "GET" or self.scope == scopes.LOOKUPS_READ or self.is_costly


TEXT: Final[dict[str, Any]] = {"type": "string"}
TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
LIMIT: Final = QueryParameter(
    "limit",
    "How many to answer at most.",
    {"type": "integer", "minimum": 1, "maximum": bounds.PAGE_ROWS_MAX, "default": bounds.PAGE_ROWS_DEFAULT},
)
CURSOR: Final = QueryParameter("cursor", "`next_cursor` of the page before.", {"type": "string", "pattern": "^[0-9]+$"})
SINCE: Final = QueryParameter("since", "From this time on (RFC 3339).", TIME)

OPERATIONS: Final = (
    Operation(
        name="messages.create",
        method="POST",
        path="/v1/messages",
        scope=scopes.MESSAGES_WRITE,
        summary="Send a message, or many",
        bodies=(
            bodies.MessageBody,
            bodies.MessagesBody,
        ),
        replies=(
            replies.MessageView,
            replies.MessageQuote,
            replies.MessageResults,
        ),
        status=201,
        other_success=200,
        problems=(402, 409, 429),
    ),
    Operation(
        name="messages.list",
        method="GET",
        path="/v1/messages",
        scope=scopes.MESSAGES_READ,
        summary="List messages, the latest first",
        replies=(replies.MessagePage,),
        parameters=(
            QueryParameter("to", "To this number.", TEXT),
            QueryParameter("reference", "With this reference of yours.", TEXT),
            QueryParameter(
                "status", "In this status.", {"type": "string", "enum": [*words.STATUSES.values(), words.CANCELLED]}
            ),
            SINCE,
            QueryParameter("until", "Before this time (RFC 3339).", TIME),
            LIMIT,
            CURSOR,
        ),
    ),
    Operation(
        name="messages.show",
        method="GET",
        path="/v1/messages/{id}",
        scope=scopes.MESSAGES_READ,
        summary="A message",
        replies=(replies.MessageView,),
        problems=(404,),
    ),
    Operation(
        name="messages.cancel",
        method="POST",
        path="/v1/messages/{id}/cancel",
        scope=scopes.MESSAGES_WRITE,
        summary="Cancel a message that still waits",
        bodies=(bodies.NoBody,),
        is_body_needed=False,
        replies=(replies.MessageView,),
        problems=(404, 409),
    ),
    Operation(
        name="verifications.create",
        method="POST",
        path="/v1/verifications",
        scope=scopes.VERIFICATIONS_WRITE,
        summary="Send a code",
        bodies=(bodies.VerificationBody,),
        replies=(replies.VerificationView,),
        status=201,
        problems=(402, 409, 429),
    ),
    Operation(
        name="verifications.show",
        method="GET",
        path="/v1/verifications/{id}",
        scope=scopes.VERIFICATIONS_READ,
        summary="A verification, with the messages that carried its code",
        replies=(replies.VerificationView,),
        problems=(404,),
    ),
    Operation(
        name="verifications.check",
        method="POST",
        path="/v1/verifications/{id}/check",
        scope=scopes.VERIFICATIONS_WRITE,
        summary="Check the code that a person entered",
        bodies=(bodies.CheckBody,),
        replies=(replies.VerificationView,),
        problems=(404, 409),
    ),
    Operation(
        name="verifications.resend",
        method="POST",
        path="/v1/verifications/{id}/resend",
        scope=scopes.VERIFICATIONS_WRITE,
        summary="Send the same code again, by another carrier where there is one",
        bodies=(bodies.NoBody,),
        is_body_needed=False,
        replies=(replies.VerificationView,),
        problems=(402, 404, 409, 429),
    ),
    Operation(
        name="verifications.cancel",
        method="POST",
        path="/v1/verifications/{id}/cancel",
        scope=scopes.VERIFICATIONS_WRITE,
        summary="End a verification: its code is no longer right",
        bodies=(bodies.NoBody,),
        is_body_needed=False,
        replies=(replies.VerificationView,),
        problems=(404, 409),
    ),
    Operation(
        name="conversions.create",
        method="POST",
        path="/v1/conversions",
        scope=scopes.CONVERSIONS_WRITE,
        summary="Report that a person used a message",
        bodies=(bodies.ConversionBody,),
        replies=(replies.ConversionView,),
        status=201,
        other_success=200,
        problems=(404, 409),
    ),
    Operation(
        name="balance",
        method="GET",
        path="/v1/balance",
        scope=scopes.ACCOUNT_READ,
        summary="The account's money",
        replies=(replies.BalanceView,),
    ),
    Operation(
        name="statement",
        method="GET",
        path="/v1/statement",
        scope=scopes.ACCOUNT_READ,
        summary="Postings, the latest first",
        replies=(replies.StatementPage,),
        parameters=(LIMIT, CURSOR),
    ),
    Operation(
        name="inbound",
        method="GET",
        path="/v1/inbound",
        scope=scopes.INBOUND_READ,
        summary="What people sent, the latest first",
        replies=(replies.InboundList,),
        parameters=(SINCE, LIMIT, CURSOR),
    ),
    Operation(
        name="lookups.show",
        method="GET",
        path="/v1/lookups/{number}",
        scope=scopes.LOOKUPS_READ,
        summary="What is known of a number, and what a message to it costs",
        replies=(replies.LookupView,),
    ),
    Operation(
        name="lookups.create",
        method="POST",
        path="/v1/lookups",
        scope=scopes.LOOKUPS_READ,
        summary="The same, with the number in the body: it stays out of logs of addresses",
        bodies=(bodies.LookupBody,),
        replies=(replies.LookupView,),
    ),
    Operation(
        name="apps.list",
        method="GET",
        path="/v1/apps",
        scope=scopes.APPS_READ,
        summary="List the account's apps",
        replies=(replies.AppList,),
    ),
    Operation(
        name="apps.show",
        method="GET",
        path="/v1/apps/{app}",
        scope=scopes.APPS_READ,
        summary="An app, with what it has set for verification codes",
        replies=(replies.AppView,),
        problems=(404,),
    ),
    Operation(
        name="apps.change",
        method="PATCH",
        path="/v1/apps/{app}",
        scope=scopes.APPS_WRITE,
        summary="Change what an app has set for verification codes",
        bodies=(bodies.AppChangeBody,),
        replies=(replies.AppView,),
        problems=(404, 429),
        is_costly=True,
    ),
    Operation(
        name="webhooks.create",
        method="POST",
        path="/v1/webhooks",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Register an endpoint that events are pushed to",
        bodies=(bodies.WebhookBody,),
        replies=(replies.WebhookView,),
        status=201,
        problems=(409,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.list",
        method="GET",
        path="/v1/webhooks",
        scope=scopes.WEBHOOKS_READ,
        summary="List the account's endpoints",
        replies=(replies.WebhookList,),
    ),
    Operation(
        name="webhooks.show",
        method="GET",
        path="/v1/webhooks/{id}",
        scope=scopes.WEBHOOKS_READ,
        summary="An endpoint",
        replies=(replies.WebhookView,),
        problems=(404,),
    ),
    Operation(
        name="webhooks.change",
        method="PATCH",
        path="/v1/webhooks/{id}",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Change an endpoint, or enable it again",
        bodies=(bodies.WebhookChangeBody,),
        replies=(replies.WebhookView,),
        problems=(404,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.remove",
        method="DELETE",
        path="/v1/webhooks/{id}",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Remove an endpoint",
        is_body_needed=False,
        replies=(),
        status=204,
        problems=(404,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.rotate",
        method="POST",
        path="/v1/webhooks/{id}/rotate",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Replace an endpoint's signing secret",
        bodies=(bodies.RotationBody,),
        is_body_needed=False,
        replies=(replies.SecretView,),
        problems=(404,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.test",
        method="POST",
        path="/v1/webhooks/{id}/test",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Push a test event now, and say what the endpoint answered",
        bodies=(bodies.WebhookTestBody,),
        is_body_needed=False,
        replies=(replies.TestResultView,),
        problems=(404,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.replay",
        method="POST",
        path="/v1/webhooks/{id}/replay",
        scope=scopes.WEBHOOKS_WRITE,
        summary="Push the events of a time span, or one event, again",
        bodies=(bodies.ReplayBody,),
        replies=(replies.ReplayView,),
        problems=(404,),
        is_costly=True,
    ),
    Operation(
        name="webhooks.deliveries",
        method="GET",
        path="/v1/webhooks/{id}/deliveries",
        scope=scopes.WEBHOOKS_READ,
        summary="What was pushed to an endpoint, and what it answered, the latest first",
        replies=(replies.DeliveryPage,),
        parameters=(
            QueryParameter(
                "status", "In this status.", {"type": "string", "enum": list(words.DELIVERY_WORDS.values())}
            ),
            LIMIT,
            CURSOR,
        ),
        problems=(404,),
    ),
    Operation(
        name="events.list",
        method="GET",
        path="/v1/events",
        scope=scopes.EVENTS_READ,
        summary="List events, the latest first",
        replies=(events.EventPage,),
        parameters=(
            QueryParameter("type", "Of this type.", {"type": "string", "enum": list(EVENT_TYPES)}),
            QueryParameter("message_id", "Of this message.", TEXT),
            QueryParameter("verification_id", "Of this verification.", TEXT),
            SINCE,
            QueryParameter("until", "Before this time (RFC 3339).", TIME),
            QueryParameter(
                "order",
                "`asc`: the earliest first. Each page with events then has a `next_cursor`, to poll on with.",
                {"type": "string", "enum": ["desc", "asc"], "default": "desc"},
            ),
            LIMIT,
            CURSOR,
        ),
    ),
    Operation(
        name="events.show",
        method="GET",
        path="/v1/events/{id}",
        scope=scopes.EVENTS_READ,
        summary="An event",
        replies=events.EVENT_KINDS,
        problems=(404,),
    ),
)
