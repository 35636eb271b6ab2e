"""The command line that the four servers share: where to listen, and which database."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Generator
from contextlib import contextmanager

import stretto.embedded
from stretto.errors import Error

PATIENCE = 2.0  # seconds that a page waits for a connection, while the database is away too; then it is a 503


@contextmanager
def started(way: str) -> Generator[tuple[str, socket.socket]]:
    """Read the command line; give the database's URL and a socket that listens, and say where.

    Without a URL a PostgreSQL of its own is started, whose data is gone at the end. Ctrl-C ends the block quietly.
    """
    parser = argparse.ArgumentParser(description=f"The games application: {way}.")
    parser.add_argument("url", nargs="?", help="of a PostgreSQL database; without it, an embedded server")
    parser.add_argument("--port", type=int, default=8000, help="to listen on, 0: any that is free (%(default)s)")
    given = parser.parse_args()
    try:
        # The protocol is named, or else asyncio does not set TCP_NODELAY on what it accepts: answers would take 40 ms.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", given.port))
            listening.listen(256)
            listening.setblocking(False)  # as the loops want it
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            if given.url:
                print(f"games, {way}: {address}", flush=True)
                yield given.url, listening
            else:
                with stretto.embedded.server() as url:
                    print(f"games, {way}: {address}, on {url}", flush=True)
                    yield url, listening
    except (OSError, Error) as error:
        raise SystemExit(f"games, {way}: {error}") from error
    except KeyboardInterrupt:
        print()
