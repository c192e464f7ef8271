"""The bounds of hooks (docs/reference/hooks.md)."""

from typing import Final

from homing import limits
from homing.verification.codes import CODE_CHARS_MAX as OURS

BODY_BYTES_MAX: Final = 262_144  # Supabase sends the whole user with it
TO_CHARS_MAX: Final = 64
CODE_CHARS_MAX: Final = OURS
TEXT_CHARS_MAX: Final = 1_000
LOCALE_CHARS_MAX: Final = 35
QUERY_PARAMETERS_MAX: Final = 16
ID_CHARS_MAX: Final = 255  # of a webhook-id
WINDOW_S: Final = 300  # between a signature's time and ours

assert BODY_BYTES_MAX <= limits.HTTP_BODY_BYTES_MAX
