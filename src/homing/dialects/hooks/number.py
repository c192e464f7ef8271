"""The dialect's number, as rows have it: never changed."""

from typing import Final

NUMBER: Final = 6
