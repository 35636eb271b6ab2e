"""A session over TLS with SCRAM and channel binding, its encrypted stream cut at every byte: said at once, never half.

The server is Debian's PostgreSQL; a relay hangs up when it has passed on so many bytes of it. ``make fuzz`` cuts at
each byte, the suite here and there.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.cases import cases
from tests.flows.servers import DEBIAN, HAS_DEBIAN, Server, postgresql
from tests.runtime.calls import RUNTIMES, outcomes

from stretto.errors import ConnectError, ConnectionLost, PoolTimeout

pytestmark = [pytest.mark.tls, pytest.mark.skipif(not HAS_DEBIAN, reason="Debian's PostgreSQL 15 is not installed")]

PASSWORD = "hunter2"
CALLS = [
    ("fetch", "select 1 as a, 'x' as b union all select 2, null order by 1"),
    ("execute", "select 1; select 2"),
    ("fetchval", "select array[1.5::numeric]"),
]
LOST = (ConnectError, ConnectionLost, PoolTimeout)
WHOLE = 1 << 30
CUTS = min(cases(60), 4000)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a certificate whose signatures are all of one length, so that sessions are."""
    ca = trustme.CA(key_type=trustme.KeyType.RSA)
    leaf = ca.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    files = {
        "server.crt": b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
        "server.key": leaf.private_key_pem.bytes(),
    }
    with postgresql(DEBIAN, "local all all trust\nhostssl all all all scram-sha-256", {"ssl": "on"}, files) as server:
        server.sql(f"alter role postgres password '{PASSWORD}'")
        ca.cert_pem.write_to_path(str(server.directory / "root.crt"))
        yield server


class Relay:
    """Passes on what is said until ``cut`` bytes of the server's, then hangs up, and lets nobody in until ``start``."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.start(WHOLE)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def start(self, cut: int) -> None:
        self.said = 0  # in the last session
        self._cut = cut
        self._fresh = True

    def close(self) -> None:
        self._fresh = False
        self._cut = -1
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while self._cut >= 0:
            client, _ = self._listener.accept()
            with client:
                if self._fresh:
                    self._fresh = False
                    with socket.create_connection(self._upstream) as server:
                        self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        cut, said = self._cut, 0
        try:
            while True:
                for sock in select.select([client, server], [], [])[0]:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    if sock is client:
                        server.sendall(data)
                        continue
                    left = cut - said
                    self.said = said = said + len(data)  # before the client can be done with it
                    client.sendall(data[:left])
                    if left <= len(data):
                        return
        except ConnectionError:
            return


@pytest.mark.fuzz(CUTS)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_encrypted_stream_cut_anywhere_is_a_lost_connection_and_never_half_an_answer(
    server: Server, runtime: str
) -> None:
    root: Path = server.directory / "root.crt"
    relay = Relay(server.port)
    url = (
        f"postgresql://postgres:{PASSWORD}@127.0.0.1:{relay.port}/postgres"
        f"?sslmode=verify-full&sslrootcert={root}&channel_binding=require"
    )
    try:
        *whole, size = outcomes(runtime, url, [*CALLS, ("block", lambda: relay.said)])
        assert [type(one) for one in whole] == [list, str, list]
        for cut in {*range(0, size, max(size // CUTS, 1)), size - 1}:
            relay.start(cut)
            found: list[Any] = outcomes(runtime, url, CALLS, until_error=True, acquire_timeout=0.3)
            told = sum(not isinstance(one, Exception) for one in found)
            assert found[:told] == whole[:told], cut
            assert all(isinstance(one, LOST) for one in found[told:]), (cut, found)
            assert told < len(CALLS), cut
    finally:
        relay.close()
