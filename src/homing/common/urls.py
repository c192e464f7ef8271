"""URLs of customers and operators, spelt as their owners wrote them: a signed one loses its signature when anything is
respelt, and `%2F` is not `/` (RFC 3986, 2.2). Pure.
"""

from typing import Final
from urllib.parse import quote, urlsplit

PRINTABLE: Final = bytes(range(0x21, 0x7F))


def is_web_address(url: str) -> bool:
    """Whether it is an http or https URL with a host and, if any, a valid port."""
    if not (url.lower().startswith(("http://", "https://")) and url.isprintable()):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port above 65535, an invalid IPv6 address
        return False


def in_request_line(target: str) -> str:
    """A path and query with white space and non-ASCII characters percent-encoded as UTF-8; all else stays byte for
    byte.
    """
    return quote(target, safe=PRINTABLE)


def divided(url: str) -> tuple[str, str]:
    """The URL cut in two: scheme and authority; path, query and fragment. Both as written."""
    scheme, separator, rest = url.partition("://")
    end = min((rest.index(mark) for mark in "/?#" if mark in rest), default=len(rest))
    return f"{scheme}{separator}{rest[:end]}", rest[end:]


def without_password(url: str) -> str:
    """The URL as it may be shown: `https://homing:***@ops.example.com/alerts`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()
