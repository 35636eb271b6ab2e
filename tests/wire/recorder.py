"""A TCP proxy that keeps what both sides said, in order."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

CHUNK = 1 << 16
PATIENCE = 10.0  # seconds; a test that failed has left its connection open


class Recorder:
    """``spoken`` has ``("F" or "B", bytes)`` as they came, of the one connection that ``port`` takes."""

    def __init__(self, host: str, port: int) -> None:
        self.spoken: list[tuple[str, bytes]] = []
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listener.settimeout(PATIENCE)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            client, _ = self._listener.accept()
        except TimeoutError:
            return
        with client, socket.create_connection(self._server) as server:
            others = {client: (server, "F"), server: (client, "B")}
            while others:
                readable = select.select(list(others), [], [], PATIENCE)[0]
                if not readable:
                    return
                for sock in readable:
                    data = sock.recv(CHUNK)
                    other, side = others[sock]
                    if not data:
                        return
                    self.spoken.append((side, data))
                    other.sendall(data)

    def close(self) -> None:
        self._thread.join()
        self._listener.close()

    def said(self, side: str) -> bytes:
        """All that one side said."""
        return b"".join([data for who, data in self.spoken if who == side])


@contextlib.contextmanager
def recorder(host: str, port: int) -> Iterator[Recorder]:
    """Record one connection; when the block ends it must have been closed."""
    recording = Recorder(host, port)
    try:
        yield recording
    finally:
        recording.close()
