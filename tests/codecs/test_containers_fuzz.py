"""Containers under hypothesis: hostile payloads in, values out and back, values through a real server.

A case is one value or payload.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.codecs.containers import create_extensions, decode, echo, encode, get, resolve, skip_without
from tests.oracle import Oracle

from stretto.codecs.base import Codec, UnknownTypes
from stretto.codecs.catalog import TypeInfo
from stretto.codecs.extensions import SparseVector
from stretto.codecs.ranges import Range
from stretto.codecs.registry import CodecMap
from stretto.errors import DecodeError, ProtocolError

TYPES = 20  # about as many share the cases of a test
CASES = cases(40, TYPES, cost=10)
few = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))

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

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
int4s = st.integers(-(2**31), 2**31 - 1)
floats = st.floats(width=16, allow_nan=False, allow_infinity=False)


def nullable(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | items


def arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of one to three dimensions, never ragged; an empty one has none."""

    def of(sizes: list[int]) -> st.SearchStrategy[list[Any]]:
        level = nullable(items)
        for size in reversed(sizes):
            level = st.lists(level, min_size=size, max_size=size)
        return level

    return st.just([]) | st.lists(st.integers(1, 3), min_size=1, max_size=3).flatmap(of)


def ranges(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Range]:
    def of(bounds: list[Any]) -> st.SearchStrategy[Range]:
        lower, upper = sorted(bounds)
        flag = st.booleans()
        return st.builds(Range, st.sampled_from([None, lower]), st.sampled_from([None, upper]), flag, flag)

    return st.just(Range(empty=True)) | st.lists(items, min_size=2, max_size=2, unique=True).flatmap(of)


pairs = st.tuples(nullable(int4s), nullable(texts))
trees = st.recursive(
    st.tuples(int4s, st.none()), lambda inner: st.tuples(int4s, st.lists(inner, max_size=3)), max_leaves=8
)
vectors = st.lists(floats, min_size=1, max_size=8)

VALUES: dict[int, st.SearchStrategy[Any]] = {
    1007: arrays(int4s),
    1009: arrays(texts),
    3807: st.lists(nullable(st.lists(int4s) | texts), max_size=5),
    3904: ranges(int4s),
    3905: arrays(ranges(int4s)),
    4451: st.lists(ranges(int4s), max_size=3),
    6150: st.lists(st.lists(ranges(int4s), max_size=3), max_size=3),
    50000: pairs,
    50001: arrays(pairs),
    50002: trees,
    50004: texts,
    50006: arrays(texts),
    50007: ranges(texts),
    50008: st.lists(ranges(texts).filter(lambda r: not r.isempty), max_size=3),
    50010: st.dictionaries(texts, nullable(texts), max_size=4),
    50011: texts,
    50012: vectors,
    50013: vectors,
    50014: st.builds(SparseVector, st.dictionaries(st.integers(0, 9), floats.filter(bool), max_size=5), st.just(10)),
}
# record and record[] have no values of ours: they read those of other types' shape.
TARGETS = [*VALUES, 2249, 2287, 2277, 22]


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", VALUES)
def test_what_is_written_is_read(oid: int) -> None:
    codec = get(CODECS, oid)

    @few
    @given(VALUES[oid])
    def check(value: Any) -> None:
        assert decode(codec, encode(codec, value)) == value

    check()


def judge(codec: Codec, data: bytes) -> None:
    """Decode; only these errors may leave, and memory may grow with the bytes that are there alone."""
    tracemalloc.start()
    try:
        decode(codec, data)
    except (ProtocolError, DecodeError, UnknownTypes):
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100_000 + 1000 * len(data)


EDGES = [
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"\0\0\0\7",
    b"\0\0\1\0",
]


@st.composite
def bent(draw: st.DrawFn, oid: int) -> bytes:
    """A right payload with some of its words changed, cut or longer."""
    data = bytearray(encode(get(CODECS, oid), draw(VALUES[oid])))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        edge = draw(st.sampled_from(EDGES) | st.binary(max_size=5))
        data[place : place + draw(st.sampled_from([0, 1, 4]))] = edge
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


FOUND = ["0000000100000000000000000000000100000001 00000004 00000000"]  # an array of elements of type 0, for anyarray


@pytest.mark.parametrize("data", FOUND)
def test_what_was_found_once_stays_mended(data: str) -> None:
    for target in {2249, 2287, 2277, *VALUES}:
        judge(get(CODECS, target), bytes.fromhex(data))


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", VALUES)
def test_bent_payloads_raise_protocol_errors_only(oid: int) -> None:
    @few
    @given(bent(oid))
    def check(data: bytes) -> None:
        for target in {oid, 2249, 2287, 2277}:
            judge(get(CODECS, target), data)

    check()


words = st.sampled_from(
    [*EDGES, *(oid.to_bytes(4, "big") for oid in TARGETS), *(bytes([0, 0, 0, i]) for i in range(9))]
)


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("oid", TARGETS)
def test_random_words_raise_protocol_errors_only(oid: int) -> None:
    @few
    @given(st.lists(words, max_size=24).map(b"".join) | st.binary(max_size=64))
    def check(data: bytes) -> None:
        judge(get(CODECS, oid), data)

    check()


SCHEMA = f"stretto_containers_fuzz_{os.getpid()}"  # several runs may share a server
LIVE: dict[str, st.SearchStrategy[Any]] = {
    "int4[]": arrays(int4s),
    "text[]": arrays(texts),
    "inner_pair[]": arrays(pairs),
    "middle": st.tuples(nullable(int4s), nullable(arrays(pairs)), nullable(arrays(texts))),
    "wide": st.tuples(nullable(st.lists(st.tuples(int4s, arrays(pairs), st.just([])), max_size=2)), nullable(texts)),
    "hstore": st.dictionaries(texts, nullable(texts), max_size=4),
    "hstore[]": arrays(st.dictionaries(texts, nullable(texts), max_size=2)),
    "citext[]": arrays(texts),
    "vector": vectors,
    "halfvec[]": st.lists(vectors, max_size=3),
    "numrange": ranges(st.decimals(-1000, 1000, places=2)).filter(lambda r: r.isempty or r.lower != r.upper),
    "numrange[]": arrays(ranges(st.decimals(-1000, 1000, places=2))),
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

    @few
    @given(LIVE[type_name])
    def check(value: Any) -> None:
        back, shown = echo(codecs, oracle, type_name, value)
        assert back == value
        payload = oracle.binary(type_name, shown)  # the server reads its own text: the same value
        assert payload is not None
        assert decode(get(codecs, oid), payload) == value

    check()
