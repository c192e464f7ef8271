"""Limits that depend on each other or that several rooms share; a limit of one module stands in that module.

No queue, body, batch or wait in Homing is without a limit. A name ends with its unit, and behind it `MIN`, `MAX` or
`DEFAULT`. The relations that must hold are asserted at the bottom: with a change that breaks one no process starts.
"""

from typing import Final

# --- HTTP, data plane -------------------------------------------------------------------------------------
HTTP_BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # 1000 numbers and 1024 characters take about 30 kB; a batch 1.1 MB
HTTP_PARAMETERS_MAX: Final = 64  # of a query, a form or a flat object; the calls know fewer than 20
HTTP_QUERY_BYTES_MAX: Final = 64 * 1024
HTTP_BODY_TIMEOUT_S: Final = 20.0
DRAIN_TIMEOUT_S: Final = 20.0  # after SIGTERM, for calls and submits in flight

# --- Parameters of a call, in all dialects --------------------------------------------------------------
SENDER_CHARS_MAX: Final = 32
URL_CHARS_MAX: Final = 2048
TEMPLATE_VARIABLE_CHARS_MAX: Final = 256
REGISTRATION_CHARS_MAX: Final = 64  # pe_id, template_id
PREFIX_DIGITS_MAX: Final = 15
VALIDITY_S_MIN: Final = 60
VALIDITY_S_MAX: Final = 172_800
VALIDITY_S_DEFAULT: Final = 172_800

# --- Intake and group commit -------------------------------------------------------------------------------
SEGMENTS_MAX: Final = 24  # above what any dialect's text limit can reach
SUBMIT_MESSAGES_MAX: Final = 4_000  # messages a submit transaction carries
SUBMIT_PENDING_MAX: Final = 200_000  # messages that wait for a transaction; beyond it calls are refused as overload
BATCH_ITEMS_MAX: Final = 1_000  # queries and conversions that share a statement
BATCH_PENDING_MAX: Final = 50_000

# --- Database ----------------------------------------------------------------------------------------------
DATABASE_CONNECTIONS_MAX: Final = 8
DATABASE_STATEMENT_TIMEOUT_S: Final = 5.0  # of a statement of the data plane; a slower one has failed
DATABASE_SLOW_TIMEOUT_S: Final = 600.0  # proofs, exports and migrations
DATABASE_CONNECT_TIMEOUT_S: Final = 3.0  # to borrow a connection, which may have to be made
DATABASE_HOST_TIMEOUT_S: Final = 1.4  # to connect to one host of the URL: then the next is tried
assert 2 * DATABASE_HOST_TIMEOUT_S < DATABASE_CONNECT_TIMEOUT_S
CLOCK_STEP_S_MIN: Final = 2.0  # a smaller difference between the clocks is drift
DATABASE_WATCH_S: Final = 0.5  # between checks that the embedded PostgreSQL runs
DATABASE_PROBE_INTERVAL_S: Final = 0.25

# --- Accounts cached in a process --------------------------------------------------------------------------
PROFILES_MAX: Final = 50_000
PROFILE_AGE_S_MAX: Final = 30.0  # even if a change notice is missed
KEY_CHARS_MAX: Final = 256
QUERIES_PER_S_DEFAULT: Final = 20

# --- Ids ---------------------------------------------------------------------------------------------------
ID_NODE_LEASE_S: Final = 30.0
ID_NODE_RENEW_S: Final = 5.0
ID_AHEAD_MS_MAX: Final = 2_000  # how far a burst may borrow from coming milliseconds

# --- Dispatch ----------------------------------------------------------------------------------------------
LANES_PER_CARRIER: Final = 2  # transactional, promotional
CLAIM_MESSAGES_MAX: Final = 500
CLAIM_LEASE_S: Final = 60.0
CARRIER_SUBMIT_TIMEOUT_S: Final = 30.0
CARRIER_NAMES_THREADS: Final = 2  # names of one carrier that are looked up at once
CARRIER_CLOSE_TIMEOUT_S: Final = 15.0
DUE_POLL_S: Final = 0.05  # between two queries for due rows
DISPATCH_ERROR_PAUSE_S: Final = 1.0
CARRIER_TEXT_CHARS_MAX: Final = 500
EXPIRY_GRACE_S: Final = 30.0  # a receipt that comes so soon after the validity's end still counts
OUTSTANDING_MAX: Final = 100_000  # messages whose status a carrier is asked for after a restart

