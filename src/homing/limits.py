"""Every bound in one place, with its unit last in its name, and how the bounds depend on each other.

Nothing in Homing grows without one of these: a queue, a body, a batch, a wait. The relations that must hold
between them are asserted at the bottom, so that a change which breaks one does not start.
"""

from typing import Final

# --- HTTP, data plane -------------------------------------------------------------------------------------
HTTP_BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # 1000 numbers and 1024 characters take about 30 kB; a batch 1.1 MB
HTTP_PARAMETERS_MAX: Final = 64  # of a query, a form or a flat object; the calls know fewer than 20
HTTP_LINGER_BYTES_MAX: Final = 16 * 1024 * 1024  # of a refused body that is still read, so that its sender hears why
HTTP_LINGER_S: Final = 5.0
HTTP_QUERY_BYTES_MAX: Final = 64 * 1024
HTTP_HEADER_TIMEOUT_MS: Final = 10_000  # a client that dribbles its headers is cut off
HTTP_BODY_TIMEOUT_S: Final = 20.0
HTTP_UNREAD_TIMEOUT_MS: Final = 20_000  # a client that takes nothing of its answer for so long is cut off
HTTP_HEAD_BUFFER_BYTES: Final = 8192 + 4096 * 30  # the server's read buffer, which also bounds a header flood
HTTP_ADDRESSES_KEYS_MAX: Final = 5_000  # peers and X-Forwarded-For whose caller is remembered
HTTP_BACKLOG: Final = 4096
HTTP_START_TIMEOUT_S: Final = 15.0
DRAIN_TIMEOUT_S: Final = 20.0  # SIGTERM: this long for what is in flight

# --- What a call may hold, in whatever dialect --------------------------------------------------------------
SENDER_CHARS_MAX: Final = 32
URL_CHARS_MAX: Final = 2048
TEMPLATE_VARIABLES: Final = 5
TEMPLATE_VARIABLE_CHARS_MAX: Final = 256
REGISTRATION_CHARS_MAX: Final = 64  # pe_id, template_id
PREFIX_DIGITS_MAX: Final = 15
VALIDITY_S_MIN: Final = 60
VALIDITY_S_MAX: Final = 172_800
VALIDITY_S_DEFAULT: Final = 172_800

# --- Intake and group commit -------------------------------------------------------------------------------
SEGMENTS_MAX: Final = 24  # above what any dialect's text limit can reach
SUBMIT_MESSAGES_MAX: Final = 4_000  # messages a submit transaction carries
SUBMIT_LINGER_S: Final = 0.001  # what arrives within it shares a transaction
SUBMIT_LINGER_S_LONGEST: Final = 0.01  # while more keeps coming and batches take long
SUBMIT_COMPANY: Final = 24  # messages that bear a transaction's own cost together: nobody waits for more
SUBMIT_PENDING_MAX: Final = 200_000  # messages waiting for one; beyond it callers are told to come back
BATCH_ITEMS_MAX: Final = 1_000  # queries and conversions that share a statement
BATCH_PENDING_MAX: Final = 50_000
REQUERY_ROUNDS_MAX: Final = 8  # how often a submit batch is cut down to what the balance carries

# --- Database ----------------------------------------------------------------------------------------------
DATABASE_CONNECTIONS_MAX: Final = 8
STATEMENT_ROWS: Final = 1_000  # that are read at once for a download
STATEMENT_DOWNLOADS_MAX: Final = 2  # at once in a process, one of a user
STATEMENT_WAIT_S: Final = 3.0  # for a place among them
DATABASE_STATEMENT_TIMEOUT_S: Final = 5.0  # a statement of the data plane; longer counts as our failure
DATABASE_PREFETCH_ROWS: Final = 1_000  # of rows that are read one by one
DATABASE_SLOW_TIMEOUT_S: Final = 600.0  # proofs, exports and migrations
DATABASE_CONNECT_TIMEOUT_S: Final = 3.0  # to borrow a connection, which may have to be made
DATABASE_HOST_TIMEOUT_S: Final = 1.4  # to connect to one host of the URL: then the next is tried
assert 2 * DATABASE_HOST_TIMEOUT_S < DATABASE_CONNECT_TIMEOUT_S
CLOCK_WATCH_S: Final = 2.0  # between looks whether the machine's clock was stepped
CLOCK_STEP_S_MIN: Final = 2.0  # what counts as a step, and not as drift
CLOCK_AHEAD_S_MAX: Final = 86_400.0  # a latest time that lies further ahead was a wrong clock's: nobody goes on from it
DATABASE_WATCH_S: Final = 0.5  # between looks whether the embedded PostgreSQL runs
DATABASE_RESTART_PAUSE_S_MAX: Final = 30.0
DATABASE_PROBE_INTERVAL_S: Final = 0.25
MIGRATION_LOCK_TIMEOUT_S: Final = 60.0

