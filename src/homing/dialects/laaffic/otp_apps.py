"""laaffic: applications of verification codes (otp contract, section 1)."""

from typing import Final

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import code_settings
from homing.admin.account_settings import create_app
from homing.admin.code_settings import CodeApp
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.dialects.laaffic.otp_answers import success
from homing.dialects.laaffic.otp_parameters import (
    OtpApp,
    bounded_int,
    is_given,
    limit_of,
    name_of,
)
from homing.dialects.laaffic.otp_setting_changes import SettingChanges, check_room, path_id
from homing.dialects.laaffic.otp_setting_data import app_data
from homing.dialects.laaffic.parameters import Scalar, decode, decoder
from homing.model import SendLimit
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

app_body: Final = decoder(OtpApp)
EXPIRY_MIN: Final = tuple(seconds // 60 for seconds in code_settings.EXPIRY_S)
EXPIRY_MIN_DEFAULT: Final = 5


class OtpApps:
    """What a change leaves out stays as it is."""

    def __init__(self, database: Database, settings: SettingChanges) -> None:
        self._database = database
        self._settings = settings

    async def add_app(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, app_body)
        name = name_of(call.name, "name")
        expiry_min = _expiry_min(call.codeExpiry, EXPIRY_MIN_DEFAULT)
        total_limit = limit_of(call.periodTotalSendLimit, "periodTotalSendLimit")
        number_limit = limit_of(call.periodPhoneSendLimit, "periodPhoneSendLimit")
        async with self._settings.change(request, account) as transaction:
            check_room(
                await statements.accounts.profiles_apps(transaction, account_ids=[account.account_id]), "applications"
            )
            app_id = await create_app(transaction, account.account_id, name=name)
            app = await _set_app(transaction, account, app_id, name, expiry_min * 60, total_limit, number_limit)
        return success(app_data(app))

    async def update_app(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, app_body)
        app_id = path_id(request, "app/update/", "appId", call.appId)
        name = name_of(call.name, "name") if is_given(call.name) else None
        expiry_min = _expiry_min(call.codeExpiry, 0)
        total_limit = limit_of(call.periodTotalSendLimit, "periodTotalSendLimit")
        number_limit = limit_of(call.periodPhoneSendLimit, "periodPhoneSendLimit")
        async with self._settings.change(request, account) as transaction:
            app = await find_app(transaction, account, app_id)
            app = await _set_app(
                transaction,
                account,
                app_id,
                app.name if name is None else name,
                expiry_min * 60 or app.code_expiry_s,
                app.total_limit if call.periodTotalSendLimit is None else total_limit,
                app.number_limit if call.periodPhoneSendLimit is None else number_limit,
            )
        return success(app_data(app))

    async def app_details(self, request: HttpRequest, account: Profile) -> HttpResponse:
        app = await find_app(self._database, account, path_id(request, "app/details/", "appId"))
        return success(app_data(app))


async def _set_app(
    transaction: DatabaseConnection,
    account: Profile,
    app_id: str,
    name: str,
    expiry_s: int,
    total_limit: SendLimit | None,
    number_limit: SendLimit | None,
) -> CodeApp:
    await code_settings.change_code_app(
        transaction,
        account.account_id,
        app_id,
        name=name,
        code_expiry_s=expiry_s,
        total_limit=total_limit,
        number_limit=number_limit,
    )
    return await find_app(transaction, account, app_id)


async def find_app(connection: DatabaseConnection | Database, account: Profile, app_id: str) -> CodeApp:
    app = await code_settings.find_code_app(connection, account.account_id, app_id)
    if app is None:
        raise errors.UnknownApp
    return app


def _expiry_min(value: Scalar, default: int) -> int:
    return bounded_int(value, "codeExpiry", *EXPIRY_MIN) if is_given(value) else default
