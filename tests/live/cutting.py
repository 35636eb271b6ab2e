"""A TCP proxy between a test's Database and the server: it notes who speaks, and cuts the connection at a message.

``log`` has ``(direction, letters)`` for each piece that was passed on: ``">"`` with the frontend's message letters,
``"<"`` with the backend's.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

Rule = Callable[[str, bytes], str]  # direction and message to "pass", "cut" (not passed) or "pass and cut"


class Proxy:
    """Passes connections on. ``rule`` decides on each message but the first; ``delay``: seconds an answer takes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        user = f"{parts.username}@" if parts.username else ""
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}"))
        self.rule: Rule = lambda direction, message: "pass"
        self.delay = 0.0
        self.log: list[tuple[str, str]] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def cut(self) -> None:
        """Close all connections, both ways."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def flights(self) -> list[str]:
        """What the client said, one text for each time it then waited for the server."""
        groups = itertools.groupby(self.log, key=lambda entry: entry[0])
        return ["".join(letters for _, letters in group) for direction, group in groups if direction == ">"]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open += [client, server]
                for arguments in ((client, server, ">"), (server, client, "<")):
                    thread = threading.Thread(target=self._pump, args=arguments, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        pause = threading.Event()
        kept = b""
        started = direction == "<"  # the first message of a client has no letter
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                messages = []
                while len(kept) >= 5:
                    head = 1 if started else 0
                    size = head + int.from_bytes(kept[head : head + 4], "big")
                    if len(kept) < size:
                        break
                    messages.append((started, kept[:size]))
                    started, kept = True, kept[size:]
                if direction == "<":
                    pause.wait(self.delay)
                for lettered, message in messages:
                    verdict = self.rule(direction, message) if lettered else "pass"
                    if verdict != "cut":
                        self.log.append((direction, chr(message[0]) if lettered else ""))
                        target.sendall(message)
                    if verdict != "pass":
                        self.cut()
                        return
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
