"""The number of Homing's own API, as rows have it: never changed."""

from typing import Final

NUMBER: Final = 3
