"""Whole requests in both dialects, built ahead so that varying one costs about a microsecond.

Each stream is an endless iterator (lia_ctrack is as long as its list) over the demo account's credentials.
Numbers come from a counter and do not repeat; streams that run at the same time are kept apart by `start`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import md5
from itertools import count
from typing import Final

API_KEY: Final = b"bDqJFiq9"
API_SECRET: Final = b"7bz1lzh9"
APP_ID: Final = b"4luaKsL2"
LIA_CREDENTIALS: Final = b"api_id=API4623444906&api_password=password%40123"
TEXT: Final = b"Your code is 123456"
BEARER: Final = b"hm_demo_7bz1lzh9"
CODE: Final = b"424242"
VERIFICATION_ID_CHARS: Final = 20  # of the laaffic dialect

SIGN_AGAIN_S: Final = 60.0
"""The laaffic window is 1800 s on either side: a minute-old stamp is well inside it."""

ENDINGS: Final = [b"0000", *(b"%04d" % n for n in range(7, 10_000))]
"""Last four digits in use: the simulated carrier gives 0001-0006 a meaning of their own."""
MANY: Final = 1000
"""Numbers in a large submission: the most that the laaffic dialect takes in one POST."""

Clock = Callable[[], float]
"""Unix seconds."""


SPAN: Final = len(ENDINGS) * 100_000
STRIDE: Final = 618_033_989
"""Without a common divisor with SPAN: its multiples reach each number once, and lie as far apart as people's do."""


def number(index: int) -> bytes:
    """The `index`-th number: 8613 and nine digits, the last four from ENDINGS. Repeats after 9.99e8."""
    block, ending = divmod(index * STRIDE % SPAN, len(ENDINGS))
    return b"8613%05d%b" % (block, ENDINGS[ending])


def laaffic_send(start: int = 0, clock: Clock = time.time) -> Iterator[bytes]:
    """POST /v3/sendSms, one number a request. `start` is the index of the first number."""
    body = _laaffic_body(b"8613000000000")
    at = body.index(b"8613000000000")
    tail = body[at + 13 :]
    for head, index in zip(_signed(b"POST /v3/sendSms", clock, len(body), body[:at]), count(start), strict=False):
        yield b"%b%b%b" % (head, number(index), tail)


def laaffic_code(start: int = 0, clock: Clock = time.time) -> Iterator[bytes]:
    """POST /otp/verification/sendRule, each with the code `CODE`. `start` is the index of the first number."""
    body = b'{"appId":"%b","code":"%b","to":"8613000000000"}' % (APP_ID, CODE)
    at = body.index(b"8613000000000")
    heads = _signed(b"POST /otp/verification/sendRule", clock, len(body), body[:at])
    for head, index in zip(heads, count(start), strict=False):
        yield b"%b%b%b" % (head, number(index), body[at + 13 :])


def laaffic_check(verification_ids: Iterable[str], clock: Clock = time.time) -> Iterator[bytes]:
    """POST /otp/verification/verify with `CODE` for each id once, in order."""
    blank = b'{"verificationId":"","code":"%b"}' % CODE
    head = b'{"verificationId":"'
    heads = _signed(b"POST /otp/verification/verify", clock, len(blank) + VERIFICATION_ID_CHARS, head)
    for start_of_call, verification_id in zip(heads, verification_ids, strict=False):
        yield b"%b%b%b" % (start_of_call, verification_id.encode(), blank[len(head) :])


def v1_code(start: int = 0) -> Iterator[bytes]:
    """POST /v1/verifications, each with the code `CODE`."""
    body = b'{"to":"8613000000000","code":"%b"}' % CODE
    at = body.index(b"8613000000000")
    head = _v1(b"POST /v1/verifications", len(body)) + body[:at]
    for index in count(start):
        yield b"%b%b%b" % (head, number(index), body[at + 13 :])


def v1_check(verification_ids: Iterable[str]) -> Iterator[bytes]:
    """POST /v1/verifications/ID/check with `CODE` for each id once, in order."""
    body = b'{"code":"%b"}' % CODE
    for verification_id in verification_ids:
        yield _v1(b"POST /v1/verifications/%b/check" % verification_id.encode(), len(body)) + body


