"""URLs of customers and operators, spelt as their owners wrote them: a signed one loses its signature when anything is
respelt, and `%2F` is not `/` (RFC 3986, 2.2). Pure.
"""

from typing import Final
from urllib.parse import quote, urlsplit

PRINTABLE: Final = bytes(range(0x21, 0x7F))


def is_web_address(url: str) -> bool:
    """Whether something can be posted there: an http or https URL that names a host, and a port only if there can be
    one.
    """
    if not (url.lower().startswith(("http://", "https://")) and url.isprintable()):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port above 65535, an IPv6 address that is none
        return False


def in_request_line(target: str) -> str:
    """A path and query with what no request line can hold, white space and what is no ASCII, percent-encoded as UTF-8;
    all else stays byte for byte.
    """
    return quote(target, safe=PRINTABLE)


def divided(url: str) -> tuple[str, str]:
    """Scheme and authority, and the path, query and fragment behind them, as written."""
    scheme, separator, rest = url.partition("://")
    end = min((rest.index(mark) for mark in "/?#" if mark in rest), default=len(rest))
    return f"{scheme}{separator}{rest[:end]}", rest[end:]


def without_password(url: str) -> str:
    """An address as it may be read over a shoulder: `https://homing:***@ops.example.com/alerts`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()
