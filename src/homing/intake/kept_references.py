"""What is kept of a message so that a repetition of its reference can be recognised. Pure."""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from homing.store.statements.intake import NewMessage

DIGEST_BYTES: Final = 16


class KeptReference(msgspec.Struct, frozen=True, kw_only=True):
    """A message by its reference. `scope`: of a dialect and app; `key`: reference and number within it; `digest`: of
    the sender and the text.
    """

    scope: str
    key: str
    digest: bytes
    message_id: int


def reference_scope(dialect: int, app_id: str) -> str:
    return f"reference {dialect} {app_id}"


def reference_key(reference: str, number: str) -> str:
    return f"{number} {reference}"


def reference_digest(sender: str, text: str) -> bytes:
    return hashlib.blake2b(f"{sender}\0{text}".encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()


def kept_references(messages: Iterable[NewMessage]) -> list[KeptReference]:
    """Of the messages that have a reference."""
    return [
        KeptReference(
            scope=reference_scope(message.dialect, message.app_id),
            key=reference_key(message.reference, message.number),
            digest=reference_digest(message.sender, message.text),
            message_id=message.message_id,
        )
        for message in messages
        if message.reference
    ]
