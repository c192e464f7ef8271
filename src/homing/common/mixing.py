"""Spreading integers: a draw that anybody can repeat, from an id or a number."""


def mix64(value: int) -> int:
    """Spreads near integers over 64 bits (the finaliser of splitmix64), so that ids in a row draw independently."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)