# --- Accounts cached in a process --------------------------------------------------------------------------
PROFILES_MAX: Final = 50_000
UNKNOWN_KEYS_MAX: Final = 10_000
PROFILE_AGE_S_MAX: Final = 30.0  # even if a change notice is missed
KEY_CHARS_MAX: Final = 256
SECRET_CHARS_MIN: Final = 16  # 95 bits: against a recorded signature guesses cost no call
SECRET_SMPP_CHARS_MIN: Final = 8  # what SMPP 3.4 has room for
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
WRITTEN_SLOTS: Final = 4_096  # of marks, by which their file grows
WRITTEN_KEPT_S: Final = 7 * 86_400.0  # the marks of a dead process: a carrier may be disabled for days
CARRIER_NAMES_THREADS: Final = 2  # names of one carrier that are looked up at once
CARRIER_CLOSE_TIMEOUT_S: Final = 15.0
CARRIER_WINDOW_DEFAULT: Final = 2_000  # messages under way at a carrier
PULSE_S: Final = 0.05  # between looks for due rows
DISPATCH_ERROR_PAUSE_S: Final = 1.0
ATTEMPTS_MAX: Final = 5  # after an answer that was lost: each may have reached the person
DEFERRALS_MAX: Final = 1_000  # certainly unsent, so it is the validity that ends them
CARRIER_WORDS_CHARS_MAX: Final = 500
RETRY_FIRST_S: Final = 5.0
RETRY_LONGEST_S: Final = 300.0
EXPIRY_SWEEP_S: Final = 5.0
OVERDUE_SWEEP_S: Final = 60.0
EXPIRY_GRACE_S: Final = 30.0  # a receipt on its way when the validity ends is still heard
OUTSTANDING_MAX: Final = 100_000  # what a carrier is asked about after a restart
CLAIM_LINGER_S: Final = 0.02  # for a little more room, so that claims are not of one message each
ANSWERS_PENDING_MAX: Final = 20_000  # answered and not yet stored: then no more is claimed
ANSWERS_LINGER_S: Final = 0.02
REROUTE_SWEEP_S: Final = 1.0
REROUTE_PAGES_MAX: Final = 20  # of a lane, in one sweep
BREAKER_FAILURES: Final = 10  # unanswered or deferred in a row, then the carrier rests
BREAKER_REFUSALS: Final = 100  # refused in a row: a wrong password refuses everything
BREAKER_REST_S: Final = 5.0  # the first rest, then doubling
BREAKER_REST_S_MAX: Final = 60.0

# --- Leases on carriers ------------------------------------------------------------------------------------
CARRIER_LEASE_S: Final = 7.0
CARRIER_RETURN_GRACE_S: Final = 3.0  # after an outage of the database, before carriers are started: answers first
CARRIER_LEASE_TICK_S: Final = 1.0  # renewed, and free carriers looked for
CARRIER_FREE_S: Final = 2.0  # free for so long: taken above one's share as well
CARRIER_SHARE_S: Final = 5.0  # above one's share for so long while others are below: one is given up

