"""What a page is: a path, who may see and change it, and the functions that do so. Pages are listed in
`pages/__init__.py`; nothing registers itself.
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from homing.model import UserRole

if TYPE_CHECKING:
    from homing.console.request_context import RequestContext

Handler = Callable[["RequestContext"], Awaitable[Response]]

OPERATORS: Final = frozenset({UserRole.OPERATOR})
STAFF: Final = frozenset({UserRole.OPERATOR, UserRole.SUPPORT})
CUSTOMERS: Final = frozenset({UserRole.CUSTOMER})
EVERYBODY: Final = frozenset(UserRole)
"""Everybody who is signed in. A customer's pages take their account from `RequestContext.scope`."""
STRANGERS: Final[frozenset[UserRole]] = frozenset()
"""Nobody has to be signed in."""


class Page(msgspec.Struct, frozen=True):
    """`show` answers GET. `change` answers POST: it raises `InvalidInput` when it cannot be done, and then `show` is
    asked again, with what was entered; otherwise it redirects. A role that is not in `seen_by` learns nothing, not even
    that the page is there (404); one that sees and may not change it is told so (403).
    """

    path: str
    show: Handler
    change: Handler | None = None
    seen_by: frozenset[UserRole] = STAFF
    changed_by: frozenset[UserRole] = OPERATORS


class NavigationGroup(enum.Enum):
    """The headings of the navigation."""

    WATCH = "watch"
    TRAFFIC = "traffic"
    SETUP = "setup"
    SYSTEM = "system"


class NavigationEntry(msgspec.Struct, frozen=True):
    """A page's place in the navigation: its label (marked with `N_`), and the name of its icon (templates/icons.html).
    Entries of a group stand in the order in which their pages are listed.
    """

    path: str
    label: str
    group: NavigationGroup
    icon: str
    seen_by: frozenset[UserRole] = STAFF


class PageSection(msgspec.Struct, frozen=True):
    """What a module of pages gives to the console."""

    pages: Sequence[Page]
    entries: Sequence[NavigationEntry] = ()