# --- Leases on carriers ------------------------------------------------------------------------------------
CARRIER_LEASE_S: Final = 7.0
CARRIER_RETURN_GRACE_S: Final = 3.0  # after a database outage, before carriers start: pending answers are stored first
CARRIER_LEASE_TICK_S: Final = 1.0  # between two renewals, with a look for free carriers

# --- Receipts ----------------------------------------------------------------------------------------------
RECEIPTS_BATCH_MAX: Final = 500
RECEIPT_MATCH_DAYS: Final = 8  # how far back a carrier's reference is looked for
RECEIPT_PARK_RETRY_S_MAX: Final = 20.0  # between two tries of one parked receipt
RECEIPT_PARK_S_MAX: Final = 300.0  # an early receipt waits this long for its submit answer, then counts as unmatched
RECEIPT_REF_CHARS_MAX: Final = 255
RECEIPT_STATUS_CHARS_MAX: Final = 64  # a state or an error code as a carrier words it
RECEIPT_CLOCK_AHEAD_S_MAX: Final = 60.0
RECEIPT_LEARN_S: Final = 5.0  # between two reads of the formats that all processes have learnt
RECEIPT_UNANSWERED_S_MIN: Final = 40.0  # after so long a parked receipt may belong to a submit whose answer was lost
RECEIPT_UNMATCHED_DAYS: Final = 30  # then an unmatched receipt is deleted

# --- Pushes ------------------------------------------------------------------------------------------------
PUSH_LANES: Final = 4
PUSH_BATCH_MAX: Final = 200
PUSH_IN_FLIGHT_MAX: Final = 1_000
PUSH_IN_FLIGHT_PER_ACCOUNT_MAX: Final = (
    230  # and never more than are free; beyond it the account's pushes are not claimed
)
PUSH_IN_FLIGHT_PER_RECIPIENT_MAX: Final = 100  # a webhook endpoint, or the account's other addresses together; and
# never more than the account has free, so that a slow one leaves room
PUSH_IN_FLIGHT_PER_RECIPIENT_MIN: Final = 2  # however many the others of its account have
WEBHOOKS_MAX: Final = 20  # of an account: each event is a push to each
PUSH_TIMEOUT_S: Final = 10.0
PUSH_LEASE_S: Final = 60.0
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

# --- SMPP --------------------------------------------------------------------------------------------------
SMPP_PDU_BYTES_MAX: Final = 72 * 1024  # a message_payload of 64 KiB and 255 destinations fit
SMPP_CREDENTIAL_CHARS_MAX: Final = 255  # of system_id and password; 3.4 has 15 and 8, and many SMSCs issue longer ones
SMPP_UNSENT_PDUS_MAX: Final = 10_000  # buffered for a peer that does not read; beyond it we stop reading
SMPP_ENQUIRE_LINK_S: Final = 30.0  # of silence before enquire_link
SMPP_INACTIVITY_S: Final = 86_400.0  # without traffic, then the session is closed
SMPP_RESPONSE_S: Final = 30.0
SMPP_CLOSE_S: Final = 5.0  # to flush the socket's buffer when a session ends
SMPP_SWEEP_S: Final = 1.0  # between two sweeps of the session timers, which may be late by this
SMPP_BACKLOG: Final = 1_024

# --- SMPP server -------------------------------------------------------------------------------------------
BINDS_MAX: Final = 30_000
BIND_WINDOW_DEFAULT: Final = 500  # outstanding requests in each direction
BIND_WINDOW_MAX: Final = 5_000
SUBMITS_PER_S_MAX: Final = 1_000_000
SUBMITS_PER_S_DEFAULT: Final = 1_000  # of a new account over SMPP, in each process: more than most ever send
MULTIPART_WAIT_S: Final = 60.0  # from one part of a multipart message to the next
MULTIPART_SWEEP_S: Final = 5.0
BIND_LEASE_S: Final = 60.0  # of deliveries to a bind

# --- SMPP carrier ------------------------------------------------------------------------------------------
SMPP_CARRIER_RESPONSE_S_MAX: Final = 20.0
SMPP_CARRIER_SPARE_S: Final = 3.0  # of a submit's time, reserved for late timers
SMPP_CARRIER_THROTTLE_PAUSE_S_MAX: Final = 8.0
SMPP_CARRIER_CLOSE_S: Final = 5.0