# --- Receipts ----------------------------------------------------------------------------------------------
RECEIPTS_BATCH_MAX: Final = 500
RECEIPTS_PENDING_MAX: Final = 50_000
RECEIPTS_LINGER_S: Final = 0.01
RECEIPT_MATCH_DAYS: Final = 8  # how far back a carrier's reference is looked for
RECEIPT_PARK_RETRY_S: Final = 0.05  # the first time, then doubling
RECEIPT_PARK_RETRY_S_MAX: Final = 1.0
RECEIPT_PARK_RETRY_S_LONGEST: Final = 20.0  # between two tries of one parked receipt
RECEIPT_PARK_S_MAX: Final = 300.0  # an early receipt waits this long for its submit answer, then counts as unmatched
RECEIPT_TEXT_CHARS_MAX: Final = 1_024
INBOUND_ADDRESS_CHARS_MAX: Final = 32
RECEIPT_READ_CHARS_MAX: Final = 4_096  # of a receipt's text, looked at for fields
RECEIPT_REF_CHARS_MAX: Final = 255
RECEIPT_WORDS_CHARS_MAX: Final = 64  # a state or an error code as a carrier words it
RECEIPT_CLOCK_BEHIND_S_MAX: Final = 172_800.0  # a carrier's date further back than this is nonsense
RECEIPT_CLOCK_AHEAD_S_MAX: Final = 60.0
RECEIPT_CANDIDATES_MAX: Final = 8  # messages of one reference that are looked at: the latest
RECEIPT_PART_CANDIDATES_MAX: Final = 64
RECEIPT_REPEATED_REFS_MAX: Final = 1_000  # read for those: a carrier that answers the same id for ever costs no more
RECEIPT_MATCH_AHEAD_S: Final = 3_600.0  # ids of machines whose clocks are ahead
RECEIPT_REPLAY_DAYS_MAX: Final = 60  # how far back a replayed receipt's match days may begin
RECEIPT_FORM_NUMBERS_MIN: Final = 20  # numbers that agreed before a carrier's form counts as learnt
RECEIPT_LEARN_S: Final = 5.0  # between two looks at what all processes have learnt
RECEIPT_UNANSWERED_S_MIN: Final = 40.0  # parked for so long, a receipt may be that of a submit whose answer was lost
RECEIPT_UNANSWERED_S_MAX: Final = 21_600.0  # such a submit began at most this long before its receipt
RECEIPT_UNANSWERED_MAX: Final = 10_000
INBOUND_UNMATCHED_DAYS: Final = 30  # replies of which no account was found are kept so long, for people to see
INBOUND_UNMATCHED_MESSAGES_MAX: Final = 100_000  # of them; the oldest go first
INBOUND_REPLAY_S: Final = 5.0  # between two looks for those that somebody wants tried again
INBOUND_REPLAY_BATCH: Final = 100
INBOUND_TWIN_DAYS: Final = 4  # vendors that push again do so for three days or less
RECEIPT_UNMATCHED_DAYS: Final = 30  # in the list, then dropped
PART_GRACE_S: Final = 300.0  # silence after a delivered part: then the message counts as delivered

# --- Pushes ------------------------------------------------------------------------------------------------
PUSH_LANES: Final = 4
PUSH_BATCH_MAX: Final = 200
PUSH_IN_FLIGHT_MAX: Final = 1_000
PUSH_IN_FLIGHT_PER_ACCOUNT_MAX: Final = 300  # and no more than are left free: then no more of it are claimed
PUSH_IN_FLIGHT_PER_ADDRESS_MAX: Final = 100
PUSH_CONNECT_TIMEOUT_S: Final = 5.0
PUSH_RESOLVE_TIMEOUT_S: Final = 4.0
PUSH_RESOLVER_THREADS: Final = 32  # their own: names that never resolve hold up nothing else
PUSH_RESOLVES_PER_ACCOUNT_MAX: Final = 2  # threads that an account's names have at once: others have theirs
PUSH_RESOLVE_FAILURES: Final = 3  # of an account's names in a domain, then it has none of it looked up for a while
PUSH_RESOLVE_REST_S: Final = 60.0
PUSH_TIMEOUT_S: Final = 10.0
PUSH_LEASE_S: Final = 60.0
PUSH_LINGER_S: Final = 0.02
PUSH_ANSWER_CHARS_MAX: Final = 200
PUSH_BREAKER_FAILURES: Final = 10  # in a row, then the host rests
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

# --- Clients -----------------------------------------------------------------------------------------------

# --- SMPP --------------------------------------------------------------------------------------------------
SMPP_PDU_BYTES_MAX: Final = 72 * 1024  # a message_payload of 64 KiB and 255 destinations fit
SMPP_PDU_UNBOUND_BYTES_MAX: Final = 4 * 1024  # before a bind
SMPP_CREDENTIAL_CHARS_MAX: Final = 255  # of system_id and password; 3.4 has 15 and 8, and many centres give longer ones
SMPP_CSTRING_BYTES_MAX: Final = 255  # read where the specification allows fewer; requests with more are refused
SMPP_WINDOW_OUT_DEFAULT: Final = 100  # requests that wait for the other end's answer
SMPP_WINDOW_IN_DEFAULT: Final = 1_000  # requests that wait for ours; beyond it they are told to slow down
SMPP_GIVEN_UP_MAX: Final = 1_000  # requests of a link whose answer is still known when it comes late
SMPP_UNSENT_PDUS_MAX: Final = 10_000  # kept for a peer that does not read; beyond it we do not read either
SMPP_FAULTS_UNBOUND_MAX: Final = 3  # PDUs before a bind that are none, then the connection ends
SMPP_PDUS_A_TURN_MAX: Final = 200  # of one connection in one turn of the loop: others have theirs between
SMPP_FREE_PER_S: Final = 50.0  # PDUs of a peer that cost it nothing and us an answer or a look: enquire_link, strays
SMPP_FREE_BURST: Final = 200.0  # of such at once; beyond it the connection ends
SMPP_SOCKET_BUFFER_BYTES_MAX: Final = 256 * 1024  # handed to the transport before we wait for it
SMPP_SESSION_INIT_S: Final = 10.0  # from connecting to the bind
SMPP_ENQUIRE_LINK_S: Final = 30.0  # of silence, then the link is asked whether it lives
SMPP_INACTIVITY_S: Final = 86_400.0  # without traffic a bind is ended
SMPP_RESPONSE_S: Final = 30.0
SMPP_CLOSE_S: Final = 5.0  # for what is in the socket's buffer when a session ends
SMPP_SWEEP_S: Final = 1.0  # how often a session's timers are looked at: they may be late by this
SMPP_CONNECT_TIMEOUT_S: Final = 10.0
SMPP_BACKLOG: Final = 1_024

