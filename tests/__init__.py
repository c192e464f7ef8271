"""The tests, and `tests.support`, what they share. Run them with `make unit` or `make test`."""

import os

# Each row is held against its struct (homing/store/rows.py); to be said before that is imported.
os.environ["HOMING_VERIFY_ROWS"] = "1"
