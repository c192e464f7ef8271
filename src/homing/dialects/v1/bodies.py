"""The bodies of calls. They decode requests, and the OpenAPI description is made from them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from homing import limits
from homing.admin.code_settings import EXPIRY_S, LIMIT_MAX, LIMIT_PERIOD_MAX, RESEND_MESSAGES_MAX
from homing.admin.signing_secrets import OVERLAP_DEFAULT, OVERLAP_MAX
from homing.admin.webhooks import DESCRIPTION_CHARS_MAX
from homing.dialects.v1 import bounds
from homing.dialects.v1.words import EventTypeWord, TestableTypeWord
from homing.guard.end_users import ADDRESS_CHARS_MAX
from homing.model import CURRENCY
from homing.verification.codes import CODE_CHARS_MAX

ToNumber = Annotated[
    str,
    Meta(
        max_length=bounds.TO_CHARS_MAX,
        description="A phone number with its country code.",
        examples=["+8613800130001"],
    ),
]
MessageText = Annotated[
    str, Meta(max_length=bounds.TEXT_CHARS_MAX, description="The text.", examples=["Your table is ready"])
]
SenderName = Annotated[
    str,
    Meta(max_length=limits.SENDER_CHARS_MAX, description="A registered sender ID; left out: the account's default."),
]
ReferenceText = Annotated[
    str, Meta(max_length=bounds.REFERENCE_CHARS_MAX, description="Your own reference; need not be unique.")
]
AppId = Annotated[str, Meta(max_length=64, description="An app of the account; left out: its first.")]
SendTime = Annotated[
    datetime, Meta(tz=True, description="When it leaves (RFC 3339); within 5 days. Left out: at once.")
]
DryRun = Annotated[bool, Meta(description="Only say what it would cost: nothing is sent, charged or stored.")]
DigitsId = Annotated[str, Meta(pattern="^[0-9]{1,16}$", description="An id: digits.")]


class EndUser(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The person who requested the message: evidence against SMS pumping. Kept as keyed hashes, for a day."""

    ip: Annotated[
        str,
        Meta(
            max_length=ADDRESS_CHARS_MAX,
            description="The address that the person's request came from, IPv4 or IPv6; not your proxy's.",
            examples=["203.0.113.7"],
        ),
    ]


class MessageBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A message to one number."""

    to: ToNumber
    text: MessageText
    sender: SenderName | UnsetType = field(name="from", default=UNSET)
    reference: ReferenceText | UnsetType = UNSET
    app: AppId | UnsetType = UNSET
    send_at: SendTime | UnsetType = UNSET
    end_user: EndUser | UnsetType = UNSET
    dry_run: DryRun = False


class MessageItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One of many messages."""

    to: ToNumber
    text: MessageText
    sender: SenderName | UnsetType = field(name="from", default=UNSET)
    reference: ReferenceText | UnsetType = UNSET


class MessagesBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Many messages in one call. They are charged together and leave together."""

    messages: Annotated[list[MessageItem], Meta(min_length=1, max_length=bounds.MESSAGES_MAX)]
    app: AppId | UnsetType = UNSET
    send_at: SendTime | UnsetType = UNSET
    dry_run: DryRun = False


class VerificationBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A code to one number. `template`: a template's name or id; `locale`: of the template."""

    to: ToNumber
    template: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=35, description="A language tag (BCP 47).", examples=["zh-Hans"])] = ""
    code: (
        Annotated[
            str,
            Meta(
                pattern=f"^[0-9A-Za-z]{{{bounds.CODE_CHARS_MIN},{CODE_CHARS_MAX}}}$",
                description="Your own code; left out: Homing makes one.",
            ),
        ]
        | UnsetType
    ) = UNSET
    sender: SenderName | UnsetType = field(name="from", default=UNSET)
    reference: ReferenceText | UnsetType = UNSET
    app: AppId | UnsetType = UNSET
    end_user: EndUser | UnsetType = UNSET


class CheckBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the person entered. Blanks around it and letter case do not matter."""

    code: Annotated[str, Meta(max_length=64, examples=["123456"])]


class NoBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing: the body may be left out."""


class ConversionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A person used a message: either its id, or the number of the latest one."""

    message_id: DigitsId | UnsetType = UNSET
    to: ToNumber | UnsetType = UNSET
    app: AppId | UnsetType = UNSET
    converted_at: Annotated[datetime, Meta(tz=True, description="When (RFC 3339); left out: now.")] | UnsetType = UNSET


class LookupBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A number to look up."""

    number: ToNumber


class CodeLimitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At most `messages` within `period` units of time, counted from the first."""

    messages: Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
    period: Annotated[int, Meta(ge=1, le=LIMIT_PERIOD_MAX)] = 1
    unit: Literal["day", "hour", "minute", "second"]


class WorthBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An amount of money."""

    amount: Annotated[str, Meta(pattern=r"^[0-9]{1,7}(\.[0-9]{1,6})?$", examples=["0.50"])]
    currency: Literal["USD"] = CURRENCY


class AppChangeBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changes of an app; the rest stays. `total_limit`, `number_limit`: codes that it sends in all, and to one
    number; `none` for no limit of its own. `resend_messages`: how often a likely lost code goes out again by itself,
    when that is likely to gain more of `resend_worth`, what a converted person is worth, than the message costs.
    """

    code_expiry_s: Annotated[int, Meta(ge=EXPIRY_S[0], le=EXPIRY_S[1])] | UnsetType = UNSET
    total_limit: CodeLimitBody | Literal["none"] | UnsetType = UNSET
    number_limit: CodeLimitBody | Literal["none"] | UnsetType = UNSET
    resend_messages: Annotated[int, Meta(ge=0, le=RESEND_MESSAGES_MAX)] | UnsetType = UNSET
    resend_worth: WorthBody | UnsetType = UNSET


EndpointUrl = Annotated[
    str,
    Meta(
        max_length=limits.URL_CHARS_MAX,
        description="An http or https address that is reachable from the internet.",
        examples=["https://example.com/homing"],
    ),
]
ChosenTypes = Annotated[list[EventTypeWord], Meta(min_length=1, description="Which events it gets.")]
EndpointDescription = Annotated[str, Meta(max_length=DESCRIPTION_CHARS_MAX, description="For people.")]


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An endpoint. `types`: which events it gets; left out: all that there are now."""

    url: EndpointUrl
    types: ChosenTypes | UnsetType = UNSET
    description: EndpointDescription = ""
    enabled: bool = True


class WebhookChangeBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changes of an endpoint; the rest stays."""

    url: EndpointUrl | UnsetType = UNSET
    types: ChosenTypes | UnsetType = UNSET
    description: EndpointDescription | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotationBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`keep_hours`: for how long the previous secret signs as well; 0: it ends now."""

    keep_hours: Annotated[int, Meta(ge=0, le=int(OVERLAP_MAX.total_seconds()) // 3600)] = (
        int(OVERLAP_DEFAULT.total_seconds()) // 3600
    )


class WebhookTestBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`type`: which kind of event, with made-up data; left out: `webhook.test`."""

    type: TestableTypeWord = "webhook.test"


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Either the events of a time span, or one event. `types`: of the span; left out: those that the endpoint gets.
    `cursor`: `next_cursor` of the replay before, for a span with more events than one call takes.
    """

    since: Annotated[datetime, Meta(tz=True, description="From this time on (RFC 3339).")] | UnsetType = field(
        name="from", default=UNSET
    )
    until: Annotated[datetime, Meta(tz=True, description="Before this time (RFC 3339); left out: now.")] | UnsetType = (
        field(name="to", default=UNSET)
    )
    types: ChosenTypes | UnsetType = UNSET
    cursor: DigitsId | UnsetType = UNSET
    event_id: Annotated[str, Meta(pattern="^evt_[0-9]{1,16}$")] | UnsetType = UNSET