# --- SMPP server -------------------------------------------------------------------------------------------
BINDS_DEFAULT_MAX: Final = 8  # of an account, over all processes
BINDS_MAX: Final = 30_000
BIND_WINDOW_DEFAULT: Final = 500  # requests that may wait for their answers, each way
BIND_WINDOW_MAX: Final = 5_000
SUBMITS_PER_S_MAX: Final = 1_000_000
SUBMITS_PER_S_DEFAULT: Final = 1_000  # of a new account over SMPP, in each process: more than most ever send
BIND_UNBOUND_CONNECTIONS_MAX: Final = 2_000  # connections that have not bound; beyond it new ones are closed
BIND_UNBOUND_PER_ADDRESS_CONNECTIONS_MAX: Final = 500
BIND_KNOWN_NETWORKS_MAX: Final = 10_000  # of which it is remembered that they have bound: they are no strangers
BIND_FILES_RESERVED: Final = 256  # open files that no customer's connection may take: for the database and the rest
SMPP_FIRST_OCTET_S: Final = 3.0  # from connecting to anything at all
SMPP_HANDSHAKE_S: Final = 10.0  # of TLS
LONG_PART_BYTES_MAX: Final = 254  # SMPP 3.4, 4.4.1: short_message holds no more, and a part by SAR needs no more
LONG_PARTS_OPEN_MAX: Final = 10_000  # of an account, that wait for others of their message
BIND_CHECK_S: Final = 60.0  # between looks whether those who are bound still may
BIND_SEEN_S: Final = 3_600.0  # how exactly it is known when an account was last bound
BIND_BATCH_ITEMS_MAX: Final = 500  # binds that share a transaction
BIND_CLOSE_S: Final = 5.0  # for customers to answer our unbind, when we stop
LONG_WAIT_S: Final = 60.0  # from one part of a long message to the next
LONG_LEASE_S: Final = 60.0  # for the message to be stored once all parts are there
LONG_SWEEP_S: Final = 5.0
LONG_BATCH_ITEMS_MAX: Final = 500
LONG_LINGER_S: Final = 0.003
LONG_KEEP_DAYS: Final = 8  # a part's id leads to its message for so long
BIND_LEASE_S: Final = 60.0  # on what is being delivered to a bind
BIND_CLAIM_ITEMS_MAX: Final = 1_000
BIND_LINGER_S: Final = 0.02
BIND_LOOK_S_PER_ACCOUNT: Final = 0.00005  # looks for deliveries come this much rarer for each bound account
BIND_LOOK_S_MAX: Final = 1.0
BIND_GIVE_UP_SWEEP_S: Final = 60.0
BIND_KEEP_DAYS: Final = 3  # receipts and inbound messages wait so long for a bind that receives
BIND_INBOUND_DAYS: Final = 3  # inbound messages are kept for a bind if there was one within so many
BIND_WAITS_S: Final = (1, 5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)

# --- SMPP carrier ------------------------------------------------------------------------------------------
SMPP_CARRIER_BINDS_MAX: Final = 32  # links of a carrier; of pairs, so many of each
SMPP_CARRIER_WINDOW_MAX: Final = 1_000
SMPP_CARRIER_WINDOW_DEFAULT: Final = 10
SMPP_CARRIER_RESPONSE_S_MAX: Final = 20.0
SMPP_CARRIER_SPARE_S: Final = 3.0  # of a submit's time, for timers that run out late
SMPP_CARRIER_AHEAD_S: Final = 1.0  # of what the rate allows, waiting in the carrier
SMPP_CARRIER_BURST_S: Final = 0.1  # of what the rate allows, in one go
SMPP_CARRIER_PACE_S_MIN: Final = 0.005
SMPP_CARRIER_THROTTLE_PAUSE_S_MAX: Final = 8.0
SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX: Final = 4  # of a message at one stay: a full mailbox must not hold up a link
SMPP_CARRIER_DOWN_S: Final = 3.0  # without any link, then what waits in the carrier is given back
SMPP_CARRIER_STEADY_S: Final = 30.0  # a link that lived so long was not a failure
SMPP_CARRIER_REFUSED_WAIT_FACTOR_S: Final = 10.0  # how much longer a refused bind waits than a lost link
SMPP_CARRIER_WINDOW_IN: Final = 500  # receipts of one link that wait to be stored; beyond it we do not read
SMPP_CARRIER_REPORTS_BATCH_MAX: Final = 500
SMPP_CARRIER_FRAGMENTS_BYTES_MAX: Final = 4 * 1024 * 1024  # of inbound messages that are not complete
SMPP_CARRIER_FRAGMENT_HOLD_S: Final = 1.0  # an inbound part waits so long for the others before it is answered
SMPP_CARRIER_FRAGMENTS_S: Final = 300.0  # then what there is of an inbound message is passed on
SMPP_CARRIER_QUERY_AGE_S: Final = 300.0
SMPP_CARRIER_QUERY_PAUSE_S: Final = 0.1  # between two query_sm
SMPP_CARRIER_CLOSE_S: Final = 5.0

