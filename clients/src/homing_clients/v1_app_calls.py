"""Calls of apps: what an app has set for verification codes."""

from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from homing_clients.call import ClientCall
from homing_clients.v1_caller import V1Caller, get, page_reader, patch, reader, segment_of
from homing_clients.v1_results import App, CodeLimit

APPS: Final = "apps"

read_app: Final = reader(App)
read_all_apps: Final = page_reader("apps", App)


class V1AppCalls(V1Caller):
    """Builds the calls."""

    def apps(self) -> ClientCall[tuple[App, ...]]:
        """GET /v1/apps: all of the account, its first app first."""
        return get(APPS, {}, lambda body: read_all_apps(body).rows)

    def app(self, app_id: str) -> ClientCall[App]:
        """GET /v1/apps/{app}. Raises `AppUnknown`."""
        return get(f"{APPS}/{segment_of(app_id)}", {}, read_app)

    def change_app(
        self,
        app_id: str,
        *,
        code_expiry_s: int | None = None,
        total_limit: CodeLimit | Literal["none"] | None = None,
        number_limit: CodeLimit | Literal["none"] | None = None,
        resend_messages: int | None = None,
        resend_worth: Decimal | None = None,
    ) -> ClientCall[App]:
        """PATCH /v1/apps/{app}: None leaves what it has, `"none"` removes a limit. `resend_messages`: how often a
        likely lost code goes out again by itself, when that is likely to gain more of `resend_worth`, what a converted
        person is worth, than the message costs. Raises `AppUnknown`, `BadParameter`.
        """
        changes: dict[str, Any] = {
            "code_expiry_s": code_expiry_s,
            "total_limit": _limit(total_limit),
            "number_limit": _limit(number_limit),
            "resend_messages": resend_messages,
            "resend_worth": None if resend_worth is None else {"amount": f"{resend_worth:f}"},
        }
        parameters = {name: value for name, value in changes.items() if value is not None}
        return patch(f"{APPS}/{segment_of(app_id)}", parameters, read_app)


def _limit(limit: CodeLimit | str | None) -> object:
    return msgspec.to_builtins(limit) if isinstance(limit, CodeLimit) else limit
