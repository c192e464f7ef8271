"""Failures that every carrier would share: the number or its owner is the cause. Pure.

Carriers name causes in words and codes of their own. Only what names the person is taken as such: another attempt after
an unknown cause costs one message, and none after a route's fault costs a person.
"""

import re
from typing import Final

PERSONAL: Final = re.compile(
    r"unknown[ _]?subscriber|absent[ _]?subscriber|illegal[ _]?subscriber|subscriber[ _](absent|unknown|not[ _]found)"
    r"|invalid[ _]?(number|destination|dest[ _]?addr|msisdn|mobile|recipient|phone)|(number|phone|mobile)[ _](is[ _])?"
    r"(invalid|empty|unallocated|not[ _]in[ _]use|does[ _]not[ _]exist)|unallocated|rinvdstadr"
    r"|black[ _-]?list|do[ _-]not[ _-]disturb|\bdnd\b|opt(ed)?[ _-]?out|unsubscribed|switched[ _]off"
    r"|空号|空號|黑名单|黑名單|停机|停機|关机|關機",
    re.IGNORECASE,
)
"""As carriers write it in receipts: unknown and absent subscribers (3GPP TS 29.002, 17.6.6), `ESME_RINVDSTADR` (SMPP
3.4, 5.1.3), lists of people who are not to be sent to, and the same in Chinese.
"""


def is_personal(error_code: str | None, error_text: str | None) -> bool:
    """Whether a message failed for a cause that another route shares, by a receipt's code and text."""
    return any(PERSONAL.search(part) is not None for part in (error_code, error_text) if part)
