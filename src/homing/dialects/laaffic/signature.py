"""The laaffic dialect's signature (contract, section 1)."""

from homing.common.crypto import md5_hex


def signature_of(key: str, secret: str, timestamp: str) -> str:
    """MD5(key + secret + timestamp) as 32 lower-case hex digits. `timestamp`: Unix seconds in decimal."""
    return md5_hex(f"{key}{secret}{timestamp}")
