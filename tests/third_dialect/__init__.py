"""A dialect that is not part of Homing: a package and a line, as docs/internals/dialects.md says."""
