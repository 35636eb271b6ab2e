"""What the tests of the containers share: payloads both ways, and a CodecMap that asks a real catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from psycopg import pq
from tests.oracle import Oracle

from stretto.codecs import catalog
from stretto.codecs.base import Codec, decode_value, encode_value
from stretto.codecs.registry import CodecMap
from stretto.wire.buffer import ReadBuffer, WriteBuffer


def encode(codec: Codec, value: Any) -> bytes:
    buf = WriteBuffer()
    codec.encode(buf, value)
    return buf.getvalue()


def decode(codec: Codec, data: bytes) -> Any:
    """Decode a payload as the row loop does: with its length before it, so that what was left over is noticed."""
    return decode_value(codec, ReadBuffer(len(data).to_bytes(4, "big") + data))


def value(codec: Codec, item: Any) -> bytes:
    """A value with its length."""
    buf = WriteBuffer()
    encode_value(codec, buf, item)
    return buf.getvalue()


def ints(*numbers: int) -> bytes:
    """int32s, as the wire has them; uint32 for those beyond."""
    return b"".join((n & 0xFFFFFFFF).to_bytes(4, "big") for n in numbers)


def resolve(codecs: CodecMap, oracle: Oracle, oids: Iterable[int]) -> int:
    """Ask the catalogue until all is known, as the flow does; return how many questions that took."""
    questions = 0
    need = codecs.missing(oids)
    while need:
        questions += 1
        need = codecs.define(ask_catalog(codecs, oracle, need))
    return questions


def ask_catalog(codecs: CodecMap, oracle: Oracle, oids: Iterable[int]) -> list[list[Any]]:
    parameter = encode(get(codecs, catalog.PARAMETER), list(oids))
    result = oracle.conn.exec_params(catalog.QUERY.encode(), [parameter], [catalog.PARAMETER], [1], 1)
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise RuntimeError(result.error_message.decode())
    rows = []
    for i in range(result.ntuples):
        cells = [result.get_value(i, j) for j in range(result.nfields)]
        types = [get(codecs, oid) for _, oid in catalog.RESULT]
        rows.append([None if cell is None else decode(codec, cell) for codec, cell in zip(types, cells, strict=True)])
    return rows


def get(codecs: CodecMap, oid: int) -> Codec:
    codec = codecs.get(oid)
    assert codec is not None, f"type {oid} is not known"
    return codec


def fetch(codecs: CodecMap, oracle: Oracle, sql: str) -> Any:
    """The first value of a query: described, its types resolved, decoded; records ask again as the flow does."""
    oracle._check(oracle.conn.prepare(b"", sql.encode()))
    oid = oracle.conn.describe_prepared(b"").ftype(0)
    resolve(codecs, oracle, [oid])
    codec = get(codecs, oid)
    data = oracle._check(oracle.conn.exec_params(sql.encode(), [], result_format=codec.format)).get_value(0, 0)
    return None if data is None else decode(codec, data)


def echo(codecs: CodecMap, oracle: Oracle, type_name: str, item: Any) -> tuple[Any, str | None]:
    """Send a value as a parameter of a type; return what comes back, decoded, and the server's text of it."""
    oid = oracle.oid(type_name)
    resolve(codecs, oracle, [oid])
    codec = get(codecs, oid)
    payload = encode(codec, item)
    sql = f"select $1::{type_name}, ($1::{type_name})::text"
    results = [
        oracle._check(oracle.conn.exec_params(sql.encode(), [payload], [oid], [codec.format], form))
        for form in (codec.format, 0)
    ]
    data = results[0].get_value(0, 0)
    text = results[1].get_value(0, 1)
    return decode(codec, data or b""), None if text is None else text.decode()


def echo_all(codec: Codec, oracle: Oracle, type_name: str, items: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Send values of a type; return for each what comes back, and what the server reads in its own text of it."""
    each = ", ".join(f"${i}::{type_name}, (${i}::{type_name})::text::{type_name}" for i in range(1, len(items) + 1))
    payloads, types, formats = [encode(codec, item) for item in items], [codec.oid], [codec.format]
    result = oracle.conn.exec_params(
        f"select {each}".encode(), payloads, types * len(items), formats * len(items), codec.format
    )
    found = [decode(codec, oracle._check(result).get_value(0, i) or b"") for i in range(2 * len(items))]
    return list(zip(found[::2], found[1::2], strict=True))


def create_extensions(oracle: Oracle) -> None:
    """Create those of the extensions that the server has; ours have all, Debian's has no pgvector."""
    oracle.execute("set client_min_messages = error")
    for name in ("hstore", "citext", "ltree", "vector"):
        if oracle.ask("select count(*)::text from pg_available_extensions where name = $1", name) == "1":
            oracle.execute(f"create extension if not exists {name} schema public")


def skip_without(oracle: Oracle, type_name: str) -> None:
    """Skip the test where the server has no such type: an extension that is not there."""
    if oracle.ask("select to_regtype($1)::text", type_name) is None:
        pytest.skip(f"this server has no {type_name}")
