"""What the unit tests may not do: see conftest.py beside this file."""

import asyncio
import socket
import subprocess
import sys

import pytest


def test_a_unit_test_starts_no_process() -> None:
    with pytest.raises(AssertionError, match=r"subprocess\.Popen in a unit test"):
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_unit_test_opens_no_connection() -> None:
    with socket.socket() as client, pytest.raises(AssertionError, match=r"socket\.connect in a unit test"):
        client.connect(("127.0.0.1", 9))


async def test_a_unit_test_serves_nobody() -> None:
    with pytest.raises(AssertionError, match=r"socket\.bind in a unit test"):
        await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
