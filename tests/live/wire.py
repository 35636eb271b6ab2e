"""A network of a test's own between a Database and the server, whose cable can be pulled.

A network namespace with a forwarder to the server's Unix socket, and a pair of virtual interfaces. With the far one
down whatever is sent is lost without a word: no reset, no refusal. Needs root and ``ip``; else the tests are skipped.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

PORT = 5432
FORWARDER = """
import asyncio, sys

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def serve(reader, writer):
    ours, theirs = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pump(reader, theirs), pump(ours, writer))

async def main():
    server = await asyncio.start_server(serve, sys.argv[2], int(sys.argv[3]))
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
_numbers = itertools.count()


class Wire:
    """``url`` leads over it."""

    def __init__(self, url: str) -> None:
        number = (os.getpid() * 8 + next(_numbers)) % (1 << 15)
        net = f"198.18.{number >> 6 & 255}.{(number & 63) * 4}"  # RFC 2544: for tests of networks
        base = net.rpartition(".")
        self._far = f"{base[0]}.{int(base[2]) + 2}"
        self._space, self._ends = f"stretto{number}", (f"st{number}a", f"st{number}b")
        self._process: subprocess.Popen[str] | None = None
        self._near = f"{base[0]}.{int(base[2]) + 1}"
        self._socket = socket_of(url)
        user = urlsplit(url).username
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"{user}@{self._far}:{PORT}"))

    def open(self) -> None:
        near, far = self._ends
        self._ip("netns", "add", self._space)
        self._ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self._space)
        self._ip("addr", "add", f"{self._near}/30", "dev", near)
        self._ip("link", "set", near, "up")
        self._ip("-n", self._space, "addr", "add", f"{self._far}/30", "dev", far)
        self.up()
        run = ["ip", "netns", "exec", self._space, sys.executable, "-c", FORWARDER, self._socket, self._far, str(PORT)]
        self._process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def up(self) -> None:
        self._ip("-n", self._space, "link", "set", self._ends[1], "up")

    def down(self) -> None:
        """Lose all that is sent from now on, both ways."""
        self._ip("-n", self._space, "link", "set", self._ends[1], "down")

    def established(self) -> int:
        """How many connections over it this side's kernel still believes in."""
        ours = "".join(f"{int(part):02X}" for part in reversed(self._far.split(".")))
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[2].startswith(ours) and line[3] == "01" for line in lines)

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
        with contextlib.suppress(subprocess.CalledProcessError):
            self._ip("link", "del", self._ends[0])
        with contextlib.suppress(subprocess.CalledProcessError):
            self._ip("netns", "del", self._space)

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)


def socket_of(url: str) -> str:
    """The path of the server's Unix socket."""
    with psycopg.connect(url) as outside:
        (directories,) = outside.execute("show unix_socket_directories").fetchone() or ("",)
        (port,) = outside.execute("show port").fetchone() or (0,)
    return f"{directories.split(',')[0].strip()}/.s.PGSQL.{port}"


@contextlib.contextmanager
def wire_to(url: str) -> Iterator[Wire]:
    """Make a network; skips the test where that is not possible."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network of one's own needs root and ip (iproute2)")
    wire = Wire(url)
    try:
        try:
            wire.open()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        yield wire
    finally:
        wire.close()
