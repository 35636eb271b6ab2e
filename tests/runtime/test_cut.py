"""The stream of a session, cut at every byte: the client says so at once, and gives whole rows or none.

The session is a real one with trust, recorded; for SCRAM its start-up is played by scramp's server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.flows.driver import Reply, ScramServer, message
from tests.runtime.calls import RUNTIMES, outcomes
from tests.runtime.scripted import Peer, scripted
from tests.wire.recorder import recorder

from stretto.errors import ConnectError, ConnectionLost, PoolTimeout

CALLS = [
    ("fetch", "select 1 as a, 'x' as b union all select 2, null order by 1"),
    ("execute", "select 1; select 2"),
    ("fetchval", "select array[1.5::numeric]"),
]
LOST = (ConnectError, ConnectionLost, PoolTimeout)
WHOLE = 1 << 30
PASSWORD = "hunter2"


@pytest.fixture(scope="module")
def turns(server_url: str) -> list[tuple[int, bytes]]:
    """What a real session is: how many bytes the client says, and what the server answers, in turns."""
    place = urlsplit(server_url)
    with recorder(place.hostname or "127.0.0.1", place.port or 5432) as recording:
        outcomes("blocking", f"postgresql://postgres@127.0.0.1:{recording.port}/postgres?sslmode=disable", CALLS)
    turns: list[tuple[int, bytes]] = []
    for side, data in recording.spoken:
        if side == "F" and (not turns or turns[-1][1]):
            turns.append((len(data), b""))
        elif side == "F":
            turns[-1] = (turns[-1][0] + len(data), b"")
        else:
            turns[-1] = (turns[-1][0], turns[-1][1] + data)
    return turns


class Cutter:
    """Replays a session until ``cut`` bytes are said, then hangs up, and lets nobody in until the next ``start``.

    With ``scram`` it asks for a password before it says what it says to the start-up message.
    """

    def __init__(self, turns: list[tuple[int, bytes]], scram: bool) -> None:
        self.turns = turns
        self.scram = scram
        self.said = 0  # in the last session
        self.start(WHOLE)

    def start(self, cut: int) -> None:
        self.cut = cut
        self.fresh = True

    def __call__(self, peer: Peer) -> None:
        if not self.fresh:
            return
        self.fresh = False
        self.said = 0
        for answer in self._answers(peer):
            left = self.cut - self.said
            self.said += len(answer)  # before the client can be done with it
            peer.send(answer[:left])
            if left <= len(answer):
                return

    def _answers(self, peer: Peer) -> Iterator[bytes]:
        (count, welcome), *rest = self.turns
        heard = peer.read(count)
        replies: list[Reply] = ScramServer(PASSWORD).replies(welcome) if self.scram else [welcome]
        for number, reply in enumerate(replies):
            if number:
                kind, body = peer.hear()
                heard = message(kind.encode(), body)
            assert not isinstance(reply, Exception)
            yield reply(heard) if callable(reply) else reply
        for count, answer in rest:
            peer.read(count)
            yield answer


def answers(found: list[Any]) -> Iterator[Any]:
    return (one for one in found if not isinstance(one, Exception))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("scram", [False, True], ids=["trust", "scram"])
def test_a_stream_cut_anywhere_is_a_lost_connection_and_never_half_an_answer(
    runtime: str, scram: bool, turns: list[tuple[int, bytes]]
) -> None:
    cutter = Cutter(turns, scram)
    size = sum(len(answer) for _, answer in turns)
    with scripted(cutter) as server:
        user = f"postgres:{PASSWORD}" if scram else "postgres"
        url = server.url.replace("ann@", f"{user}@").replace("/db?", "/postgres?")
        whole = outcomes(runtime, url, CALLS)
        assert len(list(answers(whole))) == len(CALLS)
        assert cutter.said > size if scram else cutter.said == size
        for cut in range(cutter.said):
            cutter.start(cut)
            found = outcomes(runtime, url, CALLS, until_error=True, acquire_timeout=0.3)
            told = len(list(answers(found)))
            assert found[:told] == whole[:told], cut
            assert all(isinstance(one, LOST) for one in found[told:]), (cut, found)
            assert told < len(CALLS), cut
