"""`python -m homing.cli` is `homing`."""

from homing.cli import main

main(prog_name="homing")
