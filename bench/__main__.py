"""`make bench`: the figures that Homing promises, measured here and now, beside Kannel where it is installed."""

import argparse
import os
import tempfile
from pathlib import Path

import uvloop

from bench import (
    accept,
    console,
    console_live,
    learner,
    learning,
    smpp_accept,
    smpp_home,
    smpp_idle,
    smpp_link,
    verify,
    way_home,
)
from bench.machine import describe
from bench.report import publish

PARTS = (
    "accept",
    "verify",
    "learning",
    "learner",
    "way-home",
    "memory",
    "smpp-session",
    "smpp-rtt",
    "smpp-home",
    "smpp-accept",
    "smpp-idle",
    "console",
    "console-live",
)


async def measure(parts: list[str], folder: Path, rounds: int, seconds: float, messages: int) -> None:
    rows = []
    if "accept" in parts:
        rows += await accept.run(folder, rounds, seconds)
    if "verify" in parts:
        rows += await verify.run(folder, rounds, seconds)
    if "learning" in parts:
        rows += await learning.run(folder, rounds, seconds)
    if "learner" in parts:
        rows += learner.run()
    if "way-home" in parts:
        rows += await way_home.run_sustained(folder, max(10.0, seconds * 3))
    if "memory" in parts:
        rows += await way_home.run_memory(folder)
    if "smpp-session" in parts:
        rows += await smpp_link.run_session(rounds, seconds)
    if "smpp-rtt" in parts:
        rows += await smpp_link.run_rtt(seconds)
    if "smpp-home" in parts:
        rows += await smpp_home.run(folder, max(10.0, seconds * 3))
    if "smpp-accept" in parts:
        rows += await smpp_accept.run(folder, rounds, seconds)
    if "smpp-idle" in parts:
        rows += await smpp_idle.run(folder)
    if "console" in parts:
        rows += await console.run(folder, messages)
    if "console-live" in parts:
        rows += await console_live.run(folder, max(20.0, seconds * 5))
    path = publish("foundation", rows, describe())
    print(f"\nwritten to {os.path.relpath(path)} and latest.md beside it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"what to measure: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each accept figure is taken (default 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each run is (default 4)")
    parser.add_argument(
        "--messages",
        type=int,
        default=console.MESSAGES,
        help="behind the console (default 10,000,000)",
    )
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="homing-bench-") as folder:
        # the database's user must be able to enter, where that is not us
        Path(folder).chmod(0o711)
        uvloop.run(measure(options.parts, Path(folder), options.rounds, options.seconds, options.messages))


if __name__ == "__main__":
    main()
