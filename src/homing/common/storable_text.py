"""Text from outside in a form that PostgreSQL stores."""

from typing import Any

import msgspec


def storable_text(text: str, chars_max: int | None = None) -> str:
    """Cut to `chars_max` characters, without NUL, which PostgreSQL refuses, and without lone surrogates, which are not
    UTF-8. A caller whose text is not bounded yet must give `chars_max`.
    """
    return text[:chars_max].replace("\0", "").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> str:
    """A JSON document whose strings are storable: jsonb refuses NUL even as an escape."""
    return msgspec.json.encode(_storable(value)).decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {_storable(name): _storable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(member) for member in value]
    return value
