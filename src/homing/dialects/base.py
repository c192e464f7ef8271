"""The contract of a dialect: who it is, what its credentials look like, what it calls states and refusals, and what it
pushes to customers. How its calls are served is the second half, `HttpDialect` (dialects/serving.py).

A dialect is one package that holds all of this and a line in `registry.py`. The rest of Homing knows dialects by their
numbers and asks here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from homing import errors, limits
from homing.dialects.error_codes import ErrorCodes
from homing.model import EventType, PushKind
from homing.states import MessageState

TEST_EVENT: Final = "webhook.test"
"""The type of an event that tells that nothing happened. Endpoints do not choose it."""
SECRET_CHARS_MIN: Final = 16  # 95 bits: against a recorded signature guesses cost no call


class CredentialFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential of a dialect consists of.

    `key_name`, `secret_name`: what the dialect's documents call the two; "" for a secret without a name of its own.
    `make_key`: a new key in the dialect's form; it need not be free yet. `secret_chars_min`: shorter ones can be
    guessed; one that Homing makes has as many. `key_chars_max`, `secret_chars_max`: what the protocol has room for.
    `is_email_a_key`: the account's e-mail address opens the account as well, with the newest secret. `may_bind`:
    over SMPP it serves as system_id and password too. `token`: the one text that key and secret are pasted as, with
    `{key}` and `{secret}` in their places; both then consist of ASCII letters and digits. "": they are given apart.
    `scopes`: what a credential can be restricted to.
    """

    key_name: str
    secret_name: str
    make_key: Callable[[], str]
    secret_chars_min: int = SECRET_CHARS_MIN
    key_chars_max: int = limits.KEY_CHARS_MAX
    secret_chars_max: int | None = None
    is_email_a_key: bool = False
    may_bind: bool = True
    token: str = ""
    scopes: tuple[str, ...] = ()

    def shown(self, key: str, secret: str) -> str:
        """The credential as it is pasted into a program; "" where key and secret are given apart."""
        return self.token.format(key=key, secret=secret)


class Quickstart(msgspec.Struct, frozen=True, kw_only=True):
    """The console's first message in this dialect.

    `path`: of the call, below the API's address. `package`: its folder `quickstart` has a program for each programming
    language of the console (console/snippets.py), in which `<url>`, `<key>`, `<secret>`, `<sender>`, `<app>`,
    `<number>`, `<text>` and `<body>` stand for values. `make_body`: `<body>`, from the other values by those names.
    `needs_sender`, `needs_app`: what an account must have before the call can succeed. `description_path`: of the page
    that describes the API, below the API's address; '' where it has none.
    """

    path: str
    package: str
    make_body: Callable[[Mapping[str, str]], str] = lambda _values: ""
    needs_sender: bool = False
    needs_app: bool = False
    description_path: str = ""


class DemoCredential(msgspec.Struct, frozen=True):
    """The credential of the demo's account, published and therefore no secret. `lines`: what a newcomer is shown to
    paste into a shell, given the API's address and the demo's app. `sender`: the sender ID of published samples.
    """

    key: str
    secret: str
    lines: Callable[[str, str], Sequence[str]]
    sender: str | None = None


class NewPush(msgspec.Struct, frozen=True, kw_only=True):
    """A push to be put into the outbox. `url` is "" for the account's SMPP binds. `is_only`: its message has no other
    push, so it may leave at once. `dialect`: 0 for what is no dialect's.
    """

    account_id: int
    message_id: int
    dialect: int
    kind: PushKind
    url: str
    body: str
    is_only: bool = False


class ChangedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has just come into `state`, as its reports need it.

    `submission_id`: the first id of its submission. `reference`: the customer's. `callback_url`: named with the
    message; `report_url`: of its app, for dialects with `has_app_reports` alone. `registered`: SMPP's
    registered_delivery. `beginning` and `parts` (JSON: of each part its id and registered_delivery) are read where that
    asks for receipts. `error_text`: why it failed, in English; '' where nothing is known. `at`: when the state was
    reached. `reason`: why it failed, encoded, where Homing itself decided it. Money in micro-units.
    """

    account_id: int
    message_id: int
    submission_id: int
    dialect: int
    app_id: str
    number: str
    raw_number: str | None
    sender: str
    mcc: str
    mnc: str
    segments: int
    reference: str | None
    callback_url: str | None
    report_url: str | None
    registered: int | None
    state: MessageState
    at: datetime
    carrier_ref: str | None
    error_code: str | None
    error_text: str
    price_micro: int
    charge_micro: int
    refund_micro: int
    beginning: str | None
    parts: str | None
    country: str
    sent_at: datetime | None
    final_at: datetime | None
    reason: str | None


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a person sent to an account: from `number` to `recipient`, one of its senders.

    `app_id` is the app that last wrote to the person, `inbound_url` where that app's inbound messages go. `is_bound`:
    the account has had an SMPP bind lately. `mcc`, `mnc`: "-1" where unknown.
    """

    account_id: int
    inbound_id: int
    app_id: str
    inbound_url: str | None
    is_bound: bool
    number: str
    recipient: str
    content: str
    received_at: datetime
    mcc: str
    mnc: str
    network: str | None


class EndedVerification(msgspec.Struct, frozen=True, kw_only=True):
    """A verification that has just ended: it was verified, or can be no more. `reference`: the customer's."""

    account_id: int
    verification_id: int
    type: EventType
    number: str
    reference: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class DisabledWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that nothing is pushed to any more, since it has only failed since `failing_since`."""

    webhook_id: int
    url: str
    failing_since: datetime


class LowBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Money that is less than what was spent in the last 24 hours (`day_micro`)."""

    available_micro: int
    day_micro: int


class UsedQuota(msgspec.Struct, frozen=True, kw_only=True):
    """A day's quota that is nearly or wholly used. `app_id`: "" for the account's. `used_share`: 1.0 for all."""

    app_id: str
    used_share: float
    messages_per_day: int | None
    messages_used: int
    money_per_day_micro: int | None
    money_used_micro: int


EventSubject = ChangedMessage | InboundMessage | EndedVerification | DisabledWebhook | LowBalance | UsedQuota


class Dialect(ABC):
    """A way in.

    `number` is stored with messages, credentials, conversions and pushes: never change one, never use one again.
    `name` is what commands, addresses, metrics and logs call it: lower-case ASCII; `title` is for people.

    `states`: the dialect's word or code for each state; None where it has none. `error_codes`: what it answers for each
    refusal and failure, one entry for each kind in `errors`.

    `credentials`: None where the keys of Homing's own API open its calls.

    `settings`: the shape of the settings under the heading `name`, None for a dialect without; their defaults and their
    explanations stand in `settings.toml` beside the dialect's module.

    `has_app_reports`: its reports go to the address of the message's app, and each call names an app. Of other dialects
    each message names its address itself, or nothing is pushed.

    `words_events`: it words the events of all dialects' messages; one dialect at most does.
    """

    number: ClassVar[int]
    name: ClassVar[str]
    title: ClassVar[str]
    credentials: ClassVar[CredentialFormat | None]
    states: ClassVar[Mapping[MessageState, str | None]]
    error_codes: ClassVar[ErrorCodes[object]]
    settings: ClassVar[type[msgspec.Struct] | None] = None
    quickstart: ClassVar[Quickstart | None] = None
    demo: ClassVar[DemoCredential | None] = None
    has_app_reports: ClassVar[bool] = False
    words_events: ClassVar[bool] = False

    @abstractmethod
    def reports(self, message: ChangedMessage) -> Iterable[NewPush]:
        """The pushes that a message's new state calls for: none where nobody asked, or where the dialect does not
        report that state. Called once for each change, within its transaction: pure, and it must not raise.
        """

    def inbound(self, message: InboundMessage) -> Iterable[NewPush]:
        """The pushes that an inbound message calls for. Every dialect is asked, whichever the person was written to by.
        Pure, and it must not raise.
        """
        return ()

    def event_data(self, subject: EventSubject) -> str:
        """What an event says of its subject, in JSON; asked of the dialect that `words_events`. Pure, and it must not
        raise.
        """
        raise NotImplementedError

    def sample_event(self, type: str, event_id: str, webhook_id: int, url: str, now: datetime) -> str:
        """A made-up event's body, to try an endpoint with; also of the type `TEST_EVENT`. Asked as `event_data`."""
        raise NotImplementedError

    def is_acknowledged(self, status: int) -> bool:
        """Whether an HTTP status in answer to a push ends it; else it is tried again."""
        return 200 <= status < 300

    def sample(self, kind: PushKind, app_id: str, now: datetime) -> str | None:
        """A made-up push's body, to try an app's address with; None for a kind that is not pushed to it."""
        return None

    def message_id_of(self, verification_id: str) -> int | None:
        """The message that a verification's ID in a form of this dialect's own belongs to; None: it is of no such form.
        IDs that are a message's need none.
        """
        return None


