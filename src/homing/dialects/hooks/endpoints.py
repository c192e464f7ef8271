"""The address of each hook: /hooks/PRODUCT/KEY. The product makes the code and checks it; Homing sends it."""

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from homing import errors
from homing.accounts.profile import Credential, Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.body import BodyFailure
from homing.api.http.call_keys import CallKeys, KeyRefused, check_lock
from homing.api.http.failure_log import FailureLog
from homing.api.http.wire import Headers, HttpEndpoint, HttpRequest, HttpResponse
from homing.dialects.hooks import bounds, payloads, signatures
from homing.dialects.hooks.number import NUMBER
from homing.dialects.hooks.payloads import HookMessage, Reader
from homing.dialects.hooks.problems import HookError, HookErrorBody, status_and_message
from homing.dialects.serving import Services
from homing.intake.submission import MessageGroup, Submission
from homing.intake.terms import AnswerOnce, EarlierAnswer, SubmissionTerms
from homing.model import CODE_MARK, App, CodeTemplate, Recipient
from homing.text.numbers import normalise
from homing.verification.service import NUMBER_LIMITS, NewCode

PATH: Final = "/hooks/"
POST: Final = frozenset(("POST",))
DONE: Final = b"{}"
SCOPE: Final = "hooks"
RETRY: Final = (("retry-after", "true"),)  # what makes Supabase try again
Check = Callable[[str, Headers, bytes, Sequence[float]], bool]
encode: Final = msgspec.json.encode


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in product. `check`: whether a call knows the secret. `read`: the message that it asks for.
    `reads_errors_of_200`: an error is read from the body of a 200 alone, and shown to the person.
    """

    name: str
    check: Check
    read: Reader
    reads_errors_of_200: bool = False


PRODUCTS: Final = (
    Product(
        name="supabase",
        check=signatures.is_signed_by_standard,
        read=payloads.read_supabase,
        reads_errors_of_200=True,
    ),
    Product(name="logto", check=signatures.has_token, read=payloads.read_logto),
    Product(name="zitadel", check=signatures.is_signed_by_zitadel, read=payloads.read_zitadel),
    Product(name="generic", check=signatures.is_signed_or_has_token, read=payloads.read_generic),
)


class HookEndpoints:
    """Each call: the hook by its address, the body, its signature, the engine, an answer that the product reads."""

    def __init__(self, services: Services, clock_s: Callable[[], float] = time.time) -> None:
        self._keys = CallKeys(services.directory, services.auth_guard, NUMBER)
        self._use = services.credential_use
        self._steady_s = services.steady_s
        self._intake = services.intake
        self._verifications = services.verifications
        self._addresses = services.addresses
        self._clocks_s = (clock_s, services.steady_s)
        self._failures = FailureLog()

    def by_path(self) -> Mapping[str, HttpEndpoint]:
        return {
            f"{PATH}{product.name}/": HttpEndpoint(f"hooks.{product.name}", POST, self._worded(product))
            for product in PRODUCTS
        }

    def _worded(self, product: Product) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        async def handler(request: HttpRequest) -> HttpResponse:
            try:
                credential = await self._credential_of(request, product)
                await self._send(request, product, credential)
            except EarlierAnswer:
                pass
            except errors.Refusal as refusal:
                return _refused(request, product, refusal)
            except BodyFailure as failure:
                return _refused(request, product, errors.BadShape(failure.text.decode().strip()))
            except Exception as error:
                self._failures.tell(request.request_id, f"hooks.{product.name}", error)
                known = error if isinstance(error, errors.PlatformFailure) else errors.HomingError()
                return _refused(request, product, known)
            return HttpResponse(DONE)

        return handler

    async def _credential_of(self, request: HttpRequest, product: Product) -> Credential:
        """Reads the body. Raises `KeyRefused`, in this order: an unknown hook, the caller's address, the signature,
        the account's lock.
        """
        key = request.path[len(PATH) + len(product.name) + 1 :].rstrip("/")
        credential = await self._keys.find(request, key)
        await request.read(bounds.BODY_BYTES_MAX)
        now_s = [clock_s() for clock_s in self._clocks_s]
        is_right = product.check(credential.secret, request.headers, request.body, now_s)
        await self._keys.prove(request, credential, is_right=is_right)
        check_lock(credential)
        self._use.note(credential.credential_id, self._steady_s())
        return credential

    async def _send(self, request: HttpRequest, product: Product, credential: Credential) -> None:
        """Raises a `Refusal`, a `PlatformFailure`, or `EarlierAnswer` for a call that is repeated."""
        try:
            message = product.read(request.body, request.headers)
        except msgspec.MsgspecError as error:
            raise errors.BadShape(f"the body is not {product.name}'s: {error}") from None
        if "\0" in message.text + message.code + message.locale:
            raise errors.BadShape("the body holds the character U+0000")
        number = normalise(message.to)
        if number is None:
            raise number_refusal(message.to)
        account = credential.profile
        options = _options(request.query)
        template = _template(account, options.get("template"), options.get("locale") or message.locale)
        app = _app(account, options.get("app") or (template.app_id if template else ""))
        end_user = self._addresses.of(account.account_id, message.ip) if message.ip else None
        once, recipient = _once(credential, message, number), Recipient(message.to, number)
        if not message.code:
            await self._intake.submit(
                Submission(
                    account=account,
                    dialect=NUMBER,
                    app_id=app.app_id,
                    request_id=request.request_id,
                    groups=[MessageGroup(message.text, account.default_sender or "", [recipient])],
                    terms=SubmissionTerms(once=once),
                    end_user=end_user,
                )
            )
            return
        await self._verifications.send(
            NewCode(
                account=account,
                dialect=NUMBER,
                app=app,
                recipient=recipient,
                request_id=request.request_id,
                template=template,
                code=message.code,
                text="" if template else _marked(message),
                number_limits=NUMBER_LIMITS,
                once=once,
                end_user=end_user,
            )
        )


def _marked(message: HookMessage) -> str:
    """The product's text with a mark in the code's place; "" where it has none with the code in it."""
    return message.text.replace(message.code, CODE_MARK) if message.code in message.text else ""


def _options(query: str) -> Mapping[str, str]:
    """`app`, `template` and `locale`, which the hook's address may name. Raises `BadShape`."""
    try:
        return dict(parse_qsl(query, max_num_fields=bounds.QUERY_PARAMETERS_MAX))
    except ValueError:
        raise errors.BadShape("the address has too many parameters") from None


