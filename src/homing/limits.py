"""Every bound in one place, with its unit last in its name, and how the bounds depend on each other.

Nothing in Homing grows without one of these: a queue, a body, a batch, a wait. The relations that must hold
between them are asserted at the bottom, so that a change which breaks one does not start.
"""

from typing import Final

# --- HTTP, data plane -------------------------------------------------------------------------------------
HTTP_BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # 1000 numbers and 1024 characters take about 30 kB; a batch 1.1 MB
HTTP_LINGER_BYTES_MAX: Final = 16 * 1024 * 1024  # of a refused body that is still read, so that its sender hears why
HTTP_LINGER_S: Final = 5.0
HTTP_QUERY_BYTES_MAX: Final = 64 * 1024
HTTP_HEADER_TIMEOUT_MS: Final = 10_000  # a client that dribbles its headers is cut off
HTTP_BODY_TIMEOUT_S: Final = 20.0
HTTP_HEAD_BUFFER_BYTES: Final = 8192 + 4096 * 30  # the server's read buffer, which also bounds a header flood
HTTP_BACKLOG: Final = 4096
HTTP_START_TIMEOUT_S: Final = 15.0
DRAIN_TIMEOUT_S: Final = 20.0  # SIGTERM: this long for what is in flight

# --- The dialects (contract sections in docs/reference) ----------------------------------------------------
LAAFFIC_NUMBERS_GET_MAX: Final = 100
LAAFFIC_NUMBERS_POST_MAX: Final = 1000
LAAFFIC_CONTENT_UNITS_MAX: Final = 1024  # UTF-16 units
LAAFFIC_SENDER_CHARS_MAX: Final = 32
LAAFFIC_ORDER_CHARS_MAX: Final = 64
LAAFFIC_REPORT_IDS_MAX: Final = 200
LAAFFIC_WINDOW_S: Final = 1800
LAAFFIC_SPAN_DAYS_MAX: Final = 31
LAAFFIC_HISTORY_DAYS: Final = 90
LAAFFIC_RECORDS_MAX: Final = 50_000
LAAFFIC_PAGE_MAX: Final = 100
LIA_NUMBERS_MAX: Final = 1000
LIA_TEXT_UNITS_MAX: Final = 1600
LIA_REFERENCE_CHARS_MAX: Final = 256
LIA_URL_CHARS_MAX: Final = 2048
LIA_VARIABLES: Final = 5
LIA_VARIABLE_CHARS_MAX: Final = 256
LIA_REGISTRATION_CHARS_MAX: Final = 64  # pe_id, template_id
PREFIX_DIGITS_MAX: Final = 15
VALIDITY_S_MIN: Final = 60
VALIDITY_S_MAX: Final = 172_800
VALIDITY_S_DEFAULT: Final = 172_800

# --- Intake and group commit -------------------------------------------------------------------------------
SEGMENTS_MAX: Final = 24  # above what either dialect's text limit can reach
SUBMIT_MESSAGES_MAX: Final = 4_000  # messages a submit transaction carries
SUBMIT_LINGER_S: Final = 0.001  # what arrives within it shares a transaction
SUBMIT_PENDING_MAX: Final = 200_000  # messages waiting for one; beyond it callers are told to come back
BATCH_ITEMS_MAX: Final = 1_000  # queries and conversions that share a statement
BATCH_PENDING_MAX: Final = 50_000
REQUERY_ROUNDS_MAX: Final = 8  # how often a submit batch is cut down to what the balance carries

# --- Database ----------------------------------------------------------------------------------------------
DATABASE_CONNECTIONS_MAX: Final = 8
DATABASE_STATEMENT_TIMEOUT_S: Final = 5.0  # a statement of the data plane; longer counts as our failure
DATABASE_SLOW_TIMEOUT_S: Final = 600.0  # proofs, exports and migrations
DATABASE_CONNECT_TIMEOUT_S: Final = 3.0
DATABASE_PROBE_INTERVAL_S: Final = 0.25
MIGRATION_LOCK_TIMEOUT_S: Final = 60.0

# --- Accounts cached in a process --------------------------------------------------------------------------
PROFILES_MAX: Final = 50_000
UNKNOWN_KEYS_MAX: Final = 10_000
PROFILE_AGE_S_MAX: Final = 30.0  # even if a change notice is missed
KEY_CHARS_MAX: Final = 256
QUERIES_PER_S_DEFAULT: Final = 20
QUERIES_BURST_FACTOR: Final = 2

