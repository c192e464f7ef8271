"""The laaffic dialect, under /v3 and /sms; verification codes under /otp and /v3/otp (docs/reference/laaffic.md)."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.api.http.body import BodyFailure, BodyTooLarge
from homing.api.http.failure_log import FailureLog
from homing.api.http.wire import HttpEndpoint, HttpRequest, HttpResponse
from homing.common.money import fixed, trimmed
from homing.conversions.recorder import ConversionOutcome
from homing.dialects.laaffic import bounds, parameters
from homing.dialects.laaffic.auth import Authentication
from homing.dialects.laaffic.codes import CODES
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.otp_answers import otp_refused
from homing.dialects.laaffic.otp_apps import OtpApps
from homing.dialects.laaffic.otp_codes import OTP_CODES
from homing.dialects.laaffic.otp_flows import OtpFlows
from homing.dialects.laaffic.otp_parameters import message_id_of
from homing.dialects.laaffic.otp_profiles import ProfileReader
from homing.dialects.laaffic.otp_records import OtpRecords
from homing.dialects.laaffic.otp_setting_changes import SettingChanges
from homing.dialects.laaffic.otp_templates import OtpTemplates
from homing.dialects.laaffic.otp_verifications import OtpVerifications
from homing.dialects.laaffic.queries import Queries
from homing.dialects.laaffic.send import LaafficSender, SendFailed, app_of, failed, reason_of
from homing.dialects.serving import Services
from homing.text.numbers import normalise

encode: Final = msgspec.json.encode
PREFIXES: Final = ("/v3", "/sms")
OTP_PREFIXES: Final = ("", "/v3")
GET: Final = frozenset(("GET",))
POST: Final = frozenset(("POST",))
PUT: Final = frozenset(("PUT",))

send_body: Final = parameters.decoder(parameters.Group)
batch_body: Final = parameters.decoder(parameters.Batch)
record_body: Final = parameters.decoder(parameters.RecordMo)
backfill_body: Final = parameters.decoder(parameters.Backfill)


class Failure(msgspec.Struct):
    status: str
    reason: str


class LaafficBalanceReply(msgspec.Struct):
    status: str
    reason: str
    balance: str
    gift: str
    credit: str


SENDS: Final = frozenset(("sendSms", "sendSms/batch"))
"""Their failures have the counts and lists of an answer besides (contract, section 1)."""
SUCCESS: Final = encode(Failure("0", "success"))
Call = Callable[[HttpRequest, Profile], Awaitable[HttpResponse]]


class LaafficEndpoints:
    """Each call: authenticate it, read the parameters, do the one thing, word the answer."""

    def __init__(self, services: Services) -> None:
        self._authentication = Authentication(
            directory=services.directory, guard=services.auth_guard, steady_s=services.steady_s
        )
        self._sender = LaafficSender(services.intake)
        self._queries = Queries(services.database, services.lookup)
        self._balances = services.balances
        self._feedback = services.conversions
        self._budget = services.query_budget
        self._failures = FailureLog()
        profiles = ProfileReader(services.directory)
        changes = SettingChanges(services.database, services.directory, services.query_budget)
        self._otp_apps = OtpApps(services.database, changes)
        self._otp_templates = OtpTemplates(services.database, changes)
        self._otp_flows = OtpFlows(services.database, changes)
        self._otp_verifications = OtpVerifications(services, profiles)
        self._otp_records = OtpRecords(
            services.database, profiles, lambda: datetime.fromtimestamp(services.steady_s(), UTC)
        )

    def by_path(self) -> Mapping[str, HttpEndpoint]:
        calls: dict[str, tuple[frozenset[str], Call]] = {
            "getBalance": (GET, self._balance),
            "sendSms": (GET | POST, self._send),
            "sendSms/batch": (POST, self._send_batch),
            "getReport": (GET, self._report),
            "getSentRcd": (GET, self._sent),
            "recordMo": (POST, self._inbound),
            "postback/backfill": (POST, self._backfill),
        }
        return {
            f"{prefix}/{name}": HttpEndpoint(f"laaffic.{name.rstrip('/')}", methods, self._worded(name, call))
            for prefixes, served in ((PREFIXES, calls), (OTP_PREFIXES, self._otp_calls()))
            for prefix in prefixes
            for name, (methods, call) in served.items()
        }

    def _otp_calls(self) -> dict[str, tuple[frozenset[str], Call]]:
        """By path; what ends with a slash is followed by an ID."""
        apps, templates, flows = self._otp_apps, self._otp_templates, self._otp_flows
        verifications, records = self._otp_verifications, self._otp_records
        return {
            "otp/app/add": (POST, apps.add_app),
            "otp/app/update/": (PUT, apps.update_app),
            "otp/app/details/": (GET, apps.app_details),
            "otp/template/add": (POST, templates.add_template),
            "otp/template/update/": (PUT, templates.update_template),
            "otp/template/details/": (GET, templates.template_details),
            "otp/template/list": (GET, templates.list_templates),
            "otp/flow/add": (POST, flows.add_flow),
            "otp/flow/update/": (PUT, flows.update_flow),
            "otp/flow/details/": (GET, flows.flow_details),
            "otp/flow/list": (GET, flows.list_flows),
            "otp/verification/send": (POST, verifications.send),
            "otp/verification/sendRule": (POST, verifications.send_rule),
            "otp/verification/resend": (POST, verifications.resend),
            "otp/verification/verify": (POST, verifications.verify),
            "otp/verification/record/": (GET, records.by_id),
            "otp/verification/orderId/record": (POST, records.by_order),
            "otp/backfillRate": (POST, verifications.report_rate),
            "otp/postback/backfill": (POST, self._backfill),
        }

    def _worded(self, name: str, call: Call) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        """Every outcome in the dialect's words: status 200, `{"status":"-N","reason":"..."}` for a failure."""
        respond = _send_refused if name in SENDS else otp_refused if name.startswith("otp/") else _refused
        codes = OTP_CODES if name.startswith("otp/") else CODES

        def refused(request: HttpRequest, error: errors.HomingError) -> HttpResponse:
            request.refuse(error, codes.of(type(error)))
            return respond(error)

        async def handler(request: HttpRequest) -> HttpResponse:
            try:
                account = await self._authentication.account_of(request)
                await request.read(limits.HTTP_BODY_BYTES_MAX)
                return await call(request, account)
            except SendFailed as send:
                request.refuse(send.error, CODES.of(type(send.error)), messages=len(send.numbers))
                if isinstance(send.error, errors.PlatformFailure):
                    self._failures.tell(request.request_id, name, send.error)
                return HttpResponse(encode(failed(send.error, send.numbers)))
            except errors.Refusal as refusal:
                return refused(request, refusal)
            except BodyTooLarge as failure:
                too_large = refused(request, errors.BadShape("the request is too large"))
                return HttpResponse(too_large.body, failure.status)
            except BodyFailure:
                raise
            except errors.PlatformFailure as failure:
                self._failures.tell(request.request_id, name, failure)
                return refused(request, failure)
            except Exception as error:
                self._failures.tell(request.request_id, name, error)
                return refused(request, errors.PlatformFailure())

        return handler

    async def _balance(self, _request: HttpRequest, account: Profile) -> HttpResponse:
        account_balance = await self._balances.read(account.account_id)
        return HttpResponse(
            encode(
                LaafficBalanceReply(
                    "0",
                    "success",
                    fixed(account_balance.balance_micro, 6),
                    fixed(account_balance.gift_micro, 5),
                    trimmed(account_balance.credit_micro),
                )
            )
        )

    async def _send(self, request: HttpRequest, account: Profile) -> HttpResponse:
        if request.method == "POST":
            call = parameters.decode(request.body, send_body)
            numbers_max = bounds.NUMBERS_POST_MAX
        else:
            query = parameters.from_query(request.query)
            call = msgspec.convert(
                {name: query[name] for name in parameters.Group.__struct_fields__ if name in query},
                parameters.Group,
            )
            numbers_max = bounds.NUMBERS_GET_MAX
        reply = await self._sender.send(account, call, numbers_max, request)
        return HttpResponse(encode(reply))

    async def _send_batch(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = parameters.decode(request.body, batch_body)
        return HttpResponse(encode(await self._sender.send_batch(account, call, request)))

    async def _report(self, request: HttpRequest, account: Profile) -> HttpResponse:
        self._budget.spend(account, "getReport")
        return HttpResponse(await self._queries.report(account, parameters.from_query(request.query)))

    async def _sent(self, request: HttpRequest, account: Profile) -> HttpResponse:
        self._budget.spend(account, "getSentRcd")
        rows = self._budget.take(account.account_id, "rows", bounds.RECORDS_PER_S, bounds.RECORDS_BURST_ROWS)
        return HttpResponse(await self._queries.sent(account, parameters.from_query(request.query), rows))

    async def _inbound(self, request: HttpRequest, account: Profile) -> HttpResponse:
        self._budget.spend(account, "recordMo")
        call = parameters.decode(request.body, record_body)
        return HttpResponse(await self._queries.inbound(account, call))

    async def _backfill(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """By msgid, which may be a verificationId, else the latest message to the number in the app; a repeated report
        is a success.
        """
        call = parameters.decode(request.body, backfill_body)
        app_id, number, at = (
            parameters.text_of(value, name)
            for name, value in (("appId", call.appId), ("number", call.number), ("time", call.time))
        )
        reported_at = parameters.epoch_of(at.strip())
        digits = normalise(number)
        if not app_id or digits is None or reported_at is None:
            raise errors.QueryEmpty
        app_of(account, app_id)
        given_id = parameters.text_of(call.msgid, "msgid").strip()
        if given_id:
            message_id = message_id_of(given_id)
            if message_id is None:
                if not (given_id.isascii() and given_id.isdigit() and len(given_id) <= 16):
                    raise errors.QueryEmpty
                message_id = int(given_id)
        else:
            message_id = await self._feedback.latest_to(account.account_id, digits, app_id)
        if message_id is None:
            raise errors.QueryEmpty
        verdict = await self._feedback.report(account.account_id, message_id, NUMBER, reported_at)
        if verdict is ConversionOutcome.UNKNOWN_MESSAGE:
            raise errors.QueryEmpty
        return HttpResponse(SUCCESS)


def _refused(error: errors.HomingError) -> HttpResponse:
    return HttpResponse(encode(Failure(CODES.of(type(error)), reason_of(error))))


def _send_refused(error: errors.HomingError) -> HttpResponse:
    return HttpResponse(encode(failed(error)))
