"""LISTEN and NOTIFY: one task waits for work, another one announces it.

It prints:

    worker: listening
    worker: order 17
    worker: order 18
    worker: done
"""

from __future__ import annotations

import asyncio

import stretto
import stretto.embedded


async def worker(db: stretto.AsyncDatabase, ready: asyncio.Event) -> None:
    async with db.connection() as connection:
        await connection.listen("orders")
        print("worker: listening")
        ready.set()
        async for notification in connection.notifications():
            if notification.payload == "stop":
                break
            print("worker: order", notification.payload)
    print("worker: done")


async def run(url: str) -> None:
    async with stretto.AsyncDatabase(url) as db:
        ready = asyncio.Event()
        waiting = asyncio.create_task(worker(db, ready))
        await ready.wait()
        for payload in ("17", "18", "stop"):
            await db.execute("select pg_notify('orders', $1)", payload)
        await waiting


def main(url: str) -> None:
    asyncio.run(run(url))


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