def v1_send(start: int = 0) -> Iterator[bytes]:
    """POST /v1/messages, one number a request."""
    body = b'{"to":"8613000000000","text":"%b","from":"HOMING"}' % TEXT
    at = body.index(b"8613000000000")
    head = _v1(b"POST /v1/messages", len(body)) + body[:at]
    for index in count(start):
        yield b"%b%b%b" % (head, number(index), body[at + 13 :])


def _v1(line: bytes, length: int) -> bytes:
    return (
        b"%b HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer %b\r\n"
        b"Content-Length: %d\r\n\r\n"
    ) % (line, BEARER, length)


def laaffic_send_many(start: int = 0, clock: Clock = time.time) -> Iterator[bytes]:
    """POST /v3/sendSms, 1000 numbers a request (about 14 kB). `start` counts blocks of 9000 numbers.

    The numbers of a body share their middle five digits, so that one `replace` renews all of them.
    """
    groups = [ENDINGS[at : at + MANY] for at in range(0, len(ENDINGS) - MANY + 1, MANY)]
    bodies = [_laaffic_body(b",".join(b"8613#####" + ending for ending in group)) for group in groups]
    heads = _signed(b"POST /v3/sendSms", clock, len(bodies[0]))
    for block in count(start):
        digits = b"%05d" % (block % 100_000)
        for body in bodies:
            yield next(heads) + body.replace(b"#####", digits)


def laaffic_balance(clock: Clock = time.time) -> Iterator[bytes]:
    """GET /v3/getBalance."""
    return _signed(b"GET /v3/getBalance", clock)


def lia_send(start: int = 0) -> Iterator[bytes]:
    """GET /api/SendSMS. `start` is the index of the first number."""
    query = b"GET /api/SendSMS?%b&sms_type=T&encoding=T&sender_id=LIASMART&phonenumber=" % LIA_CREDENTIALS
    tail = b"&textmessage=" + TEXT.replace(b" ", b"%20") + _END_OF_GET
    for index in count(start):
        yield b"%b%b%b" % (query, number(index), tail)


def lia_ctrack(message_ids: Iterable[int]) -> Iterator[bytes]:
    """GET /api/CTrack for each id once, in order."""
    query = b"GET /api/CTrack?%b&message_id=" % LIA_CREDENTIALS
    tail = b"&status=true" + _END_OF_GET
    for message_id in message_ids:
        yield b"%b%d%b" % (query, message_id, tail)


def kannel_send(path: str, start: int = 0) -> Iterator[bytes]:
    """GET of Kannel's sendsms. `path` (`Kannel.send_path`) ends where the receiver belongs."""
    query = b"GET " + path.encode()
    tail = b"&text=" + TEXT.replace(b" ", b"+") + _END_OF_GET
    for index in count(start):
        yield b"%b%b%b" % (query, number(index), tail)


_END_OF_GET: Final = b" HTTP/1.1\r\nHost: bench\r\n\r\n"


def _laaffic_body(numbers: bytes) -> bytes:
    return b'{"appId":"%b","numbers":"%b","content":"%b","senderId":"HOMING"}' % (APP_ID, numbers, TEXT)


def _signed(line: bytes, clock: Clock, length: int | None = None, tail: bytes = b"") -> Iterator[bytes]:
    """Heads of laaffic requests, followed by `tail`; stamped and signed anew every SIGN_AGAIN_S."""
    framing = b"" if length is None else b"Content-Length: %d\r\n" % length
    while True:
        signed_at = clock()
        stamp = b"%d" % signed_at
        sign = md5(API_KEY + API_SECRET + stamp, usedforsecurity=False).hexdigest().encode()
        head = (
            b"%b HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json;charset=UTF-8\r\n"
            b"Api-Key: %b\r\nTimestamp: %b\r\nSign: %b\r\n%b\r\n%b"
        ) % (line, API_KEY, stamp, sign, framing, tail)
        while clock() - signed_at < SIGN_AGAIN_S:
            yield head
