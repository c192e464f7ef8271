"""laaffic: what changes of applications, templates and flows of verification codes have in common."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from homing import errors
from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.accounts.query_budget import QueryBudget
from homing.admin.code_settings import NameTaken
from homing.api.http.wire import HttpRequest
from homing.audit import act_as
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.otp_parameters import (
    bounded_int,
    bounded_text,
)
from homing.dialects.laaffic.parameters import Scalar
from homing.dialects.laaffic.refusals import NameInUse
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

ID_MAX: Final = 2**31 - 1  # of a template or a flow: an Int


class SettingChanges:
    """Each change is one transaction, which the audit log has under the caller's key."""

    def __init__(self, database: Database, directory: Directory, budget: QueryBudget) -> None:
        self._database = database
        self._directory = directory
        self._budget = budget

    @contextlib.asynccontextmanager
    async def change(self, request: HttpRequest, account: Profile) -> AsyncIterator[DatabaseConnection]:
        """A transaction of the caller's, one of an account after the other. Afterwards this process reads the account
        anew; the others do when the database tells them. Raises `QueryTooFrequent`.
        """
        self._budget.spend_change(account)
        try:
            async with self._database.transaction() as transaction:
                actor = f"api:{request.headers.get('api-key')}"
                await act_as(transaction, actor, request.call.find_address())
                await statements.admin.account_settings(transaction, account_id=account.account_id)  # locks it
                yield transaction
        except NameTaken:
            raise NameInUse from None
        except errors.InvalidInput as error:
            raise errors.BadShape(str(error)) from None
        self._directory.settings_changed(str(account.account_id))


def check_room(rows: Sequence[object], what: str) -> None:
    if len(rows) >= bounds.SETTINGS_ITEMS_MAX:
        raise errors.BadShape(f"name: an account has at most {bounds.SETTINGS_ITEMS_MAX} {what}")


def path_id(request: HttpRequest, path: str, name: str, in_body: Scalar = None) -> str:
    """What a path ends in, behind `path`; else the body's. The vendor's SDK leaves an ID out of the path that occurs in
    the URL before it.
    """
    given = request.path.partition(f"/otp/{path}")[2].rstrip("/")
    return bounded_text(given or in_body, name, 1, bounds.OPAQUE_CHARS_MAX)


def path_number(request: HttpRequest, path: str, name: str, in_body: Scalar = None) -> int:
    return bounded_int(path_id(request, path, name, in_body), name, 1, ID_MAX)
