"""Text from outside as PostgreSQL keeps it."""


def storable(text: str, chars_max: int | None = None) -> str:
    """Cut to `chars_max` characters, without NUL, which PostgreSQL refuses, and without halves of characters, which are
    no UTF-8. A hostile peer's text has no end: who stores it names one, unless it was bounded before.
    """
    return text[:chars_max].replace("\0", "").encode("utf-8", "replace").decode()
