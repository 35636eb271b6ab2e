"""CodecMap: what is shared, what is asked for, what a user's functions change."""

from __future__ import annotations

import enum
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.codecs.containers import decode, encode, get, ints, value

from stretto.codecs.arrays import Array
from stretto.codecs.base import BINARY_FORMAT, TEXT_FORMAT
from stretto.codecs.catalog import TypeInfo, builtin_containers
from stretto.codecs.composite import Composite
from stretto.codecs.numeric import Int4
from stretto.codecs.registry import CodecMap
from stretto.codecs.scalars import scalar_codecs
from stretto.codecs.values import Interval
from stretto.errors import EncodeError, ProtocolError, UsageError

INT4, TEXT, NUMERIC, JSON, JSONB, TIMESTAMPTZ = 23, 25, 1700, 114, 3802, 1184

MOOD = TypeInfo(50000, "mood", "public", "e", True)
MOODS = TypeInfo(50001, "_mood", "public", "b", True, ",", 50000)
POSITIVE = TypeInfo(50002, "positive", "public", "d", True, ",", INT4)
PAIR = TypeInfo(50003, "pair", "public", "c", True, ",", None, ["a", "b"], [50002, 50001])
PAIRS = TypeInfo(50004, "_pair", "public", "b", True, ",", 50003)
TREE = TypeInfo(50005, "tree", "public", "c", True, ",", None, ["id", "children"], [INT4, 50006])
TREES = TypeInfo(50006, "_tree", "public", "b", True, ",", 50005)
SPAN = TypeInfo(50007, "span", "public", "r", True, ",", TIMESTAMPTZ)
SPANS = TypeInfo(50008, "spans", "public", "m", True, ",", 50007)
OPAQUE = TypeInfo(50009, "opaque", "public", "b", False)
OPAQUES = TypeInfo(50010, "_opaque", "public", "b", True, ";", 50009)
HOLDER = TypeInfo(50011, "holder", "public", "c", True, ",", None, ["x"], [50010])
GONE = TypeInfo(50012, None, None, None, None, None)
BILL = TypeInfo(50013, "bill", "public", "c", True, ",", None, ["total", "at"], [NUMERIC, TIMESTAMPTZ])
CHAMBER = TypeInfo(50014, "citext", "ext", "b", True)


def test_builtins_are_shared_between_maps() -> None:
    one, two = CodecMap(), CodecMap()
    for oid in (INT4, 1007, 3904, 4451, 6150):
        assert get(one, oid) is get(two, oid)
    assert one.missing([INT4, 1007, 3904, 4451, 6150, 2249, 2287, 2277]) == set()


def test_records_are_not_shared() -> None:
    assert get(CodecMap(), 2249) is not get(CodecMap(), 2249)


def test_all_builtin_containers_are_known() -> None:
    codecs = CodecMap()
    assert codecs.missing(builtin_containers()) == set()
    assert [oid for oid in builtin_containers() if codecs.get(oid) is None] == []


def test_types_are_asked_for_level_by_level() -> None:
    codecs = CodecMap()
    assert codecs.missing([PAIRS.oid, INT4]) == {PAIRS.oid}
    assert codecs.define([PAIRS]) == {PAIR.oid}
    assert codecs.get(PAIRS.oid) is None
    assert codecs.missing([PAIRS.oid]) == {PAIR.oid}
    assert codecs.define([PAIR]) == {POSITIVE.oid, MOODS.oid}
    assert codecs.define([POSITIVE, MOODS]) == {MOOD.oid}
    assert codecs.define([MOOD]) == set()
    assert codecs.missing([PAIRS.oid]) == set()
    codec = get(codecs, PAIRS.oid)
    item = [(7, ["sad", None]), (None, [])]
    assert decode(codec, encode(codec, item)) == item
    assert codec.name == "pair[]"