# --- Wrong passwords (common/password_guard.py) ---------------------------------------------------------------
PASSWORD_FAILURES_MAX: Final = 10  # wrong passwords from an address, then it is locked out
PASSWORD_ADDRESS_FAILURES_MAX: Final = 100  # of calls from an address, whatever their keys
PASSWORD_LOCKS_S: Final = 3.0  # between two looks at what other processes have locked
PASSWORD_LOCKS_PENDING_MAX: Final = 1_000  # not yet stored
PASSWORD_LOCKED_ITEMS_MAX: Final = 5_000  # locks that a process reads, those that last longest
PASSWORD_LOCK_S: Final = 60.0  # the first time, then doubling with each further failure
PASSWORD_LOCK_S_MAX: Final = 3_600.0
PASSWORD_DELAY_FIRST_S: Final = 0.5  # after the first wrong password, then doubling
PASSWORD_DELAY_S_MAX: Final = 8.0
PASSWORD_SPARED_FAILURES: Final = 5  # of a name (a system_id, a user) from anywhere, before strangers have to wait
PASSWORD_STRANGER_DELAY_S_MAX: Final = 3.0
PASSWORD_FORGET_S: Final = 900.0  # without a further one, wrong passwords are forgotten
PASSWORD_PENDING_MAX: Final = 10  # passwords of one address that are being checked at once, until one was right
PASSWORD_PENDING_WAIT_S: Final = 5.0
PASSWORD_GUARD_KEYS_MAX: Final = 20_000  # addresses, names and pairs that are remembered, of each

# --- Console -----------------------------------------------------------------------------------------------
CONSOLE_CONNECTIONS_MAX: Final = 4
CONSOLE_BODY_BYTES_MAX: Final = 1024 * 1024  # a form; a sheet of prices is the largest
CONSOLE_STRANGER_BODY_BYTES_MAX: Final = 16 * 1024  # a form of somebody who is not signed in
CONSOLE_FIELDS_MAX: Final = 200  # of a form
CONSOLE_SESSION_S: Final = 43_200.0  # from sign-in, then again
CONSOLE_IDLE_S: Final = 3_600.0  # without a page
CONSOLE_SEEN_S: Final = 60.0  # how exactly it is known when a session was last used
CONSOLE_SECOND_FACTOR_S: Final = 300.0  # between the password and the code
CONSOLE_CODE_ATTEMPTS_MAX: Final = 5  # of a half session, then the password is asked for again
CONSOLE_USER_CODE_ATTEMPTS_MAX: Final = 20  # of a user within an hour, then no code is looked at for the rest of it
CONSOLE_LINK_S: Final = 86_400.0  # a one-time link by which a password is set
CONSOLE_RECOVERY_CODES: Final = 10
CONSOLE_HASHES_MAX: Final = 2  # passwords that are hashed at once: each takes 64 MiB and a core
CONSOLE_USER_CHARS_MAX: Final = 64
CONSOLE_PASSWORD_CHARS_MIN: Final = 12
CONSOLE_PASSWORD_CHARS_MAX: Final = 256
CONSOLE_TEXT_CHARS_MAX: Final = 200  # of a browser's name, a path, a filter
CONSOLE_PAGE_ROWS: Final = 50
CONSOLE_CREDENTIALS_MAX: Final = 50  # in use, of an account
CONSOLE_APPS_MAX: Final = 50
CONSOLE_NETWORKS_MAX: Final = 100
CONSOLE_PUSH_TRIALS_PER_S: Final = 0.1  # test pushes of an account, after the first few
CONSOLE_PUSH_TRIALS_BURST: Final = 5
CONSOLE_LIVE_S: Final = 3.0  # between two looks that all viewers share
CONSOLE_SLOW_S: Final = 30.0  # likewise, of what reads more and changes less
CONSOLE_LIVE_KEEP_ALIVE_S: Final = 20.0  # something goes down a quiet stream, so that a dead one is noticed
CONSOLE_VIEWERS_MAX: Final = 500  # open streams
CONSOLE_VIEWERS_PER_USER_MAX: Final = 20
SEARCH_LOOKED_MAX: Final = 10_000  # messages that one search looks at before it says that it stopped
SEARCH_STEP: Final = 2_500  # of these at once
PUSHES_REPLAYED_MAX: Final = 1_000  # by one act
PUSHES_LOOKED_MAX: Final = 2_000  # of those that wait, in each lane
RECEIPTS_COUNTED_MAX: Final = 10_000  # unmatched receipts of a carrier; more is said as that
RECEIPTS_MOVED_MAX: Final = 5_000  # unmatched receipts that one act of the console looks for again or forgets
GUARD_DECISIONS_LOOKED_AT: Final = 20_000  # by a page of those of one rule
CARRIER_ERRORS_MAX: Final = 2_000  # latest failed answers of a carrier that are looked at
CONSOLE_COOKIE_S: Final = 31_536_000  # language, theme and zone are remembered