def _template(account: Profile, name: str | None, locale: str) -> CodeTemplate | None:
    """Raises `BadParameter` for a name that the account has no template of."""
    if not name:
        return None
    template = account.code_template(name, locale)
    if template is None:
        raise errors.BadParameter("the account has no code template of the name in the hook's address")
    return template


def _app(account: Profile, app_id: str) -> App:
    """Raises `UnknownApp`."""
    app = account.apps.get(app_id) if app_id else account.default_app
    if app is None:
        raise errors.UnknownApp("the account has no app yet" if not app_id else "")
    return app


def _once(credential: Credential, message: HookMessage, number: str) -> AnswerOnce | None:
    """So that a call that is repeated sends nothing twice. Supabase repeats a call under another webhook-id, so there
    the code itself tells it: keyed, since what is stored must not give it away.
    """
    if message.webhook_id is None:
        return None
    identity = message.webhook_id or f"{number} {message.code}"
    digest = hmac.digest(credential.secret.encode(), identity.encode("utf-8", "replace"), "sha256")
    return AnswerOnce(scope=SCOPE, key=f"{credential.key} {digest.hex()}", digest=digest, answer=lambda _prepared: DONE)


def _refused(request: HttpRequest, product: Product, error: errors.HomingError) -> HttpResponse:
    """The product gives up after a refusal and tries again after a failure."""
    is_final = isinstance(error, errors.Refusal) and not isinstance(error, KeyRefused)
    status, message = status_and_message(error, is_for_people=product.reads_errors_of_200 and is_final)
    request.refuse(error, status, messages=1)
    body = encode(HookErrorBody(HookError(status, message)))
    if product.reads_errors_of_200 and is_final:
        return HttpResponse(body)
    if not isinstance(error, errors.Refusal):
        return HttpResponse(body, status, headers=RETRY)
    if isinstance(error, errors.LimitReached):
        return HttpResponse(body, status, headers=(("retry-after", str(error.retry_after_s)),))
    return HttpResponse(body, status)
