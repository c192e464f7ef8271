"""Text from outside as PostgreSQL keeps it."""

from typing import Any

import msgspec


def storable_text(text: str, chars_max: int | None = None) -> str:
    """Cut to `chars_max` characters, without NUL, which PostgreSQL refuses, and without halves of characters, which are
    no UTF-8. A hostile peer's text has no end: who stores it names one, unless it was bounded before.
    """
    return text[:chars_max].replace("\0", "").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> str:
    """A JSON document whose strings are storable: jsonb refuses a NUL though it is written as an escape."""
    return msgspec.json.encode(_storable(value)).decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    return value
