"""The clients' bounds, with their units last in the names."""

from typing import Final

CONNECT_TIMEOUT_S: Final = 5.0
CALL_TIMEOUT_S: Final = 20.0  # a call as a whole, its tries and the waits between them
ATTEMPTS_MAX: Final = 3
RETRY_FIRST_S: Final = 0.2  # the first time, then doubling
RETRY_S_MAX: Final = 5.0
CONNECTIONS_MAX: Final = 100
IDLE_S: Final = 4.0  # many servers close after 5 s: a send on such a connection would have an unknown fate
REPLY_BYTES_MAX: Final = 16 * 1024 * 1024  # getSentRcd's 50 000 rows take about 7 MB

assert CONNECT_TIMEOUT_S < CALL_TIMEOUT_S, "a call outlasts its connecting"