def test_a_domain_is_its_base_type_under_its_own_oid() -> None:
    codecs = CodecMap()
    codecs.define([POSITIVE, PAIR, MOODS, MOOD])
    assert get(codecs, POSITIVE.oid) is get(codecs, INT4)
    assert encode(get(codecs, PAIR.oid), (7, None)) == ints(2, POSITIVE.oid, 4, 7, MOODS.oid, -1)


@pytest.mark.parametrize("first", [TREE.oid, TREES.oid])
def test_a_composite_that_contains_an_array_of_itself(first: int) -> None:
    codecs = CodecMap()
    assert codecs.define([TREE]) == {TREES.oid}
    assert codecs.define([TREES]) == set()
    get(codecs, first)
    codec = get(codecs, TREE.oid)
    item = (1, [(2, []), (3, [(4, None)])])
    assert decode(codec, encode(codec, item)) == item
    assert get(codecs, TREES.oid).element is codec  # type: ignore[attr-defined]  # it is an Array


def test_a_hostile_catalogue_cannot_make_a_type_of_itself() -> None:
    codecs = CodecMap()
    codecs.define([TypeInfo(60000, "a", "s", "d", True, ",", 60001), TypeInfo(60001, "b", "s", "d", True, ",", 60000)])
    with pytest.raises(ProtocolError, match="made of itself"):
        codecs.get(60000)


def test_types_without_a_binary_format_travel_as_text_and_all_that_holds_them() -> None:
    codecs = CodecMap()
    codecs.define([OPAQUE, OPAQUES, HOLDER])
    assert [get(codecs, oid).format for oid in (OPAQUE.oid, OPAQUES.oid, HOLDER.oid)] == [TEXT_FORMAT] * 3
    assert decode(get(codecs, OPAQUES.oid), b'{a;"b c";NULL}') == ["a", "b c", None]
    assert decode(get(codecs, HOLDER.oid), b'("{a}")') == '("{a}")'


def test_an_oid_that_is_no_type_is_text_and_is_asked_for_again_next_time() -> None:
    codecs = CodecMap()
    assert codecs.define([GONE]) == set()
    assert decode(get(codecs, GONE.oid), b"abc") == "abc"
    assert codecs.missing([GONE.oid]) == {GONE.oid}
    codecs.define([GONE._replace(name="mood", schema="public", kind="e", binary=True)])
    assert codecs.missing([GONE.oid]) == set()
    assert get(codecs, GONE.oid).format == BINARY_FORMAT


def test_an_altered_type_is_built_anew_and_the_version_tells() -> None:
    codecs = CodecMap()
    codecs.define([TREE, TREES])
    before, version = get(codecs, TREES.oid), codecs.version
    codecs.define([TREE])
    assert (get(codecs, TREES.oid), codecs.version) == (before, version)
    codecs.define([TREE._replace(columns=["id"], column_oids=[INT4])])
    assert codecs.version > version
    assert decode(get(codecs, TREES.oid), encode(get(codecs, TREES.oid), [(1,)])) == [(1,)]


def test_composites_get_their_maker() -> None:
    class Maker:
        def __init__(self, names: list[str]) -> None:
            self.names = names

        def make(self, values: list[Any]) -> dict[str, Any]:
            return dict(zip(self.names, values, strict=True))

    codecs = CodecMap(maker_of=lambda name, names: Maker(names))
    codecs.define([TREE, TREES])
    codec = get(codecs, TREE.oid)
    assert decode(codec, encode(codec, (1, None))) == {"id": 1, "children": None}


class Doubled(Int4):
    def decode(self, buf: Any, count: int) -> Any:
        return 2 * super().decode(buf, count)


def test_an_added_codec_is_used_in_containers_too() -> None:
    codecs = CodecMap()
    data = encode(get(codecs, 1007), [1, 2])
    codecs.add(Doubled("int4", INT4), INT4)
    assert decode(get(codecs, 1007), data) == [2, 4]
    assert decode(get(CodecMap(), 1007), data) == [1, 2]


class Mood(enum.Enum):
    SAD = "sad"


