"""The four servers of examples/games as processes, and one way to talk to each."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import stretto

ROOT = Path(__file__).resolve().parents[2]
GAMES = ROOT / "examples/games"
SERVERS = ("blocking", "tornado", "asyncio", "gevent")
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# What differs by right: Date, Server, and how the connection goes on.
TOLD = (
    "content-type", "content-length", "content-security-policy", "x-content-type-options", "cache-control",
    "location", "allow", "retry-after", "etag", "set-cookie",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a server said, without what may differ."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@dataclass
class Running:
    """A server that runs."""

    name: str
    base: str
    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, body: bytes | None = None, type: str | None = None) -> Answer:
        """Send a request; redirects are not followed."""
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=60)
        try:
            connection.request(method, path, body, {} if type is None else {"Content-Type": type})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            told = tuple((name, headers[name]) for name in TOLD if name in headers)
            return Answer(response.status, told, response.read())
        finally:
            connection.close()


def form(**fields: object) -> bytes:
    """A form as browsers send it."""
    return urlencode({name: str(value) for name, value in fields.items()}).encode()


def start(name: str, url: str, log: Path) -> subprocess.Popen[str]:
    """Start a server; it says on its first line where it listens."""
    command = [sys.executable, str(GAMES / f"serve_{name}.py"), "--port", "0", url]
    source = str(Path(stretto.__file__).parent.parent)
    with log.open("w") as errors:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONPATH": source}
        )


@contextmanager
def serving(urls: Mapping[str, str], logs: Path) -> Iterator[list[Running]]:
    """Run the four servers, each on the database of its own name in `urls`."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(start(name, urls[name], logs / name)) for name in SERVERS}
        for process in started.values():
            stack.callback(process.kill)
        running = []
        for name, process in started.items():
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("games, "), (logs / name).read_text()
            running.append(Running(name, line.split()[-1], process))
            assert running[-1].ask("GET", "/style.css").status == 200  # its tables are there
        yield running
