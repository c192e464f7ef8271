"""The bounds of the definition (docs/reference/camara.md)."""

from typing import Final

from homing import limits
from homing.verification.codes import CODE_CHARS_MAX as OURS

MESSAGE_CHARS_MAX: Final = 160  # with the label in place of the code
ID_CHARS_MAX: Final = 36
CODE_CHARS_MAX: Final = 10
CODE_CHARS: Final = 6  # digits of a code that is made
BODY_BYTES_MAX: Final = 8_192

assert OURS <= CODE_CHARS_MAX
assert BODY_BYTES_MAX <= limits.HTTP_BODY_BYTES_MAX