# --- Ids ---------------------------------------------------------------------------------------------------
NODE_LEASE_S: Final = 30.0
NODE_RENEW_S: Final = 5.0
ID_AHEAD_MS_MAX: Final = 2_000  # how far a burst may borrow from coming milliseconds

# --- Dispatch ----------------------------------------------------------------------------------------------
LANES_PER_CARRIER: Final = 2  # transactional, promotional
CLAIM_MESSAGES_MAX: Final = 500
CLAIM_LEASE_S: Final = 60.0
CARRIER_SUBMIT_TIMEOUT_S: Final = 30.0
CARRIER_WINDOW_DEFAULT: Final = 2_000  # messages under way at a carrier
PULSE_S: Final = 0.05  # between looks for due rows
DISPATCH_ERROR_PAUSE_S: Final = 1.0
ATTEMPTS_MAX: Final = 5
RETRY_FIRST_S: Final = 5.0
RETRY_LONGEST_S: Final = 300.0
EXPIRY_SWEEP_S: Final = 5.0
OVERDUE_SWEEP_S: Final = 60.0
EXPIRY_GRACE_S: Final = 30.0  # a receipt on its way when the validity ends is still heard
OUTSTANDING_MAX: Final = 100_000  # what a carrier is asked about after a restart

# --- Receipts ----------------------------------------------------------------------------------------------
RECEIPTS_BATCH_MAX: Final = 500
RECEIPTS_PENDING_MAX: Final = 50_000
RECEIPTS_LINGER_S: Final = 0.01
RECEIPT_MATCH_DAYS: Final = 8  # how far back a carrier's reference is looked for
RECEIPT_PARK_RETRY_S: Final = 0.05  # the first time, then doubling
RECEIPT_PARK_RETRY_S_MAX: Final = 1.0
RECEIPT_PARK_S_MAX: Final = 300.0  # an early receipt waits this long for its submit answer, then counts as unmatched
RECEIPT_TEXT_CHARS_MAX: Final = 1_024

# --- Pushes ------------------------------------------------------------------------------------------------
PUSH_LANES: Final = 4
PUSH_BATCH_MAX: Final = 500
PUSH_IN_FLIGHT_MAX: Final = 1_000
PUSH_IN_FLIGHT_PER_ADDRESS_MAX: Final = 100
PUSH_CONNECT_TIMEOUT_S: Final = 5.0
PUSH_TIMEOUT_S: Final = 10.0
PUSH_LEASE_S: Final = 60.0
PUSH_LINGER_S: Final = 0.02
PUSH_ANSWER_CHARS_MAX: Final = 200
PUSH_BREAKER_FAILURES: Final = 10  # in a row, then the address rests
PUSH_BREAKER_REST_S: Final = 30.0
PUSH_WAITS_S: Final = (
    5,
    30,
    120,
    600,
    1_800,
    7_200,
    18_000,
    36_000,
    50_400,
    72_000,
    86_400,
)  # about three days

# --- Housekeeping ------------------------------------------------------------------------------------------
PARTITION_DAYS: Final = 7
PARTITIONS_AHEAD: Final = 4
PARTITION_SWEEP_S: Final = 3_600.0

# --- Processes ---------------------------------------------------------------------------------------------
API_WORKERS_AUTO_MAX: Final = 8
PROCESS_START_TIMEOUT_S: Final = 60.0
THREAD_SWITCH_S: Final = (
    0.0005  # the HTTP server's thread hands over call by call: at Python's 5 ms it queues behind a batch
)
GC_THRESHOLDS: Final = (20_000, 50, 100)  # a call makes some hundred objects that reference counting frees
PROCESS_RESTART_PAUSE_S: Final = 1.0
PROCESS_RESTART_PAUSE_S_MAX: Final = 30.0

assert CARRIER_SUBMIT_TIMEOUT_S < CLAIM_LEASE_S, "a lease outlives the submit it covers"
assert PUSH_TIMEOUT_S < PUSH_LEASE_S, "a lease outlives the push it covers"
assert NODE_RENEW_S * 3 < NODE_LEASE_S, "two lost heartbeats do not lose a node number"
assert LAAFFIC_NUMBERS_POST_MAX <= SUBMIT_MESSAGES_MAX, "the largest submission fits one transaction"
assert LAAFFIC_WINDOW_S > 0
assert VALIDITY_S_MIN <= VALIDITY_S_DEFAULT <= VALIDITY_S_MAX
