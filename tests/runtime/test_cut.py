"""The stream of a real session, cut at every byte: the client says so at once, and gives whole rows or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.runtime.calls import RUNTIMES, outcomes
from tests.runtime.scripted import Peer, scripted
from tests.wire.recorder import recorder

from stretto.errors import ConnectError, ConnectionLost

CALLS = [
    ("fetch", "select 1 as a, 'x' as b union all select 2, null order by 1"),
    ("execute", "select 1; select 2"),
    ("fetchval", "select array[1.5::numeric]"),
]
WHOLE = 1 << 30


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
    """Replays a session until ``cut`` bytes are said, then hangs up, and lets nobody in until the next ``start``."""

    def __init__(self, turns: list[tuple[int, bytes]]) -> None:
        self.turns = turns
        self.start(WHOLE)

    def start(self, cut: int) -> None:
        self.cut = cut
        self.fresh = True

    def __call__(self, peer: Peer) -> None:
        if not self.fresh:
            return
        self.fresh = False
        left = self.cut
        for count, answer in self.turns:
            peer.read(count)
            peer.send(answer[:left])
            left -= len(answer)
            if left <= 0:
                return


def answers(found: list[Any]) -> Iterator[Any]:
    return (one for one in found if not isinstance(one, Exception))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_stream_cut_anywhere_is_a_lost_connection_and_never_half_an_answer(
    runtime: str, turns: list[tuple[int, bytes]]
) -> None:
    cutter = Cutter(turns)
    with scripted(cutter) as server:
        url = server.url.replace("ann@", "postgres@").replace("/db?", "/postgres?")
        whole = outcomes(runtime, url, CALLS)
        assert len(list(answers(whole))) == len(CALLS)
        for cut in range(sum(len(answer) for _, answer in turns)):
            cutter.start(cut)
            found = outcomes(runtime, url, CALLS)
            told = len(list(answers(found)))
            assert found[:told] == whole[:told], cut
            assert all(isinstance(one, (ConnectError, ConnectionLost)) for one in found[told:]), (cut, found)
            assert told < len(CALLS), cut
