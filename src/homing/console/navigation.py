"""Who may see which pages, and the entries of the navigation."""

import enum
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from homing.model import UserRole

OPERATORS: Final = frozenset({UserRole.OPERATOR})
STAFF: Final = frozenset({UserRole.OPERATOR, UserRole.SUPPORT})
CUSTOMERS: Final = frozenset({UserRole.CUSTOMER})
EVERYBODY: Final = frozenset(UserRole)
"""Everybody who is signed in. A customer's pages take their account from `RequestContext.scope`."""
STRANGERS: Final[frozenset[UserRole]] = frozenset()
"""Also without a sign-in."""


class NavigationGroup(enum.Enum):
    """The headings of the navigation."""

    WATCH = "watch"
    TRAFFIC = "traffic"
    SETUP = "setup"
    SYSTEM = "system"


class NavigationEntry(msgspec.Struct, frozen=True):
    """A link of the navigation: its label (marked with `N_`) and the name of its icon (templates/icons.html).

    Entries of a group have the order in which their pages are listed.
    """

    path: str
    label: str
    group: NavigationGroup
    icon: str
    seen_by: frozenset[UserRole] = STAFF


class Navigation:
    """The entries, and for each page its path and the roles that may see it."""

    def __init__(
        self, entries: Iterable[NavigationEntry] = (), pages: Iterable[tuple[str, frozenset[UserRole]]] = ()
    ) -> None:
        self._entries = tuple(entries)
        self._pages = [(_first_segment(path), roles) for path, roles in pages]

    def groups(self, role: UserRole) -> Sequence[tuple[NavigationGroup, Sequence[NavigationEntry]]]:
        """The groups that have an entry for this role."""
        visible = [entry for entry in self._entries if role in entry.seen_by]
        grouped = [(group, [entry for entry in visible if entry.group is group]) for group in NavigationGroup]
        return [(group, entries) for group, entries in grouped if entries]

    def has_page(self, path: str, role: UserRole) -> bool:
        """Whether this role may see any page under the path's first segment."""
        segment = _first_segment(path)
        return any(page == segment and role in roles for page, roles in self._pages)


def _first_segment(path: str) -> str:
    return path.split("/")[1]
