"""A page: a path, the roles that may see and change it, and the functions that do so. `pages/__init__.py` lists them
all; nothing registers itself.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.responses import Response

from homing.console.navigation import OPERATORS, STAFF, NavigationEntry
from homing.console.request_context import RequestContext
from homing.model import UserRole

Handler = Callable[[RequestContext], Awaitable[Response]]


class Page(msgspec.Struct, frozen=True):
    """`show` answers GET. `change` answers POST with a redirect; if it raises `InvalidInput`, `show` is called with the
    error and the entered values. A role outside `seen_by` gets 404, so that it does not learn that the page exists; one
    that may see but not change it gets 403.
    """

    path: str
    show: Handler
    change: Handler | None = None
    seen_by: frozenset[UserRole] = STAFF
    changed_by: frozenset[UserRole] = OPERATORS


class PageSection(msgspec.Struct, frozen=True):
    """The pages of a module, and their entries in the navigation."""

    pages: Sequence[Page]
    entries: Sequence[NavigationEntry] = ()