# --- The lab -----------------------------------------------------------------------------------------------
LAB_HOURS_MAX: Final = 24.0 * 31
LAB_RATE_PER_S_MAX: Final = 2_000.0
LAB_TRIES_MAX: Final = 3  # messages that a person asks for in a row
LAB_SEEDS_MAX: Final = 1_000
LAB_QUICK_S: Final = 38.0  # a quick report begins no further round of seeds after it
LAB_REPLAY_CELLS_MAX: Final = 200_000  # cells x carriers that a replay keeps; the rest counts as one cell

# --- Carriers over HTTP ------------------------------------------------------------------------------------
API_WINDOW_DEFAULT: Final = 500
API_CONNECTIONS_DEFAULT: Final = 32
API_TIMEOUT_S: Final = 18.0
API_START_S: Final = 8.0  # for a free connection; after it a message has certainly not gone
API_THROTTLE_S: Final = 1.0  # a vendor's "too frequent" that does not say how long
API_THROTTLE_S_MAX: Final = 60.0
API_REST_FIRST_S: Final = 0.5  # without a connection; then doubling
API_REST_LONGEST_S: Final = 30.0
API_BURST_S: Final = 1.0  # a rate's messages that may leave at once
API_ASK_LONGEST_S: Final = 3_600.0  # between two questions about one message
API_ASK_S_MAX: Final = 259_200.0  # an answer that has not come by then will not
API_REPLY_CHARS_MAX: Final = 65_536  # of a template's reply, looked at by its patterns
API_TOKEN_CHARS_MIN: Final = 16
INBOUND_TEXT_CHARS_MAX: Final = 10_000  # of a message that a carrier brings; 64 parts of 153 characters
INBOUND_NAME_CHARS_MAX: Final = 64  # its number and its recipient
CARRIERS_AGE_S_MAX: Final = 30.0  # even if a change notice is missed

# --- Learning ----------------------------------------------------------------------------------------------
LEARN_S: Final = 5.0  # between two thoughts
LEARN_BUSY_SHARE_MAX: Final = (
    0.2  # of the time that thoughts may take: where many cells make them long, they come less often
)
LEARN_LAG_S: Final = 2.0  # what has happened since then may not have been heard
LEARN_CELLS_MAX: Final = 5_000  # kept in memory; the longest idle are let go
LEARN_MEANS_MAX: Final = 1_000  # of one set of curves, remembered
LEARN_SHARES_MAX: Final = 5_000  # of rules and cells, in force at once
LEARN_CHOICE_DAYS: Final = 30  # what shares rested on is kept so long
CONCLUSIONS_FORGET_S: Final = 3_600.0  # between two looks for what is past its days, of the learner and of the guard
LEARN_SETTINGS_S: Final = 30.0  # between two looks at what apps declare
LEARN_MATURE_S: Final = 3_600.0  # then a message that nobody came back for is evidence
LEARN_CLAIM_MESSAGES_MAX: Final = 100_000  # of one list of evidence
SHARES_AGE_S_MAX: Final = 30.0  # even if a notice is missed
LEARN_ACTIVE_S: Final = 3_600.0  # a cell without traffic for so long gets no shares of its own
LEARN_FINE_MINUTES: Final = 17  # minutes of which each is a cohort of its own
LEARN_COARSE_MINUTES: Final = 10  # minutes that older cohorts span
LEARN_COHORTS_S_MAX: Final = 21_600.0  # an older cohort counts in full, whatever its conversions' times
LEARN_DRAWS: Final = 100  # of each posterior and thought
LEARN_EXPLORE_SHARE_MAX: Final = 0.02  # of a cell's traffic, over all carriers that are only tried

