"""Containers under hypothesis: hostile payloads in, values out and back, values through a real server.

A case is one value or payload; of what hypothesis draws once, EACH of them are made.
"""

from __future__ import annotations

import contextlib
import os
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.cases import cases
from tests.codecs.containers import create_extensions, decode, echo_all, encode, get, resolve, skip_without
from tests.codecs.shapes import EACH, Make, Source, array, draws, either, mapping, maybe, row, some, span
from tests.oracle import Oracle

from stretto.codecs.base import Codec, UnknownTypes
from stretto.codecs.catalog import TypeInfo
from stretto.codecs.extensions import SparseVector
from stretto.codecs.registry import CodecMap
from stretto.errors import DecodeError, ProtocolError

TYPES = 20  # about as many share the cases of a test
CASES = cases(40, TYPES, cost=2)

CODECS = CodecMap()
CODECS.define(
    [
        TypeInfo(50000, "pair", "public", "c", True, ",", None, ["a", "b"], [23, 25]),
        TypeInfo(50001, "_pair", "public", "b", True, ",", 50000),
        TypeInfo(50002, "tree", "public", "c", True, ",", None, ["id", "children"], [23, 50003]),
        TypeInfo(50003, "_tree", "public", "b", True, ",", 50002),
        TypeInfo(50004, "mood", "public", "e", True),
        TypeInfo(50005, "opaque", "public", "b", False),
        TypeInfo(50006, "_opaque", "public", "b", True, ",", 50005),
        TypeInfo(50007, "opaquerange", "public", "r", True, ",", 50005),
        TypeInfo(50008, "opaquemultirange", "public", "m", True, ",", 50007),
        *(
            TypeInfo(50010 + i, name, "public", "b", True)
            for i, name in enumerate(["hstore", "ltree", "vector", "halfvec", "sparsevec"])
        ),
    ]
)

