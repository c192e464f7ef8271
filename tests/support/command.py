"""The command line, run in this process on a given database."""

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from homing.cli import main


async def homing(dsn: str, *words: str, data: Path | None = None, status: int = 0) -> str:
    """What it printed. Fails here unless it ended with `status`."""
    environment = {"HOMING_DATABASE_URL": dsn, "COLUMNS": "200", **({"HOMING_DATA": str(data)} if data else {})}
    result = await asyncio.to_thread(CliRunner().invoke, main, words, env=environment, prog_name="homing")
    assert result.exit_code == status, (words, result.output, result.exception)
    return result.output


async def homing_json(dsn: str, *words: str) -> Any:
    return json.loads(await homing(dsn, *words, "--json"))
