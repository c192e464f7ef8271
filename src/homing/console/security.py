"""Security headers, and checks of a request's origin and host. Pure."""

import contextlib
import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from homing.serving import SERVER

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline code, nothing from other origins."""

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would then send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
    "server": SERVER,
}
"""Of every response; only static files may be cached."""
LOOPBACK: Final = "localhost"
TLS_HEADERS: Final[Mapping[str, str]] = {"strict-transport-security": "max-age=31536000"}


def is_own_request(headers: Mapping[str, str], own_origins: frozenset[str]) -> bool:
    """Whether a request with consequences came from a page of ours, as far as the browser tells: by Sec-Fetch-Site,
    else by Origin. A client that sends neither is no browser of today; the form's token has to do.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or origin in own_origins


def is_own_host(host: str, url: str) -> bool:
    """Whether a request is for us: `host` is its Host header, `url` is where people reach the console. A page of
    another name whose address was changed to ours (DNS rebinding) is not; a bare address has no name to change.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in (urlsplit(url).hostname, LOOPBACK):
        return True
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


def origin_of(url: str) -> str:
    """`https://console.example` of an address below it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def local_path(text: str) -> str:
    """The target of a redirect from a parameter: a path of the console, or the start page."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable() or "\\" in text:
        return "/"
    return text
