"""An account's apps, and what each has set for verification codes."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from homing import errors
from homing.accounts.directory import Directory
from homing.accounts.query_budget import QueryBudget
from homing.admin import code_settings
from homing.admin.code_settings import CodeApp
from homing.api.http.wire import HttpResponse
from homing.common import money
from homing.dialects.v1.bodies import AppChangeBody, CodeLimitBody
from homing.dialects.v1.calls import V1Call, act, query_of, reader
from homing.dialects.v1.problems import V1Refusal, wrong_member
from homing.dialects.v1.replies import AppList, AppView, CodeLimitView, money_of
from homing.model import SendLimit
from homing.store.database import Database

encode: Final = msgspec.json.encode
read_change: Final = reader(AppChangeBody)


class AppCalls:
    def __init__(self, *, database: Database, directory: Directory, budget: QueryBudget) -> None:
        self._database = database
        self._directory = directory
        self._budget = budget

    async def list(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        apps = await code_settings.list_code_apps(self._database, call.account.account_id)
        return HttpResponse(encode(AppList([_view(app) for app in apps])))

    async def show(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        app = await code_settings.find_code_app(self._database, call.account.account_id, _app_id(call))
        if app is None:
            raise V1Refusal("app_not_found")
        return HttpResponse(encode(_view(app)))

    async def change(self, call: V1Call) -> HttpResponse:
        changes = _changes(read_change(call.body))
        account = call.account
        self._budget.spend_change(account)
        async with self._database.transaction() as transaction:
            await act(transaction, call)
            try:
                app = await code_settings.patch_code_app(transaction, account.account_id, _app_id(call), changes)
            except errors.UnknownApp:
                raise V1Refusal("app_not_found") from None
            except errors.InvalidInput as error:
                raise V1Refusal("invalid_request", str(error)) from None
        self._directory.settings_changed(str(account.account_id))
        return HttpResponse(encode(_view(app)))


def _app_id(call: V1Call) -> str:
    if "\0" in call.target:  # the database has no such text
        raise V1Refusal("app_not_found")
    return call.target


def _changes(body: AppChangeBody) -> Mapping[str, Any]:
    """By the members of `CodeApp`."""
    changes: dict[str, Any] = {}
    if body.code_expiry_s is not UNSET:
        changes["code_expiry_s"] = body.code_expiry_s
    for name, limit in (("total_limit", body.total_limit), ("number_limit", body.number_limit)):
        if limit is not UNSET:
            changes[name] = _limit(limit)
    if body.resend_messages is not UNSET:
        changes["resend_messages"] = body.resend_messages
    if body.resend_worth is not UNSET:
        try:
            changes["resend_worth_micro"] = money.parse(body.resend_worth.amount)
        except ValueError as error:
            raise wrong_member("resend_worth/amount", str(error)) from None
    return changes


def _limit(given: CodeLimitBody | str | UnsetType) -> SendLimit | None:
    """None for `none`."""
    if not isinstance(given, CodeLimitBody):
        return None
    return SendLimit(unit=given.unit, period=given.period, most=given.messages)


def _view(app: CodeApp) -> AppView:
    return AppView(
        id=app.app_id,
        name=app.name,
        code_expiry_s=app.code_expiry_s,
        total_limit=_limit_view(app.total_limit),
        number_limit=_limit_view(app.number_limit),
        resend_messages=app.resend_messages,
        resend_worth=money_of(app.resend_worth_micro),
        created_at=app.created_at.astimezone(UTC).replace(microsecond=0),
    )


def _limit_view(limit: SendLimit | None) -> CodeLimitView | None:
    return None if limit is None else CodeLimitView(messages=limit.most, period=limit.period, unit=limit.unit)
