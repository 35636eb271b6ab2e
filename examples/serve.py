"""The games application and the race's page on one server: `make serve`. The games are at /, the race at /race."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from socket import socket

sys.path.insert(0, str(Path(__file__).parent / "games"))

import command
import serve_asyncio
import uvicorn
from models import Game

import stretto
from stretto.cli.race import page


async def serve(url: str, listening: socket) -> None:
    race = page.application(url)
    async with stretto.AsyncDatabase(url, acquire_timeout=command.PATIENCE) as db, page.lifespan(race):
        await db.create_tables(Game)
        app = serve_asyncio.application(db)
        app.router.routes.extend(page.mounted(race, "/race"))
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listening])


if __name__ == "__main__":
    with command.started("Starlette on asyncio, and /race") as (url, listening):
        asyncio.run(serve(url, listening))
