"""Hashing of integers, for reproducible draws from an ID or a number."""


def mix64(value: int) -> int:
    """The finaliser of splitmix64: consecutive integers give independent 64-bit values."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)