# --- Wrong passwords (common/password_guard.py) ---------------------------------------------------------------
PASSWORD_FAILURES_MAX: Final = 10  # wrong passwords from an address, then it is locked out
PASSWORD_ADDRESS_FAILURES_MAX: Final = 100  # of calls from an address, whatever their keys
PASSWORD_LOCKED_ITEMS_MAX: Final = 5_000  # locks that a process reads; the longest first
PASSWORD_PENDING_MAX: Final = 10  # concurrent checks for an address without a right password so far
PASSWORD_GUARD_KEYS_MAX: Final = 20_000  # addresses, names and pairs that are remembered, of each

# --- Console -----------------------------------------------------------------------------------------------
CONSOLE_SESSION_S: Final = 43_200.0  # from sign-in to the next
CONSOLE_IDLE_S: Final = 3_600.0  # without a request
CONSOLE_SEEN_S: Final = 60.0  # resolution of a session's last use
CONSOLE_SECOND_FACTOR_S: Final = 300.0  # between the password and the code
CODE_ATTEMPTS_MAX: Final = 5  # wrong codes that may be entered of a verification, then it has failed
CONSOLE_CODE_ATTEMPTS_MAX: Final = 5  # of a sign-in, then the password is asked for again
CONSOLE_USER_CODE_ATTEMPTS_MAX: Final = 20  # of a user in an hour; then every code is refused until it ends
CONSOLE_LINK_S: Final = 86_400.0  # a one-time link by which a password is set
CONSOLE_USER_CHARS_MAX: Final = 64
CONSOLE_TEXT_CHARS_MAX: Final = 200  # of a browser's name, a path, a filter
CONSOLE_PAGE_ROWS: Final = 50
SEARCH_LOOKED_MAX: Final = 10_000  # messages that a search reads before it stops and says so
PUSHES_REPLAYED_MAX: Final = 1_000  # by one command
RECEIPTS_COUNTED_MAX: Final = 10_000  # unmatched receipts of a carrier; more are shown as this number
GUARD_DECISIONS_LOOKED_AT: Final = 20_000  # read for a page of one rule's decisions

# --- Carriers over HTTP ------------------------------------------------------------------------------------
API_TIMEOUT_S: Final = 18.0
API_START_S: Final = 8.0  # for a free connection; after it a message has certainly not gone
API_THROTTLE_S: Final = 1.0  # the pause after a vendor's "too frequent" without a time
API_THROTTLE_S_MAX: Final = 60.0
API_ASK_S_MAX: Final = 259_200.0  # then the status query is given up
API_TOKEN_CHARS_MIN: Final = 16
INBOUND_TEXT_CHARS_MAX: Final = 10_000  # of an inbound message: 64 parts of 153 characters

# --- Learning ----------------------------------------------------------------------------------------------
LEARN_S: Final = 5.0  # between two updates of the learner
LEARN_CHOICE_DAYS: Final = 30  # for which the evidence of shares is kept
CONCLUSIONS_FORGET_S: Final = 3_600.0  # between two deletions of expired learner and guard data

# --- Statistics --------------------------------------------------------------------------------------------
ROLLUP_S: Final = 1.0  # between two rollups
STAT_MINUTE_DAYS: Final = 2
STAT_HOUR_DAYS: Final = 100
LEADER_LEASE_S: Final = 7.0
REPORTING_MESSAGES_MIN: Final = 3  # converted messages that show that an app reports conversions
REPORTING_MESSAGES_PER_CONVERSION_MAX: Final = 100  # and at least one of so many
PAST_HOURS_DAYS: Final = 14  # of statistics that a listener reads at its start: by hour, the last two hours by minute
PAST_MINUTES_S: Final = 7_200

# --- Guard -------------------------------------------------------------------------------------------------
GUARD_SNAPSHOT_S: Final = 2.0  # between two snapshots, and between two reads
GUARD_KEEP_DAYS: Final = 90  # decisions, verdicts and the state of idle networks

# --- Refused calls ----------------------------------------------------------------------------------------
REFUSED_CALL_DAYS: Final = 14  # listed one by one
REFUSED_CALL_ROWS_MAX: Final = 500_000  # likewise, of all accounts: 150 MB
REFUSED_CALL_SUM_DAYS: Final = 100

# --- Maintenance ------------------------------------------------------------------------------------------
PARTITION_DAYS: Final = 7
PARTITION_SWEEP_S: Final = 3_600.0

# --- Processes ---------------------------------------------------------------------------------------------
PROCESS_RESTART_PAUSE_S: Final = 1.0

