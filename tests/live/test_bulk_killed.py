"""Programs that are killed in the middle of a bulk load: nothing is left, or whole chunks; the next load tidies up."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.live.cutting import Proxy
from tests.live.sums import summed, there
from tests.live.support import until
from tests.live.test_processes import environment

import stretto

COUNT, BLOCK = 6000, 500

PROGRAM = """
import asyncio, json, sys
import stretto
from stretto.flows import batches

url, schema, runtime, way = sys.argv[1:]
batches.BLOCK_ROWS = 500
rows = ((number, f"name {number}") for number in range(6000))
options = {"connections": 4, "server_settings": {"search_path": schema, "application_name": schema}}
options |= {"sslmode": "disable", "gssencmode": "disable"}  # what the proxy can read

async def main():
    async with stretto.AsyncDatabase(url, **options) as db:
        await db.copy_in("t", rows, **json.loads(way))

if runtime == "asyncio":
    asyncio.run(main())
else:
    with stretto.Database(url, **options) as db:
        db.copy_in("t", rows, **json.loads(way))
print("done")
"""
NOTHING_LEFT = ["{}", '{"chunks": 3}', '{"on_conflict": "update"}', '{"errors": "report"}']
WHOLE_CHUNKS = ['{"atomic": false, "chunks": 1}', '{"atomic": false, "chunks": 3}']
POINTS = random.Random(77).sample(range(10, 100), 3)
STAGED = "select count(*) from pg_class where relnamespace = %s::regnamespace and relname like 'stretto_staging%%'"


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> None:
    outside.execute("create table t (id int primary key, name text not null)")


def load_and_kill(server_url: str, outside: psycopg.Connection[Any], schema: str, *way: str, point: int) -> bool:
    """Have a program load, and kill it at a message from or to the server; tell whether it has ended before."""
    with Proxy(server_url) as proxy:
        command = [sys.executable, "-c", PROGRAM, proxy.url, schema, *way]
        left = iter(range(point))
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def rule(direction: str, message: bytes) -> str:
            if next(left, None) is None:
                process.kill()
            return "pass"  # what was sent is under way

        proxy.rule = rule
        said, complaints = process.communicate(timeout=100)
    assert process.returncode in (0, -9), complaints
    until(outside, "select count(*) from pg_stat_activity where application_name = %s", schema, wanted=0)
    return said == b"done\n"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", NOTHING_LEFT)
@pytest.mark.parametrize("runtime", ["blocking", "asyncio"])
@pytest.mark.usefixtures("t")
def test_all_or_nothing_is_that_for_a_program_that_is_killed(
    server_url: str, outside: psycopg.Connection[Any], schema: str, runtime: str, way: str, point: int
) -> None:
    done = load_and_kill(server_url, outside, schema, runtime, way, point=point)
    whole = summed(rows())
    assert there(outside) in ([whole] if done else [(0, 0), whole])  # a COMMIT that was under way has its effect
    left = outside.execute(STAGED, (schema,)).fetchone()
    assert left in ([(0,), (1,)] if "chunks" in way else [(0,)])
    with stretto.Database(server_url, server_settings={"search_path": schema}) as db:
        assert db.copy_in("t", [(COUNT, "after")], chunks=2).rows == 1
    assert outside.execute(STAGED, (schema,)).fetchone() == (0,)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", WHOLE_CHUNKS)
@pytest.mark.parametrize("runtime", ["blocking", "asyncio"])
@pytest.mark.usefixtures("t")
def test_chunk_by_chunk_leaves_whole_chunks_of_a_program_that_is_killed(
    server_url: str, outside: psycopg.Connection[Any], schema: str, runtime: str, way: str, point: int
) -> None:
    done = load_and_kill(server_url, outside, schema, runtime, way, point=point)
    found = [number for (number,) in outside.execute("select distinct id / %s from t order by 1", (BLOCK,))]
    assert there(outside) == summed(row for row in rows() if row[0] // BLOCK in found)
    assert not done or len(found) == COUNT // BLOCK
    if '"chunks": 1' in way:
        assert found == list(range(len(found)))


def rows() -> Iterator[tuple[int, str]]:
    return ((number, f"name {number}") for number in range(COUNT))