# --- Statistics --------------------------------------------------------------------------------------------
CREDIT_S: Final = 3_600  # messages to a person within it share one conversion
CREDIT_CANDIDATE_MESSAGES_MAX: Final = 1_000  # messages to a number that are looked at for one
ROLLUP_S: Final = 1.0  # between two rounds of adding up
ROLLUP_BATCH_MAX: Final = 5_000  # deltas of one round
SETTLE_S: Final = 30.0  # between two rounds of adding them to minutes, hours and days
SETTLE_BATCH_MAX: Final = 50_000
ROLLUP_KEYS_MAX: Final = 200_000  # of which a process remembers the numbers
STAT_MINUTE_DAYS: Final = 2
STAT_MINUTES_SPAN_S: Final = 10_800  # read by minute; longer ones by hour
STAT_HOUR_DAYS: Final = 100
STAT_DIFFERENCE_ITEMS_MAX: Final = 200
DUTY_LEASE_S: Final = 7.0
LISTENER_REST_S: Final = 30.0  # after a failure of its own that no account is to blame for
LISTENER_SKIP_S: Final = 3600.0  # then an account that a listener failed on is heard again
ALARMS_MAX: Final = 1_000  # shown at once
REPORTING_MESSAGES_MIN: Final = 3  # that converted, then an app is seen to report conversions
REPORTING_MESSAGES_PER_CONVERSION_MAX: Final = 100  # and no fewer than one in so many
PAST_HOURS_DAYS: Final = 14  # what a listener is told at its start: hours, and of the last ones minutes
PAST_MINUTES_S: Final = 7_200
PAST_ITEMS_MAX: Final = 100_000

# --- Guard -------------------------------------------------------------------------------------------------
GUARD_RANGES_MAX: Final = 150_000  # in the fraud model; beyond it the longest idle are dropped
GUARD_NETWORKS_MAX: Final = 20_000
GUARD_FINE_MINUTES: Final = 90  # for which each minute is a cohort of its own
GUARD_COARSE_MINUTES: Final = 30  # that older cohorts are merged into
GUARD_WEIGHT_MINUTES: Final = 150  # of exposure weights: until every range's cohorts were merged
GUARD_TRIM_S: Final = 60.0  # between two rounds of decay
GUARD_SNAPSHOT_RANGES_MAX: Final = 20_000  # verdicts in a snapshot, and allowances
GUARD_COUNTED_RANGES_MAX: Final = 100_000  # that an enforcer counts between two snapshots
GUARD_REPEATS_MAX: Final = 4  # messages to one number that are not counted in a burst
GUARD_PROBE_LOST_S: Final = 30.0  # after which a probe that the model has not observed is taken for lost
GUARD_SNAPSHOT_S: Final = 2.0  # between two snapshots, and between two looks for one
GUARD_SAVE_S: Final = 30.0  # between two times that the model's state is stored
GUARD_SAVE_NETWORKS_MAX: Final = 500
GUARD_DECISIONS_PENDING_MAX: Final = 50_000  # not yet stored; beyond it they are counted and dropped
GUARD_DECISIONS_BATCH_MAX: Final = 1_000
GUARD_DECISIONS_LINGER_S: Final = 0.5
GUARD_RISKS_S: Final = 30.0  # between two reads of the risk settings
GUARD_RISK_DAYS: Final = 30  # before today, that the learned risk of countries rests on
GUARD_KEEP_DAYS: Final = 90  # decisions, verdicts and the state of idle networks
GUARD_UNKNOWN_LIMITS: Final = (8, 40, 120)  # messages between two snapshots to ranges of a network without history

# --- Housekeeping ------------------------------------------------------------------------------------------
PARTITION_DAYS: Final = 7
PARTITION_LOCK_TIMEOUT_MS: Final = 1_000  # then it is tried again an hour later: there are weeks of time
PARTITIONS_AHEAD: Final = 4
PARTITION_SWEEP_S: Final = 3_600.0

# --- Processes ---------------------------------------------------------------------------------------------
API_WORKERS_AUTO_MAX: Final = 8
PROCESS_START_TIMEOUT_S: Final = 60.0
THREAD_SWITCH_S: Final = (
    0.0005  # the HTTP server's thread hands over call by call: at Python's 5 ms it queues behind a batch
)
GC_THRESHOLDS: Final = (20_000, 50, 100)  # a call makes some hundred objects that reference counting frees
LOOP_RESTART_PAUSE_S: Final = 1.0  # before a background loop that failed is started again, then doubling
LOOP_RESTART_PAUSE_S_MAX: Final = 30.0
LOOP_STEADY_S: Final = 60.0  # without a failure, then it counts as well again
DISK_FREE_BYTES_MIN: Final = 64 * 2**20  # of the data folder; with less, health says so
DISK_FULL_S: Final = 10.0  # after a write that found the disk full, the process counts as unable to take traffic
PROCESS_RESTART_PAUSE_S: Final = 1.0
PROCESS_RESTART_PAUSE_S_MAX: Final = 30.0

