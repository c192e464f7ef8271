"""The bounds of Homing's own API (docs/reference/v1.md), with the relations that are relied on."""

from typing import Final

from homing import limits

TO_CHARS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 1_600
REFERENCE_CHARS_MAX: Final = 128
IDEMPOTENCY_KEY_CHARS_MAX: Final = 255
MESSAGES_MAX: Final = 1_000  # of one call
SCHEDULE_S_MAX: Final = 5 * 86_400
SCHEDULE_LATE_S: Final = 60  # a send_at so far in the past is now: clocks differ
CODE_CHARS_MIN: Final = 4  # of a customer's own code
PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 100
QUERY_PARAMETERS_MAX: Final = 16

assert MESSAGES_MAX <= limits.SUBMIT_MESSAGES_MAX, "the largest call fits one transaction"
assert MESSAGES_MAX * (TEXT_CHARS_MAX // 4) < limits.HTTP_BODY_BYTES_MAX
assert SCHEDULE_S_MAX + limits.VALIDITY_S_MAX < limits.RECEIPT_MATCH_DAYS * 86_400, (
    "the receipt of a message that waited finds it"
)