assert CARRIER_SUBMIT_TIMEOUT_S < CLAIM_LEASE_S, "a lease outlives the submit it covers"
assert CARRIER_CLOSE_TIMEOUT_S < DRAIN_TIMEOUT_S, "a carrier that does not answer does not hold up the end"
assert API_START_S + API_TIMEOUT_S < CARRIER_SUBMIT_TIMEOUT_S, (
    "a submit that waits for a connection has its answer in time"
)
assert VALIDITY_S_MAX < API_ASK_S_MAX
assert (
    2
    * (
        PUSH_IN_FLIGHT_PER_ACCOUNT_MAX
        + PUSH_BATCH_MAX
        + (WEBHOOKS_MAX + 1) * (2 * PUSH_IN_FLIGHT_PER_RECIPIENT_MIN - 1)
    )
    <= PUSH_IN_FLIGHT_MAX
), "one account leaves half to others: its share and what claims take beyond it, also for its recipients' own places"
assert PUSH_IN_FLIGHT_PER_RECIPIENT_MAX < PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, "a recipient leaves room to others"
assert PUSH_TIMEOUT_S < PUSH_LEASE_S, "a lease outlives the push it covers"
assert RECEIPT_UNANSWERED_S_MIN > CARRIER_SUBMIT_TIMEOUT_S, "every submit under way when a receipt came has its answer"
assert RECEIPT_UNANSWERED_S_MIN + RECEIPT_PARK_RETRY_S_MAX < RECEIPT_PARK_S_MAX, (
    "and is tried once more before it is given up"
)
assert CARRIER_LEASE_S + CARRIER_LEASE_TICK_S * 2 < 10, "a dead process's carriers have a new owner within ten seconds"
assert CARRIER_RETURN_GRACE_S > 2 * DISPATCH_ERROR_PAUSE_S, "answers that wait in memory are stored within it"
assert CARRIER_LEASE_TICK_S * 3 < CARRIER_LEASE_S, "two lost heartbeats do not lose a carrier"
assert SMPP_RESPONSE_S + 2 * SMPP_SWEEP_S < CLAIM_LEASE_S, "a lease outlives the wait for its submits' answers"
assert SMPP_CARRIER_RESPONSE_S_MAX + SMPP_CARRIER_SPARE_S < CARRIER_SUBMIT_TIMEOUT_S, (
    "time is left to wait for the window"
)
assert SMPP_CARRIER_SPARE_S > 2 * SMPP_SWEEP_S, "timers that run out late are within it"
assert SMPP_CARRIER_CLOSE_S + SMPP_CLOSE_S < CARRIER_CLOSE_TIMEOUT_S, "a carrier's links close in order"
assert SMPP_RESPONSE_S < SMPP_INACTIVITY_S, "a bind that waits for an answer is not idle"
assert SMPP_PDU_BYTES_MAX > 65_535 + 255 * 24 + 400, "the largest submit_multi fits"
assert SMPP_RESPONSE_S + 2 * SMPP_SWEEP_S < BIND_LEASE_S, "a lease outlives the wait for the customer's answer"
assert MULTIPART_SWEEP_S < MULTIPART_WAIT_S, "an incomplete message is given up in time"
assert BIND_WINDOW_DEFAULT <= SUBMITS_PER_S_DEFAULT <= SUBMITS_PER_S_MAX, "a full window at once is within the rate"
assert BIND_WINDOW_MAX <= SMPP_UNSENT_PDUS_MAX, "a full window's answers are kept for a peer that reads late"
assert ROLLUP_S * 3 < LEADER_LEASE_S, "two late rounds do not lose the leader lease"
assert PAST_MINUTES_S < STAT_MINUTE_DAYS * 86_400, "minutes are kept for as long as listeners read them"
assert PAST_HOURS_DAYS <= STAT_HOUR_DAYS
assert CONSOLE_SEEN_S < CONSOLE_IDLE_S < CONSOLE_SESSION_S
assert CONSOLE_CODE_ATTEMPTS_MAX < CONSOLE_USER_CODE_ATTEMPTS_MAX
assert CONSOLE_SECOND_FACTOR_S < CONSOLE_IDLE_S
assert ID_NODE_RENEW_S * 3 < ID_NODE_LEASE_S, "two lost heartbeats do not lose a node number"
assert PASSWORD_FAILURES_MAX < PASSWORD_ADDRESS_FAILURES_MAX, "one key's wrong passwords do not lock out an address"
assert PASSWORD_LOCKED_ITEMS_MAX < PASSWORD_GUARD_KEYS_MAX
assert VALIDITY_S_MIN <= VALIDITY_S_DEFAULT <= VALIDITY_S_MAX
