"""The lia dialect's bounds (contract, sections 1 and 3), with the relations that are relied on."""

from typing import Final

from homing import limits

BODY_BYTES_MAX: Final = 128 * 1024  # read before the password; 1000 numbers and the longest text take about 50 kB
NUMBERS_MAX: Final = 1000
TEXT_UNITS_MAX: Final = 1600  # UTF-16 units
REFERENCE_CHARS_MAX: Final = 256

assert NUMBERS_MAX <= limits.SUBMIT_MESSAGES_MAX
assert (
    NUMBERS_MAX * (limits.PREFIX_DIGITS_MAX + 3) + TEXT_UNITS_MAX * 9 < BODY_BYTES_MAX <= limits.HTTP_BODY_BYTES_MAX
), "the largest call fits, its commas and its text percent-encoded"
