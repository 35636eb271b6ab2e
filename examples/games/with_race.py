"""The games application and the race's page on one server: `make serve`. The games are at /, the race at /race."""

from __future__ import annotations

import asyncio
from socket import socket

import command
import serve_asyncio
import uvicorn
from models import Game

import stretto
from stretto.cli.race import page
from stretto.cli.stopping import as_interrupts


async def serve(url: str, listening: socket) -> None:
    race = page.application(url)
    async with stretto.AsyncDatabase(url, acquire_timeout=command.PATIENCE) as db, page.lifespan(race):
        await db.create_tables(Game)
        app = serve_asyncio.application(db)
        app.router.routes.extend(page.mounted(race, "/race"))
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listening])


if __name__ == "__main__":
    # Before the server sets its own handlers: it gives a signal back to these when it has ended.
    with as_interrupts(), command.started("Starlette on asyncio, and /race") as (url, listening):
        asyncio.run(serve(url, listening))
