"""Bytes bent at random: what a server said, with bits turned, lengths that lie, messages lost, doubled and swapped."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence

ODD_BYTES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
ODD_LENGTHS = (0, 1, 3, 4, 5, 0x7FFF, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
FLOOD = 1 << 16  # bytes at most that one message is repeated for

Bend = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def messages(data: bytes) -> list[bytes]:
    """Split well-formed bytes into messages."""
    found = []
    start = 0
    while start < len(data):
        stop = start + 1 + int(struct.unpack_from("!I", data, start + 1)[0])
        found.append(data[start:stop])
        start = stop
    return found


def _place(r: random.Random, data: bytearray) -> int:
    return r.randrange(len(data) + 1)


def _turn_a_bit(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def _set_a_byte(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[r.randrange(len(data))] = r.choice((*ODD_BYTES, r.randrange(256)))


def _set_a_number(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    form, mask = r.choice((("!I", 0xFFFFFFFF), ("!H", 0xFFFF)))
    packed = struct.pack(form, r.choice((*ODD_LENGTHS, r.randrange(300))) & mask)
    place = _place(r, data)
    data[place : place + len(packed)] = packed


def _lose(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    place = _place(r, data)
    del data[place : place + r.choice((1, 2, 4, 5, 40))]


def _put_in(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    place = _place(r, data)
    data[place:place] = r.choice((r.randbytes(r.randrange(9)), r.choice(others)))


def _end(r: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_place(r, data) :]


BENDS: tuple[Bend, ...] = (_turn_a_bit, _set_a_byte, _set_a_number, _lose, _put_in, _end)


def bent(r: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Bend what a server says in one turn; ``others`` are messages from elsewhere."""
    said = messages(data)
    for _ in range(r.choice((0, 0, 1, 2))):
        _rearrange(r, said, others)
    out = bytearray(b"".join(said))
    for _ in range(r.choice((0, 1, 1, 2, 4))):
        r.choice(BENDS)(r, out, others)
    return bytes(out)


def _rearrange(r: random.Random, said: list[bytes], others: Sequence[bytes]) -> None:
    """Change whole messages; each stays well formed."""
    place = r.randrange(len(said) + 1)
    match r.randrange(5):
        case 0:
            said.insert(place, r.choice(others))
        case 1 if place < len(said):
            del said[place]
        case 2 if place < len(said):
            said.insert(place, said[place])
        case 3:
            r.shuffle(said)
        case 4 if place < len(said) and r.random() < 0.1:
            said[place] *= max(FLOOD // len(said[place]), 1)


def pieces(r: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut what is said as a network might."""
    size = r.choice((1 << 20, 1 << 20, 1, r.randrange(1, 40))) if len(data) < 2_000 else r.randrange(500, 40_000)
    start = 0
    while start < len(data):
        yield data[start : start + size]
        start += size