def mood_map() -> CodecMap:
    codecs = CodecMap()
    codecs.define([MOOD, MOODS, POSITIVE, PAIR, PAIRS])
    return codecs


def test_functions_take_effect_for_types_resolved_before_and_after() -> None:
    for resolve_first in (True, False):
        codecs = mood_map()
        if resolve_first:
            get(codecs, PAIRS.oid)
        codecs.set_type_codec("mood", encoder=lambda mood: mood.value, decoder=Mood)
        codec = get(codecs, PAIRS.oid)
        assert isinstance(codec, Array)
        data = encode(codec, [(1, [Mood.SAD])])
        assert decode(codec, data) == [(1, [Mood.SAD])]
        codecs.reset_type_codec("mood")
        assert decode(get(codecs, PAIRS.oid), data) == [(1, ["sad"])]


@pytest.mark.parametrize(("schema", "result"), [(None, Mood.SAD), ("public", Mood.SAD), ("other", "sad")])
def test_the_schema_narrows_the_name(schema: str | None, result: Any) -> None:
    codecs = mood_map()
    codecs.set_type_codec("mood", schema=schema, encoder=str, decoder=Mood)
    assert decode(get(codecs, MOOD.oid), b"sad") == result


# A type, functions for it, a value of theirs, the same value of the built-in codec.
TEXT_CODECS = [
    ("numeric", NUMERIC, str, float, 1.5, Decimal("1.5")),
    ("decimal", NUMERIC, str, str, "1000", Decimal("1E+3")),
    ("integer", INT4, lambda v: v[1:], lambda t: f"#{t}", "#7", 7),
    ("text", TEXT, str.lower, str.upper, "ABC", "abc"),
]


@pytest.mark.parametrize(("name", "oid", "encoder", "decoder", "ours", "theirs"), TEXT_CODECS)
def test_text_codecs_of_builtins_stay_in_binary_where_that_shows_no_difference(
    name: str, oid: int, encoder: Any, decoder: Any, ours: Any, theirs: Any
) -> None:
    codecs = CodecMap()
    codecs.set_type_codec(name, encoder=encoder, decoder=decoder)
    codec = get(codecs, oid)
    assert codec.format == BINARY_FORMAT
    assert decode(codec, encode(get(CodecMap(), oid), theirs)) == ours
    assert decode(get(CodecMap(), oid), encode(codec, ours)) == theirs


def test_functions_reach_arrays_ranges_and_records_of_a_builtin() -> None:
    codecs = CodecMap()
    record = ints(1, NUMERIC) + value(get(codecs, NUMERIC), Decimal("1.5"))
    array = encode(get(codecs, 1231), [Decimal("1.5")])
    spans = encode(get(codecs, 6151), [[(Decimal(1), Decimal(2))]])
    codecs.set_type_codec("numeric", encoder=str, decoder=float)
    assert decode(get(codecs, 2249), record) == (1.5,)
    assert decode(get(codecs, 1231), array) == [1.5]
    assert type(decode(get(codecs, 6151), spans)[0][0].lower) is float


def test_a_text_codec_without_a_binary_twin_takes_its_containers_to_text() -> None:
    codecs = CodecMap()
    codecs.define([SPAN, SPANS, BILL])
    codecs.set_type_codec("timestamp with time zone", encoder=str, decoder=lambda text: text.removesuffix("+00"))
    oids = (TIMESTAMPTZ, 1185, 3910, 4534, SPAN.oid, SPANS.oid, BILL.oid)
    assert [get(codecs, oid).format for oid in oids] == [TEXT_FORMAT] * len(oids)
    assert decode(get(codecs, 1185), b'{"2020-01-01 00:00:00+00",NULL}') == ["2020-01-01 00:00:00", None]
    assert decode(get(codecs, SPAN.oid), b'["2020-01-01 00:00:00+00",)').lower == "2020-01-01 00:00:00"
    assert encode(get(codecs, SPANS.oid), [("a", "b")]) == b'{["a","b")}'
    codecs.reset_type_codec("timestamptz")
    assert isinstance(get(codecs, BILL.oid), Composite)


