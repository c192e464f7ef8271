"""The laaffic dialect's bounds (contract, sections 1 and 4 to 8), with the relations that are relied on."""

from typing import Final

from homing import limits

NUMBERS_GET_MAX: Final = 100
NUMBERS_POST_MAX: Final = 1000
CONTENT_UNITS_MAX: Final = 1024  # UTF-16 units
ORDER_CHARS_MAX: Final = 64
REPORT_IDS_MAX: Final = 200
WINDOW_S: Final = 1800  # that a timestamp may be off, to either side
SPAN_DAYS_MAX: Final = 31
HISTORY_DAYS: Final = 90
RECORDS_MAX: Final = 50_000  # rows of getSentRcd in an answer
RECORDS_PER_S: Final = 5_000  # rows of getSentRcd that an account may read in the long run
RECORDS_BURST_ROWS: Final = 150_000
RECORDS_STATEMENT_ROWS: Final = 1_000  # that a statement reads for it
COUNTED_ROWS: Final = 50_000  # that a statement counts for it
COUNTED_ROWS_PER_READ: Final = 20  # rows counted cost as much as one that is read
COUNTS_AGE_S: Final = 300.0  # counts of a span that takes several calls
COUNTS_KEYS_MAX: Final = 1_000  # spans whose counts are remembered
STREAMS_MAX: Final = 2  # of getSentRcd at once in a process, one of an account; recordMo likewise
STREAM_WAIT_S: Final = 3.0  # for a place among them, then -15
PAGE_RECORDS_MAX: Final = 100  # of recordMo

APP_ID_CHARS: Final = (4, 32)
TO_DIGITS: Final = (10, 14)  # of a number that gets a code
OWN_CODE_CHARS_MAX: Final = 10  # of a code that the customer made
OPAQUE_CHARS_MAX: Final = 64  # of what is kept as it came
SETTINGS_ITEMS_MAX: Final = 1_000  # apps, templates and flows of an account, each: a profile is held in memory

assert NUMBERS_GET_MAX <= NUMBERS_POST_MAX <= limits.SUBMIT_MESSAGES_MAX, "the largest submission fits one transaction"
assert NUMBERS_POST_MAX * (limits.PREFIX_DIGITS_MAX + 2 + ORDER_CHARS_MAX) < limits.HTTP_BODY_BYTES_MAX
assert SPAN_DAYS_MAX <= HISTORY_DAYS
assert RECORDS_MAX < RECORDS_BURST_ROWS, "a whole answer can be had at once"
assert 2 * STREAMS_MAX < limits.DATABASE_CONNECTIONS_MAX, "long answers leave connections to the other calls"
