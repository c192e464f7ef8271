"""The ledger: double-entry postings between an account's ledger accounts, and the balances that are kept beside them.

Everything that moves money alone is here, and its statements are in store/sql/ledger.sql. Two movements belong to a
change of messages and must commit with it, so their callers run them inside its transaction: the charge is part of the
statement that stores the messages (`submit` in store/sql/intake.sql, called by store/submissions.py), and refunds are
posted by `refund_messages` in the transaction that moves the messages to their final state (messages/transitions.py).
`ledger.proof` checks all of them against the messages.
"""
