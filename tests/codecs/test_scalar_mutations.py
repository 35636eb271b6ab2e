"""Bytes that no server sends: a codec answers with a value, a ProtocolError or a DecodeError, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.cases import cases
from tests.codecs.support import CODECS, GOLDEN, INFINITE, SENTINELS, value

from stretto.errors import DecodeError, ProtocolError

NAMES = sorted(CODECS)
CASES = cases(300, len(NAMES))
EXAMPLES = {name: [bytes.fromhex(data) for n, _, data in GOLDEN + INFINITE if n == name] for name in NAMES}


def mutations(name: str, count: int) -> Iterator[bytes]:
    """Payloads of a type cut at each length, with bytes changed, and noise."""
    rng = random.Random(name)
    seeds = EXAMPLES[name] or [bytes(8)]
    for seed in seeds:
        yield from (seed[:size] for size in range(len(seed)))
        yield seed + b"\0"
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        yield bytes(data)
        yield rng.randbytes(rng.randrange(40))


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", NAMES)
def test_only_two_errors_leave_a_codec(name: str) -> None:
    for data in mutations(name, CASES):
        outcomes = []
        for codec in (CODECS[name], SENTINELS[name]):
            for tail in (b"", b"\xff" * 40):
                try:
                    outcome = repr(value(codec, data, tail))
                except (ProtocolError, DecodeError):
                    outcome = "an error"
                outcomes.append(outcome)
        assert outcomes[0] == outcomes[1], f"{name} {data.hex()} depends on what follows"
        assert outcomes[2] == outcomes[3]
