"""Pages of an account, which staff see under /accounts/NAME and the account's own users without the name. One module
of pages serves both.
"""

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS
from homing.console.page import Handler, Page
from homing.console.request_context import RequestContext
from homing.model import UserRole
from homing.store.statements.admin import AccountRow

TABS = (
    ("", N_("Account")),
    ("statement", N_("Statement")),
    ("credentials", N_("Credentials")),
    ("apps", N_("Apps")),
    ("codes", N_("Verification codes")),
    ("send", N_("Send a test")),
    ("webhooks", N_("Webhooks")),
    ("prices", N_("Prices")),
    ("texts", N_("Sender IDs and templates")),
    ("settings", N_("Settings")),
    ("quickstart", N_("Quickstart")),
)


class AccountScope(msgspec.Struct, frozen=True):
    """`is_own`: the viewer belongs to the account. `may_change`: whether the viewer may change what the account's own
    users may, such as its credentials.
    """

    account: AccountRow
    is_own: bool
    may_change: bool

    @property
    def account_id(self) -> int:
        return int(self.account.account_id)

    @property
    def name(self) -> str:
        return str(self.account.name)

    def path(self, part: str = "") -> str:
        """The path of one of the account's pages."""
        if not self.is_own:
            return f"/accounts/{self.name}" + (f"/{part}" if part else "")
        return f"/account/{part}" if part.startswith("statement") else f"/{part or 'account'}"

    @property
    def tabs(self) -> Sequence[tuple[str, str]]:
        """(path, label) of the account's pages; empty for its own users, whose navigation has them."""
        return () if self.is_own else [(self.path(part), label) for part, label in TABS]


async def account_scope_of(context: RequestContext) -> AccountScope:
    """Raises `PageNotFound` for an account that does not exist or that the viewer may not see."""
    is_own = context.scope is not None
    account = await context.account(str(context.scope) if is_own else context.path_part("account"))
    return AccountScope(account, is_own, context.user.role in (UserRole.OPERATOR, UserRole.CUSTOMER))


def for_both(part: str, show: Handler, change: Handler | None = None) -> Sequence[Page]:
    """The page for staff, which operators may change, and the page for the account's own users, who may change it."""
    own = f"/account/{part}" if part.startswith("statement") else f"/{part or 'account'}"
    return (
        Page(f"/accounts/{{account}}/{part}" if part else "/accounts/{account}", show, change),
        Page(own, show, change, seen_by=CUSTOMERS, changed_by=CUSTOMERS),
    )


async def back(context: RequestContext) -> Response:
    """The response to a form of an unknown action."""
    return context.redirect(context.path)
