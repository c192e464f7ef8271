"""Changing the sensitive words: texts that contain one are refused. Running processes notice every change at once
(triggers tell them).
"""

from homing import errors
from homing.routing.catalogue import fold
from homing.store import statements
from homing.store.database import Database, DatabaseConnection


async def add_word(connection: DatabaseConnection | Database, account_id: int, word: str) -> None:
    """Refuses texts that contain a word, for an account or (0) for all."""
    if not fold(word).strip() or "\0" in word:
        raise errors.InvalidInput(
            "a sensitive word needs at least one visible character; an empty one would match every message"
        )
    await statements.admin.word_add(connection, account_id=account_id, word=word)


async def remove_word(connection: DatabaseConnection | Database, account_id: int, word: str) -> None:
    """Raises `InvalidInput` when it is not on the list of this account, or (0) of all."""
    if await statements.admin.word_remove(connection, account_id=account_id, word=word) is None:
        raise errors.InvalidInput("{word} is not on this list of sensitive words", word=repr(word))
