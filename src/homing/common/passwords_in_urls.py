"""Addresses of customers and operators as people see them. Pure."""

from urllib.parse import urlsplit


def without_password(url: str) -> str:
    """An address as it may be read over a shoulder: `https://homing:***@ops.example.com/alerts`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()