few = settings(max_examples=-(-CASES // EACH), deadline=None, suppress_health_check=list(HealthCheck))
int4, text, half, decimal = Source.int4, Source.text, Source.half, Source.decimal
pair = row(maybe(int4), maybe(text))
vector = some(half, 8, least=1)


def tree(s: Source, depth: int = 3) -> Any:
    return s.int4(), [tree(s, depth - 1) for _ in range(s.r.randint(0, 3))] if depth and s.r.getrandbits(1) else None


def sparse(s: Source) -> SparseVector:
    return SparseVector({s.r.randrange(10): s.half() or 1.0 for _ in range(s.r.randrange(6))}, 10)


VALUES: dict[int, Make] = {
    1007: array(int4),
    1009: array(text),
    3807: some(maybe(either(some(int4, 4), text)), 5),
    3904: span(int4),
    3905: array(span(int4)),
    4451: some(span(int4), 3),
    6150: some(some(span(int4), 3), 3),
    50000: pair,
    50001: array(pair),
    50002: tree,
    50004: text,
    50006: array(text),
    50007: span(text),
    50008: lambda s: [one for one in some(span(text), 3)(s) if not one.isempty],
    50010: mapping(text, maybe(text), 4),
    50011: text,
    50012: vector,
    50013: vector,
    50014: sparse,
}
# record and record[] have no values of ours: they read those of other types' shape.
TARGETS = [*VALUES, 2249, 2287, 2277, 22]


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", VALUES)
def test_what_is_written_is_read(oid: int) -> None:
    codec = get(CODECS, oid)

    @few
    @given(draws())
    def check(sources: list[Source]) -> None:
        for value in map(VALUES[oid], sources):
            assert decode(codec, encode(codec, value)) == value

    check()


def judge(payloads: Iterable[tuple[Codec, bytes]]) -> None:
    """Decode; only these errors may leave, and memory may grow with the bytes that are there alone."""
    tracemalloc.start()
    try:
        for codec, data in payloads:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with contextlib.suppress(ProtocolError, DecodeError, UnknownTypes):
                decode(codec, data)
            assert tracemalloc.get_traced_memory()[1] - before < 100_000 + 1000 * len(data), data.hex()
    finally:
        tracemalloc.stop()


EDGES = [
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"\0\0\0\7",
    b"\0\0\1\0",
]


def bent(oid: int, s: Source) -> bytes:
    """A right payload with some of its words changed, cut or longer."""
    data = bytearray(encode(get(CODECS, oid), VALUES[oid](s)))
    for _ in range(s.r.randint(1, 3)):
        place = s.r.randint(0, max(len(data) - 1, 0))
        edge = s.r.choice(EDGES) if s.r.getrandbits(1) else s.r.randbytes(s.r.randrange(6))
        data[place : place + s.r.choice((0, 1, 4))] = edge
    return bytes(data[: s.r.randint(0, len(data))] if s.r.getrandbits(1) else data)


FOUND = ["0000000100000000000000000000000100000001 00000004 00000000"]  # an array of elements of type 0, for anyarray


@pytest.mark.parametrize("data", FOUND)
def test_what_was_found_once_stays_mended(data: str) -> None:
    judge((get(CODECS, target), bytes.fromhex(data)) for target in {2249, 2287, *VALUES})


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", VALUES)
def test_bent_payloads_raise_protocol_errors_only(oid: int) -> None:
    targets = [get(CODECS, target) for target in {oid, 2249, 2287, 2277}]

    @few
    @given(draws())
    def check(sources: list[Source]) -> None:
        judge((target, data) for data in [bent(oid, s) for s in sources] for target in targets)

    check()


WORDS = [*EDGES, *(oid.to_bytes(4, "big") for oid in TARGETS), *(bytes([0, 0, 0, i]) for i in range(9))]


def random_words(s: Source) -> bytes:
    r = s.r
    return b"".join(r.choices(WORDS, k=r.randrange(25))) if r.getrandbits(1) else r.randbytes(r.randrange(65))


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", TARGETS)
def test_random_words_raise_protocol_errors_only(oid: int) -> None:
    codec = get(CODECS, oid)

    @few
    @given(draws())
    def check(sources: list[Source]) -> None:
        judge([(codec, random_words(s)) for s in sources])

    check()


SCHEMA = f"stretto_containers_fuzz_{os.getpid()}"  # several runs may share a server
LIVE: dict[str, Make] = {
    "int4[]": array(int4),
    "text[]": array(text),
    "inner_pair[]": array(pair),
    "middle": row(maybe(int4), maybe(array(pair)), maybe(array(text))),
    "wide": row(maybe(some(row(int4, array(pair), lambda s: []), 2)), maybe(text)),
    "hstore": mapping(text, maybe(text), 4),
    "hstore[]": array(mapping(text, maybe(text), 2)),
    "citext[]": array(text),
    "vector": vector,
    "halfvec[]": some(vector, 3),
    "numrange": span(decimal),
    "numrange[]": array(span(decimal)),
}


@pytest.fixture(scope="module")
def oracle(server_url: str) -> Iterator[Oracle]:
    oracle = Oracle(server_url)
    create_extensions(oracle)
    oracle.execute(f"""
        drop schema if exists {SCHEMA} cascade;
        create schema {SCHEMA};
        set search_path = {SCHEMA}, public;
        create type inner_pair as (a int, b text);
        create type middle as (id int, pairs inner_pair[], names text[]);
        create type wide as (middles middle[], note text);
    """)
    yield oracle
    oracle.execute(f"drop schema {SCHEMA} cascade")
    oracle.close()


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("type_name", LIVE)
def test_values_survive_the_server_and_mean_what_it_shows(oracle: Oracle, type_name: str) -> None:
    skip_without(oracle, type_name)
    codecs = CodecMap()
    oid = oracle.oid(type_name)
    resolve(codecs, oracle, [oid])

    codec = get(codecs, oid)

    @few
    @given(draws())
    def check(sources: list[Source]) -> None:
        values = [LIVE[type_name](s) for s in sources]
        assert echo_all(codec, oracle, type_name, values) == [(value, value) for value in values]

    check()
