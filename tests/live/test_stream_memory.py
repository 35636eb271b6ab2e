"""A stream's memory: bounded in bytes, whatever the rows are like, and however slowly they are used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS, WIDTH = 400, 250_000  # 100 MB
ALLOWED = 25 << 10  # KiB
START = f"""
import asyncio, sys, stretto
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
SQL = "select repeat('x', {WIDTH}) as t from generate_series(1, {ROWS})"
"""
# What reads the stream: as fast as it can, and with time for the event loop to read on meanwhile.
READERS = {
    "blocking": """
with stretto.Database(sys.argv[1]) as db:
    list(db.stream("select 'x'", into=str))
    before = peak()
    print(sum(len(t) for t in db.stream(SQL, into=str)), peak() - before)
""",
    "asyncio, slowly": """
async def main():
    async with stretto.AsyncDatabase(sys.argv[1]) as db:
        [t async for t in db.stream("select 'x'", into=str)]
        await db.fetchval("select 1")
        before, read = peak(), 0
        async for t in db.stream(SQL, into=str):
            read += len(t)
            for _ in range(5):
                await db.fetchval("select 1")
        print(read, peak() - before)
asyncio.run(main())
""",
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("reader", READERS)
def test_a_stream_of_wide_rows_takes_little_memory(reader: str, server_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", START + READERS[reader], server_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    read, grown = map(int, done.stdout.split())
    assert read == ROWS * WIDTH
    assert grown < ALLOWED, f"{grown >> 10} MiB more for {read >> 20} MiB of rows"
