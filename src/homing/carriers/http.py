"""Any other vendor with an HTTP API as a carrier: its requests, answers and pushes are told in settings, not in code.

See docs/operate/http-carriers.md. One message a call. Receipts are pushed to /carriers/NAME/TOKEN/report, what people
send to .../inbound, with GET or POST, as a query, a form or JSON.
"""

import base64
import contextlib
import random
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from homing import limits
from homing.carriers.api import ApiCarrier, ApiSettings, CallShape
from homing.carriers.base import CarrierReport, Clock, MalformedReport, WebhookRequest, WebhookResult
from homing.carriers.http_reading import (
    WHOLE,
    InboundForm,
    PushAcknowledgement,
    ReceiptForm,
    ReceivedDocument,
    SendAnswerRules,
    ValuePath,
    known_charset,
    parameter_of,
    walk,
)
from homing.carriers.http_template import (
    JsonTemplate,
    TextTemplate,
    Values,
    escape_for,
    in_header,
    in_url,
    names_in,
    values_of,
)
from homing.carriers.secret_mark import SECRET
from homing.common.urls import in_request_line
from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outcome
from homing_clients.call import ClientRequest, parse_base
from homing_clients.errors import TooLarge
from homing_clients.reading import Unreadable, body_of, failure_of

SECRET_HOLE: Final = "{secret."  # noqa: S105 - what a secret's placeholder begins with
AUTHENTICATING: Final = frozenset(("authorization", "proxy-authorization", "x-api-key", "api-key"))
FORM: Final = "application/x-www-form-urlencoded"
OUTCOMES: Final = {outcome.name.lower(): outcome for outcome in Outcome}

Pairs = dict[str, str]


