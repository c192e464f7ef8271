"""The composition root: each role of `homing serve` as a process, its parts opened in order and closed in reverse."""