class Dialects:
    """The dialects of a process."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        """Raises ValueError where two share a number or a name."""
        self._dialects = tuple(dialects)
        self._by_number = {dialect.number: dialect for dialect in self._dialects}
        self._by_name = {dialect.name: dialect for dialect in self._dialects}
        if not len(self._by_number) == len(self._by_name) == len(self._dialects):
            raise ValueError("two dialects share a number or a name")

    def __iter__(self) -> Iterator[Dialect]:
        return iter(self._dialects)

    def of(self, number: int) -> Dialect:
        """Raises KeyError for a number of no dialect here."""
        return self._by_number[number]

    def named(self, name: str) -> Dialect:
        """Raises `InvalidInput` that lists those there are."""
        if name not in self._by_name:
            raise errors.InvalidInput(
                "there is no dialect {name}; there is: {names}", name=repr(name), names=", ".join(self._by_name)
            )
        return self._by_name[name]

    def name_of(self, number: int) -> str:
        """A number that no dialect here has is given as it is: a row may outlive its dialect."""
        dialect = self._by_number.get(number)
        return str(number) if dialect is None else dialect.name

    def title_of(self, number: int) -> str:
        """As `name_of`, for people."""
        dialect = self._by_number.get(number)
        return str(number) if dialect is None else dialect.title

    @property
    def of_events(self) -> Dialect | None:
        """The dialect that words events."""
        return next((dialect for dialect in self._dialects if dialect.words_events), None)

    def message_id_of(self, verification_id: str) -> int | None:
        """By whichever dialect's form the ID has; None: it has none."""
        ids = (dialect.message_id_of(verification_id) for dialect in self._dialects)
        return next((message_id for message_id in ids if message_id is not None), None)

    def titles(self, numbers: Iterable[int]) -> str:
        """As a list within a sentence."""
        return ", ".join(map(self.title_of, numbers))

    @property
    def named_titles(self) -> list[tuple[str, str]]:
        """Name and title of those with credentials of their own, to choose from."""
        return [(dialect.name, dialect.title) for dialect, _format in self.credential_formats]

    @property
    def credential_formats(self) -> list[tuple[Dialect, CredentialFormat]]:
        """The dialects that have credentials of their own, each with their form."""
        return [(dialect, dialect.credentials) for dialect in self._dialects if dialect.credentials is not None]

    @property
    def app_reporting(self) -> list[int]:
        """Numbers of those whose reports go to the app's address."""
        return [dialect.number for dialect in self._dialects if dialect.has_app_reports]

    @property
    def sender_naming(self) -> list[int]:
        """Numbers of those in which a call has to name a sender of the account."""
        return [dialect.number for dialect in self._dialects if dialect.quickstart and dialect.quickstart.needs_sender]

    @property
    def email_keyed(self) -> list[int]:
        """Numbers of those that take the account's e-mail address for a key."""
        return [dialect.number for dialect, credentials in self.credential_formats if credentials.is_email_a_key]

    @property
    def binding(self) -> list[int]:
        """Numbers of those whose credentials may bind over SMPP, the highest first: SMPP's own before the others'."""
        numbers = (dialect.number for dialect, credentials in self.credential_formats if credentials.may_bind)
        return sorted(numbers, reverse=True)
