"""asyncio: many statements at once, several with one fate, a result that is larger than memory should be.

It prints:

    ten squares at once: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
    two statements, one round trip: [Row(total=3), Row(total=6)]
    the sum of 100,000 rows, a thousand at a time: 5000050000
    too slow: no answer in time
"""

from __future__ import annotations

import asyncio

import stretto
import stretto.embedded
from stretto.errors import StatementTimeout


async def run(url: str) -> None:
    async with stretto.AsyncDatabase(url, connections=4) as db:
        squares = await asyncio.gather(*(db.fetchval("select $1::int * $1", number) for number in range(10)))
        print("ten squares at once:", squares)

        async with db.batch() as batch:
            batch.add("select 1 + $1::int as total", 2)
            batch.add("select 2 + $1::int as total", 4)
        print("two statements, one round trip:", [result.rows[0] for result in batch.results])

        total = 0
        async for number in db.stream("select generate_series(1, 100000)", into=int, batch=1000):
            total += number
        print("the sum of 100,000 rows, a thousand at a time:", total)

        try:
            await db.fetch("select pg_sleep(60)", timeout=0.05)
        except StatementTimeout:
            print("too slow: no answer in time")


def main(url: str) -> None:
    asyncio.run(run(url))


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