assert CARRIER_SUBMIT_TIMEOUT_S < CLAIM_LEASE_S, "a lease outlives the submit it covers"
assert CARRIER_CLOSE_TIMEOUT_S < DRAIN_TIMEOUT_S, "a carrier that does not answer does not hold up the end"
assert API_START_S + API_TIMEOUT_S < CARRIER_SUBMIT_TIMEOUT_S, "what waits for a connection is answered for in time"
assert VALIDITY_S_MAX < API_ASK_S_MAX
assert 2 * (PUSH_IN_FLIGHT_PER_ACCOUNT_MAX + PUSH_BATCH_MAX) <= PUSH_IN_FLIGHT_MAX, "one account leaves half to others"
assert PUSH_TIMEOUT_S < PUSH_LEASE_S, "a lease outlives the push it covers"
assert RECEIPT_UNANSWERED_S_MIN > CARRIER_SUBMIT_TIMEOUT_S, "every submit under way when a receipt came has its answer"
assert RECEIPT_UNANSWERED_S_MIN + RECEIPT_PARK_RETRY_S_LONGEST < RECEIPT_PARK_S_MAX, (
    "which is tried before it is given up"
)
assert CARRIER_LEASE_S + CARRIER_LEASE_TICK_S * 2 < 10, "a dead process's carriers have a new owner within ten seconds"
assert CARRIER_RETURN_GRACE_S > 2 * DISPATCH_ERROR_PAUSE_S, "answers that wait in memory are stored within it"
assert CARRIER_LEASE_TICK_S * 3 < CARRIER_LEASE_S, "two lost heartbeats do not lose a carrier"
assert SMPP_RESPONSE_S + 2 * SMPP_SWEEP_S < CLAIM_LEASE_S, "a lease outlives the wait for its submits' answers"
assert SMPP_CARRIER_RESPONSE_S_MAX + SMPP_CARRIER_SPARE_S < CARRIER_SUBMIT_TIMEOUT_S, "time is left to wait for room"
assert SMPP_CARRIER_SPARE_S > 2 * SMPP_SWEEP_S, "timers that run out late are within it"
assert SMPP_CARRIER_CLOSE_S + SMPP_CLOSE_S < CARRIER_CLOSE_TIMEOUT_S, "a carrier's links end in good order"
assert SMPP_RESPONSE_S < SMPP_INACTIVITY_S, "a bind that waits for an answer is not idle"
assert SMPP_PDU_BYTES_MAX > 65_535 + 255 * 24 + 400, "the largest submit_multi fits"
assert SMPP_RESPONSE_S + 2 * SMPP_SWEEP_S < BIND_LEASE_S, "a lease outlives the wait for the customer's answer"
assert LONG_SWEEP_S < LONG_WAIT_S, "an incomplete message is given up in time"
assert BIND_WINDOW_DEFAULT <= SUBMITS_PER_S_DEFAULT <= SUBMITS_PER_S_MAX, "a full window at once is within the rate"
assert BIND_WINDOW_MAX <= SMPP_UNSENT_PDUS_MAX, "a full window's answers are kept for a peer that reads late"
assert ROLLUP_S * 3 < DUTY_LEASE_S, "two late rounds do not lose the duty"
assert PAST_MINUTES_S < STAT_MINUTE_DAYS * 86_400, "minutes are kept for as long as they are told"
assert PAST_HOURS_DAYS <= STAT_HOUR_DAYS
assert CONSOLE_SEEN_S < CONSOLE_IDLE_S < CONSOLE_SESSION_S
assert CONSOLE_CODE_ATTEMPTS_MAX < CONSOLE_USER_CODE_ATTEMPTS_MAX
assert CONSOLE_SECOND_FACTOR_S < CONSOLE_IDLE_S
assert NODE_RENEW_S * 3 < NODE_LEASE_S, "two lost heartbeats do not lose a node number"
assert PASSWORD_FAILURES_MAX < PASSWORD_ADDRESS_FAILURES_MAX, "one key's wrong passwords do not lock out an address"
assert PASSWORD_LOCKED_ITEMS_MAX < PASSWORD_GUARD_KEYS_MAX
assert VALIDITY_S_MIN <= VALIDITY_S_DEFAULT <= VALIDITY_S_MAX