class HttpCarrierSettings(ApiSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a vendor wants and says. All but `secrets` may hold {placeholders} (`http_template`).

    `form`, `json` or `raw` is the body; `raw_type` its type, which also tells how its values are escaped. `basic` is
    user and password, `bearer` a token. `words` puts the vendor's words in place of ours, for instance
    {"encoding": {"UCS2": "unicode"}}. `push_charset`: what pushes are written in that do not say it themselves.
    """

    url: str
    method: Literal["GET", "POST", "PUT"] = "POST"
    query: Pairs = msgspec.field(default_factory=dict)
    headers: Pairs = msgspec.field(default_factory=dict)
    form: Pairs | None = None
    json: dict[str, Any] | list[Any] | None = None
    raw: str | None = None
    raw_type: str = "text/plain; charset=utf-8"
    basic: tuple[str, str] | None = None
    bearer: str | None = None
    secrets: Annotated[Pairs, SECRET] = msgspec.field(default_factory=dict)
    words: dict[str, Pairs] = msgspec.field(default_factory=dict)
    reply: SendAnswerRules
    receipt: ReceiptForm | None = None
    inbound: InboundForm | None = None
    push_charset: str = ""

    @property
    def carries_flash(self) -> bool:
        """Whether the vendor is told of it anywhere."""
        request = [self.url, self.query, self.headers, self.form, self.json, self.raw]
        return "flash" in names_in(request)

    def __post_init__(self) -> None:
        """Raises ValueError for what could only fail once a message is there."""
        if sum(body is not None for body in (self.form, self.json, self.raw)) > 1:
            raise ValueError("a request has one body: form, json or raw")
        if self.method == "GET" and (self.form, self.json, self.raw) != (None, None, None):
            raise ValueError("a GET has no body")
        if self.push_charset and not known_charset(self.push_charset):
            raise ValueError(f"there is no charset {self.push_charset}")
        HttpTemplate(self)


def open_secret(settings: HttpCarrierSettings) -> str | None:
    """The setting that authenticates and holds its secret as it stands, where `secrets` is the place for it; None: none
    does.
    """
    if settings.basic is not None and SECRET_HOLE not in settings.basic[1]:
        return "basic"
    if settings.bearer is not None and SECRET_HOLE not in settings.bearer:
        return "bearer"
    for name, value in settings.headers.items():
        if name.lower() in AUTHENTICATING and SECRET_HOLE not in value:
            return f"the header {name}"
    return None


class HttpTemplate:
    """Writes the requests that the settings describe."""

    def __init__(self, settings: HttpCarrierSettings) -> None:
        """Raises ValueError."""

        def texts(pairs: Pairs | None) -> dict[str, TextTemplate]:
            return {name: self._text(value) for name, value in (pairs or {}).items()}

        self._secrets = settings.secrets
        parts = urlsplit(settings.url)
        if "{" in parts.netloc or parts.fragment:
            raise ValueError("a URL names its host as it is, and has no fragment")
        self.base = parse_base(f"{parts.scheme}://{parts.netloc}")
        self._method = settings.method
        self._path = self._text(parts.path or "/")
        self._query_written = self._text(parts.query)
        self._query = texts(settings.query)
        self._headers = texts(settings.headers)
        self._form = texts(settings.form)
        self._json = None if settings.json is None else JsonTemplate(settings.json, settings.secrets)
        self._raw = None if settings.raw is None else self._text(settings.raw)
        self._type = _type(settings)
        self._basic = None if settings.basic is None else tuple(map(self._text, settings.basic))
        self._bearer = None if settings.bearer is None else self._text(settings.bearer)

    def render(self, values: Values) -> ClientRequest:
        query = "&".join(filter(None, (self._query_written.fill(values, in_url), _encoded(self._query, values))))
        query = in_request_line(query)
        target = in_request_line(self._path.fill(values, in_url))
        return ClientRequest(
            self._method, f"{target}?{query}" if query else target, self._all_headers(values), self._body(values)
        )

    def _text(self, template: str) -> TextTemplate:
        return TextTemplate(template, self._secrets)

    def _all_headers(self, values: Values) -> dict[str, str]:
        headers = {"User-Agent": "Homing"}
        if self._type:
            headers["Content-Type"] = self._type
        if self._basic:
            user_and_password = ":".join(text.fill(values) for text in self._basic)
            headers["Authorization"] = f"Basic {base64.b64encode(user_and_password.encode()).decode()}"
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer.fill(values, in_header)}"
        return {**headers, **{name: text.fill(values, in_header) for name, text in self._headers.items()}}

    def _body(self, values: Values) -> bytes | None:
        if self._json is not None:
            return self._json.fill(values)
        if self._raw is not None:
            return self._raw.fill(values, escape_for(self._type.lower())).encode()
        return _encoded(self._form, values).encode() if self._form else None


class HttpApi:
    """Sends, and reads what is answered."""

    def __init__(self, settings: HttpCarrierSettings, clock: Clock) -> None:
        from homing_clients.aiohttp_transport import AsyncTransport  # slow to import: settings are read without it

        self._template = HttpTemplate(settings)
        self._reply = settings.reply
        self._words = settings.words
        self._timeout_s = settings.timeout_s
        self._clock = clock
        self._transport = AsyncTransport(self._template.base, settings.call_terms())

    async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
        (message,) = messages
        try:
            request = self._template.render(values_of(message, self._words, self._clock()))
        except ValueError as error:  # {sender:int}, and the sender is a name
            return [Answer(Outcome.REFUSED, None, "template", str(error))]
        reply = await self._transport.exchange(request, self._timeout_s)
        try:
            document = ReceivedDocument(body_of(reply))
        except (Unreadable, TooLarge) as error:
            return [Answer(Outcome.UNKNOWN, None, f"HTTP {reply.status}", str(error))]
        rule = next((rule for rule in self._reply.rules if rule.holds(reply.status, document)), None)
        if rule is None and reply.status >= 300:
            raise failure_of(reply)
        outcome = Outcome.UNKNOWN if rule is None else OUTCOMES[rule.outcome]
        if outcome is Outcome.ACCEPTED:
            return [Answer(outcome, _value_of(self._reply.ref, document))]
        error_text = _value_of(self._reply.error_text, document) or (
            "an answer that no rule knows" if rule is None else None
        )
        return [Answer(outcome, None, _value_of(self._reply.error_code, document), error_text)]

    async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        """Such vendors push; they are not asked."""
        return []

    async def close(self) -> None:
        await self._transport.close()


def make(settings: HttpCarrierSettings, rng: random.Random, clock: Clock) -> ApiCarrier:
    return ApiCarrier(api=HttpApi(settings, clock), settings=settings, manner=CallShape(), rng=rng, clock=clock)


class FormMismatch(MalformedReport):
    """A push that has nothing of what its address is for."""


NOT_DESCRIBED: Final = "no such pushes are described in this carrier's settings"


class HttpWebhookParser:
    """Reads what the vendor pushes."""

    def __init__(self, settings: HttpCarrierSettings, clock: Clock) -> None:
        self._receipt = settings.receipt
        self._inbound = settings.inbound
        self._charset = known_charset(settings.push_charset)
        self._clock = clock

    def read(self, pushed: WebhookRequest) -> WebhookResult:
        """What has nothing of what its address is for is read as of the other one: some vendors have one for both."""
        ways = {"report": self._read_reports, "inbound": self._read_replies}
        if pushed.path not in ways:
            raise FormMismatch(NOT_DESCRIBED)
        document = self._document(pushed)
        try:
            return ways.pop(pushed.path)(document)
        except FormMismatch as error:
            (other,) = ways.values()
            try:
                return other(document)
            except MalformedReport:
                raise error from None

    def _document(self, pushed: WebhookRequest) -> ReceivedDocument:
        if pushed.method != "POST" or not pushed.body.strip():
            charset = known_charset(parameter_of(pushed.content_type, "charset")) or self._charset
            return ReceivedDocument(pushed.query, charset)
        is_multipart = pushed.content_type.lower().lstrip().startswith("multipart/form-data")
        boundary = parameter_of(pushed.content_type, "boundary") if is_multipart else ""
        charset = known_charset(parameter_of(pushed.content_type, "charset")) or self._charset
        return ReceivedDocument(pushed.body, charset, boundary.encode("latin-1", "replace"))

    def _read_reports(self, document: ReceivedDocument) -> WebhookResult:
        form = self._receipt
        if form is None:
            raise FormMismatch(NOT_DESCRIBED)
        other = self._inbound if form.each else None
        return _result([self._read_receipt(form, member, other) for member in _each(form.each, document)], form.answer)

    def _read_replies(self, document: ReceivedDocument) -> WebhookResult:
        form = self._inbound
        if form is None:
            raise FormMismatch(NOT_DESCRIBED)
        other = self._receipt if form.each else None
        return _result([self._read_inbound(form, member, other) for member in _each(form.each, document)], form.answer)

    def _read_receipt(
        self, form: ReceiptForm, document: ReceivedDocument, other: InboundForm | None = None
    ) -> CarrierReport:
        """`other`: what it may be too, one of a list of both."""
        ref, word = form.ref.find(document), form.state.find(document)
        if not ref or word is None:
            if other is not None:
                with contextlib.suppress(FormMismatch):
                    return self._read_inbound(other, document)
            raise FormMismatch("no reference, or no state")
        state = form.state_of(word)
        if state is None:
            raise MalformedReport("a state that the settings do not know")
        return CarrierReceipt(
            ref,
            state,
            (form.time.find(document) if form.time else None) or self._clock(),
            _value_of(form.error_code, document),
            document.text,
            _value_of(form.number, document),
        )

    def _read_inbound(
        self, form: InboundForm, document: ReceivedDocument, other: ReceiptForm | None = None
    ) -> CarrierReport:
        number, recipient, text = (pick.find(document) for pick in (form.number, form.recipient, form.text))
        if not number or recipient is None or text is None:
            if other is not None:
                with contextlib.suppress(FormMismatch):
                    return self._read_receipt(other, document)
            raise FormMismatch("no number, recipient or text")
        at = (form.time.find(document) if form.time else None) or self._clock()
        return CarrierInbound(number, recipient, text, at, _value_of(form.ref, document) or "")


def _type(settings: HttpCarrierSettings) -> str:
    if settings.json is not None:
        return "application/json"
    if settings.raw is not None:
        return settings.raw_type
    return FORM if settings.form is not None else ""


def _encoded(pairs: dict[str, TextTemplate], values: Values) -> str:
    return "&".join(f"{in_url(name)}={in_url(text.fill(values))}" for name, text in pairs.items())


def _value_of(pick: ValuePath | None, document: ReceivedDocument) -> str | None:
    return None if pick is None else pick.find(document) or None


def _each(path: str, whole: ReceivedDocument) -> list[ReceivedDocument]:
    """The documents that a push holds: itself, or the members of its list."""
    if not path:
        return [whole]
    members = whole.members if path == WHOLE else walk(whole.members, path)
    if isinstance(members, dict):  # one, which some vendors push without its list
        return [whole] if path == WHOLE else [ReceivedDocument(msgspec.json.encode(members))]
    if not isinstance(members, list):
        raise FormMismatch(f"no list at {path}")
    if len(members) > limits.RECEIPTS_BATCH_MAX:
        raise MalformedReport(f"too long a list at {path}")
    return [ReceivedDocument(msgspec.json.encode(member)) for member in members]


def _result(reports: Sequence[CarrierReport], acknowledgement: PushAcknowledgement) -> WebhookResult:
    return WebhookResult(
        tuple(reports), acknowledgement.status, acknowledgement.content_type, acknowledgement.body.encode()
    )
