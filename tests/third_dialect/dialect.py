"""A post with a key, a secret and a JSON body; a report is one line of text, and 202 alone acknowledges it."""

import json
from collections.abc import Iterator, Mapping

import msgspec

from homing import errors
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.common.crypto import make_secret, same
from homing.dialects.base import ChangedMessage, CredentialFormat, InboundMessage, NewPush, Quickstart
from homing.dialects.error_codes import ErrorCodes
from homing.dialects.serving import HttpDialect, Services
from homing.intake.submission import AcceptedMessage, MessageGroup, Submission
from homing.model import PushKind, Recipient
from homing.states import TABLE, MessageState
from homing.text.numbers import normalise

NUMBER = 9
CODES = ErrorCodes({errors.HomingError: 500, errors.Refusal: 400, errors.NumbersAbnormal: 422})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    greeting: str


class Send(msgspec.Struct):
    to: str
    text: str
    tell: str


class ThirdDialect(HttpDialect):
    number = NUMBER
    name = "third"
    title = "Third"
    credentials = CredentialFormat(
        key_name="Key", secret_name="Secret", make_key=lambda: f"third-{make_secret(6)}", may_bind=False
    )
    states = {state: state.name.capitalize() for state in MessageState}  # noqa: RUF012
    error_codes = CODES
    settings = Settings
    quickstart = Quickstart(
        path="/third/send",
        package="tests.third_dialect",
        make_body=lambda values: json.dumps({"to": values["number"], "text": values["text"], "tell": ""}),
    )

    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        async def send(request: HttpRequest) -> HttpResponse:
            try:
                return HttpResponse(json.dumps(await self._send(services, request)).encode(), 201)
            except errors.HomingError as error:
                return HttpResponse(b"{}", CODES.of(type(error)))

        return {"/third/send": HttpEndpoint("third.send", frozenset(("POST",)), send)}

    async def _send(self, services: Services, request: HttpRequest) -> dict[str, object]:
        key, secret = request.headers.get("key") or "", request.headers.get("secret") or ""
        credential = await services.directory.find(self.number, key)
        if credential is None or not same(credential.secret, secret):
            raise errors.BadParameter("key")
        await request.read(4096)
        call = msgspec.json.decode(request.body, type=Send)
        number = normalise(call.to)
        if number is None:
            raise errors.NumbersAbnormal
        account = credential.profile
        submission = Submission(
            account=account,
            dialect=self.number,
            app_id="",
            request_id=request.request_id,
            groups=[MessageGroup(call.text, account.default_sender or "", [Recipient(call.to, number)])],
            callback_url=call.tell,
        )
        (accepted,) = await services.intake.submit(submission)
        assert isinstance(accepted, AcceptedMessage)
        assert isinstance(services.settings, Settings)
        return {"id": accepted.message_id, "said": services.settings.greeting}

    def reports(self, message: ChangedMessage) -> Iterator[NewPush]:
        if message.callback_url and TABLE[message.state].final:
            word = self.states[message.state]
            yield self._push(message.account_id, message.message_id, message.callback_url, f"{message.number}: {word}")

    def inbound(self, message: InboundMessage) -> Iterator[NewPush]:
        if message.inbound_url:
            line = f"{message.number} says {message.content}"
            yield self._push(message.account_id, message.inbound_id, message.inbound_url, line)

    def is_acknowledged(self, status: int) -> bool:
        return status == 202

    def _push(self, account_id: int, message_id: int, url: str, body: str) -> NewPush:
        return NewPush(
            account_id=account_id,
            message_id=message_id,
            dialect=self.number,
            kind=PushKind.REPORT,
            url=url,
            body=json.dumps(body),
            is_only=True,
        )
