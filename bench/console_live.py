"""What live pages cost the data plane: the console's share of all CPU while ten browsers watch a busy system.

console-live   messages at a constant rate, the overview open before operators and customers
"""

import asyncio
import http.client
import threading
from pathlib import Path
from typing import Final

from bench.console import Viewer, signed_in
from bench.homing import Homing
from bench.machine import cpu_seconds
from bench.report import Row
from bench.sink import Sink
from bench.way_home import PROMPT, sustain
from homing import demo
from homing.store import statements

RATE_PER_S: Final = 2_000
VIEWERS: Final = 10
SHARE_MAX: Final = 0.02


class Watcher:
    """An open page: hears on the stream that something changed, and asks for the page again as a browser does."""

    def __init__(self, viewer: Viewer, path: str = "/?span=1h") -> None:
        self._viewer = viewer
        self._path = path
        self._stream = viewer.stream("/live")
        self.looks = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while line := self._stream.readline():
                if line.startswith(b"event: changed"):
                    status, _page = self._viewer.get(self._path)
                    assert status == 200, status
                    self.looks += 1
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # the stream was closed

    def close(self) -> None:
        self._viewer.close()
        self._thread.join(10)


async def run(folder: Path, seconds: float) -> list[Row]:
    """The row of the table."""
    with Homing(folder / "console-live", has_console=True) as homing, Sink() as sink:
        await homing.fund()
        await homing.set_carriers(PROMPT)
        await homing.set_report_url(sink.url)
        async with homing.database() as database:
            row = await statements.admin.account_find(database, name=demo.ACCOUNT, account_id=None)
            assert row is not None
            people = [None, row.account_id]
            viewers = [
                await signed_in(homing, database, f"viewer-{n}", people[n % len(people)]) for n in range(VIEWERS)
            ]
        await asyncio.sleep(1.0)
        watchers = [Watcher(viewer) for viewer in viewers]
        console, everything = await homing.console_pids(), homing.pids() + homing.postgres_pids()
        before = cpu_seconds(console), cpu_seconds(everything)
        held = await sustain(homing, sink, RATE_PER_S, seconds, 0)
        console_s, all_s = cpu_seconds(console) - before[0], cpu_seconds(everything) - before[1]
        looks = sum(watcher.looks for watcher in watchers)
        for watcher in watchers:
            await asyncio.to_thread(watcher.close)
    assert held.held, "the rate is one that holds"
    share = console_s / all_s
    return [
        Row(
            f"live pages in {VIEWERS} browsers at {RATE_PER_S:,} messages/s",
            f"< {SHARE_MAX:.0%} of the CPU",
            f"{share:.1%}",
            share < SHARE_MAX,
            f"{looks} looks, {console_s / looks * 1000:.1f} ms each; of {all_s:.1f} s that all took",
        )
    ]
