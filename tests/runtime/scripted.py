"""A hostile server: a real socket in a thread, which answers as a PostgreSQL would but for what the test bends."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.flows.driver import READY, WELCOME, message

PATIENCE = 60.0  # seconds, longer than the client's: it must not be freed by our leaving

PARSED = message(b"1")
BOUND = message(b"2")
CLOSED = message(b"3")
PARAMETERS = message(b"t", b"\0\0")
COLUMNS = message(b"T", b"\0\1n\0" + bytes(6) + b"\0\0\0\x17\0\4\xff\xff\xff\xff\0\1")
ROW = message(b"D", b"\0\1\0\0\0\4" + struct.pack("!i", 7))
DONE = message(b"C", b"SELECT 1\0")

# What a well-behaved server says to each message.
ANSWERS: Mapping[str, bytes] = {
    "P": PARSED,
    "D": PARAMETERS + COLUMNS,
    "B": BOUND,
    "E": ROW + DONE,
    "C": CLOSED,
    "S": READY,
    "Q": DONE + READY,
}

SQL = "select 7 as n"


class Hangup(Exception):
    """The client has closed the connection."""


class Peer:
    """One accepted connection, as a script sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.heard: list[str] = []

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise Hangup
            data += more
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def greet(self, welcome: bytes = WELCOME) -> None:
        """Read the start-up message and let the client in."""
        self.read(struct.unpack("!i", self.read(4))[0] - 4)
        self.send(welcome)

    def hear(self) -> tuple[str, bytes]:
        """Read one message."""
        kind = self.read(1).decode()
        self.heard.append(kind)
        return kind, self.read(struct.unpack("!i", self.read(4))[0] - 4)

    def serve(self, bent: Mapping[str, bytes] = {}, count: int = 1 << 30) -> None:
        """Answer ``count`` messages; ``bent`` says what is answered otherwise. Answers wait for the Sync."""
        waiting = b""
        for _ in range(count):
            kind, _ = self.hear()
            if kind == "X":
                return
            waiting += bent[kind] if kind in bent else ANSWERS[kind]
            if kind in "SQH":
                self.send(waiting)
                waiting = b""
        self.send(waiting)

    def wait_for_end(self) -> None:
        """Read and say nothing until the client leaves."""
        while self.sock.recv(1 << 16):
            pass


Script = Callable[[Peer], Any]


def honest(peer: Peer) -> None:
    """Behave."""
    peer.greet()
    peer.serve()


def bending(bent: Mapping[str, bytes]) -> Script:
    """Make a script that lets in, and then answers with what is bent."""

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(bent)

    return script


class ScriptedServer:
    """Plays ``scripts``, one for each connection, the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self.peers: list[Peer] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"postgresql://ann@127.0.0.1:{self.port}/db?sslmode=disable"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            peer = Peer(sock)
            self.peers.append(peer)
            self._socks.append(sock)
            thread = threading.Thread(target=self._play, args=(script, peer), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, script: Script, peer: Peer) -> None:
        with contextlib.suppress(Hangup, OSError), peer.sock:
            script(peer)

    def hung_up(self) -> None:
        """Wait until the first connection's script has ended."""
        self._threads[0].join(PATIENCE)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._thread.join(PATIENCE)
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not [thread for thread in self._threads if thread.is_alive()]


@contextlib.contextmanager
def scripted(*scripts: Script) -> Iterator[ScriptedServer]:
    """Run a scripted server for a block."""
    server = ScriptedServer(*scripts)
    try:
        yield server
    finally:
        server.close()