def test_binary_functions_get_bytes() -> None:
    codecs = CodecMap()
    codecs.set_type_codec("int4", encoder=lambda b: b, decoder=bytes.hex, format="binary")
    assert decode(get(codecs, 1007), encode(get(CodecMap(), 1007), [255])) == ["000000ff"]
    assert encode(get(codecs, INT4), b"\0\0\0\1") == ints(1)
    with pytest.raises(EncodeError, match="must return bytes, not str"):
        encode(get(codecs, INT4), "x")


def test_json_functions_serve_json_and_jsonb() -> None:
    codecs = CodecMap()
    codecs.set_json(lambda v: json.dumps(v).encode(), lambda text: json.loads(text, parse_float=Decimal))
    assert decode(get(codecs, JSON), b"1.50") == Decimal("1.50")
    assert decode(get(codecs, JSONB), b"\x011.50") == Decimal("1.50")
    assert encode(get(codecs, JSONB), [1]) == b"\x01[1]"
    assert encode(get(codecs, 3807), [[1], {}]) == ints(1, 0, JSONB, 2, 1, 4) + b"\x01[1]" + ints(3) + b"\x01{}"


def test_a_database_may_have_scalar_codecs_with_options() -> None:
    codecs = CodecMap(scalar_codecs(intervals="interval"))
    data = encode(get(CodecMap(), 1187), [timedelta(days=1)])
    assert decode(get(codecs, 1187), data) == [Interval(days=1)]
    assert decode(get(CodecMap(), 1187), data) == [timedelta(days=1)]


def test_a_text_codec_for_jsonb_gets_the_text_without_its_version() -> None:
    codecs = CodecMap()
    codecs.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=str)
    assert decode(get(codecs, JSONB), b"\x01[1]") == "[1]"
    assert encode(get(codecs, JSONB), "[1]") == b"\x01[1]"
    with pytest.raises(ProtocolError, match="version"):
        decode(get(codecs, JSONB), b"\x02[1]")


def test_a_domain_and_a_composite_may_have_functions_of_their_own() -> None:
    codecs = mood_map()
    codecs.set_type_codec("positive", encoder=str, decoder=lambda text: f"+{text}")
    codecs.set_type_codec("pair", encoder=str, decoder=str.strip)
    assert decode(get(codecs, POSITIVE.oid), ints(7)) == "+7"
    assert decode(get(codecs, INT4), ints(7)) == 7
    assert decode(get(codecs, PAIR.oid), b" (1,) ") == "(1,)"
    assert get(codecs, PAIRS.oid).format == TEXT_FORMAT


def test_extensions_are_known_by_name_in_any_schema() -> None:
    codecs = CodecMap()
    codecs.define([CHAMBER])
    assert get(codecs, CHAMBER.oid).format == BINARY_FORMAT


def test_wrong_use_is_told() -> None:
    codecs = CodecMap()
    for name in ("int4[]", "_int4"):
        with pytest.raises(UsageError, match="its arrays follow"):
            codecs.set_type_codec(name, encoder=str, decoder=str)
    with pytest.raises(
        UsageError, match=r"^public\.mood: the name of a type without its schema, for which there is sc"
    ):
        codecs.set_type_codec("public.mood", encoder=str, decoder=str)
    with pytest.raises(UsageError, match="'text' or 'binary', not 'tuple'"):
        codecs.set_type_codec("int4", encoder=str, decoder=str, format="tuple")
    codecs.set_type_codec("numeric", encoder=lambda v: v, decoder=str)
    with pytest.raises(EncodeError, match="must return a str, not float"):
        encode(get(codecs, NUMERIC), 1.5)
    with pytest.raises(EncodeError, match="text that is no numeric"):
        encode(get(codecs, NUMERIC), "secret")
