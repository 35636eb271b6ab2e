"""Arrays, ranges and multiranges as literals."""

from __future__ import annotations

from typing import Any

import pytest
from tests.codecs.containers import decode, encode

from stretto.codecs.arraytext import TextArray, TextMultirange, TextRange
from stretto.codecs.base import TEXT_FORMAT, Codec
from stretto.codecs.ranges import Range
from stretto.codecs.text import Text
from stretto.errors import EncodeError, ProtocolError

ELEMENT = Text("opaque", 1, TEXT_FORMAT)
ARRAY = TextArray("opaque[]", 2, ELEMENT)
BOXES = TextArray("box[]", 2, ELEMENT, ";")
RANGE = TextRange("spread", 3, ELEMENT)
MULTI = TextMultirange("spreads", 4, RANGE)

# What the server writes.
READ = [
    (ARRAY, "{}", []),
    (ARRAY, "{a,b}", ["a", "b"]),
    (ARRAY, '{NULL,null,"NULL"}', [None, None, "NULL"]),
    (ARRAY, '{"","a b","a,b","{}"}', ["", "a b", "a,b", "{}"]),
    (ARRAY, r'{"a\"b","a\\b",a\"b}', ['a"b', "a\\b", 'a"b']),
    (ARRAY, "{{a,b},{c,NULL}}", [["a", "b"], ["c", None]]),
    (ARRAY, "{{{{{{a}}}}}}", [[[[[["a"]]]]]]),
    (ARRAY, "[0:2]={a,b,c}", ["a", "b", "c"]),
    (ARRAY, "[-1:0][2:2]={{a},{b}}", [["a"], ["b"]]),
    (ARRAY, '{"=",=}', ["=", "="]),
    (ARRAY, '{"ä\n"}', ["ä\n"]),
    (BOXES, "{(1,1),(0,0);(2,2),(1,1)}", ["(1,1),(0,0)", "(2,2),(1,1)"]),
    (RANGE, "empty", Range(empty=True)),
    (RANGE, "[a,b)", Range("a", "b")),
    (RANGE, "(,b]", Range(None, "b", upper_inc=True)),
    (RANGE, "(,)", Range()),
    (RANGE, '["",")")', Range("", ")")),
    (RANGE, r'["a""b","a\\b"]', Range('a"b', "a\\b", upper_inc=True)),
    (RANGE, '["2020-01-01 00:00:00+00",)', Range("2020-01-01 00:00:00+00", None)),
    (MULTI, "{}", []),
    (MULTI, "{[a,b),[c,)}", [Range("a", "b"), Range("c", None)]),
    (MULTI, '{["},{",b)}', [Range("},{", "b")]),
]


@pytest.mark.parametrize(("codec", "literal", "value"), READ)
def test_literals_are_read(codec: Codec, literal: str, value: Any) -> None:
    assert decode(codec, literal.encode()) == value
    assert decode(codec, encode(codec, value)) == value


WRITTEN = [
    (ARRAY, [], "{}"),
    (ARRAY, [[], []], "{}"),
    (ARRAY, ["a", None, "NULL"], '{"a",NULL,"NULL"}'),
    (ARRAY, ['a"b\\'], r'{"a\"b\\"}'),
    (ARRAY, [["a"], ("b",)], '{{"a"},{"b"}}'),
    (BOXES, ["a", "b"], '{"a";"b"}'),
    (RANGE, Range(empty=True), "empty"),
    (RANGE, Range('a"', None, lower_inc=False), r'("a\"",)'),
    (MULTI, [("a", "b"), Range()], '{["a","b"),(,)}'),
]


@pytest.mark.parametrize(("codec", "value", "literal"), WRITTEN)
def test_literals_are_written(codec: Codec, value: Any, literal: str) -> None:
    assert encode(codec, value).decode() == literal


REFUSED = [
    (ARRAY, "abc", "a list or tuple, not str"),
    (ARRAY, ["a", 5], r"opaque\[\]: element \[1\]: opaque takes a str"),
    (ARRAY, [["a"], ["b", "c"]], r"element \[1\]: ragged"),
    (ARRAY, [["a"], [5]], r"element \[1\]\[0\]: opaque"),
    (RANGE, 5, "a Range"),
    (RANGE, Range(5, None), "lower bound: opaque"),
    (MULTI, "abc", "a list of Range"),
]


@pytest.mark.parametrize(("codec", "value", "message"), REFUSED)
def test_refused(codec: Codec, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode(codec, value)


MALFORMED = [
    *((ARRAY, text) for text in ("", "a", "{", "}", "{a", "{a,", "{,a}", "{a,}", "{a}b", "{a b}", '{"a}', '{a"b"}')),
    *((ARRAY, text) for text in ("{{a}", "{{a}{b}}", "{a{b}}", "{" * 7 + "}" * 7, "{" * 100_000, "[0:1]=", "[0:1={a}")),
    *((ARRAY, text) for text in ('{"' + "a" * 50_000, '{"' + '""' * 50_000)),
    *((RANGE, text) for text in ("", "[", "[a", "[a,b", "a,b)", "[a,b,c)", "[a,b)x", '["a,b)', "EMPTY", "[a,b}")),
    *((RANGE, text) for text in ('["' + '""' * 50_000, "[" + "\\" * 50_001)),
    *(
        (MULTI, text)
        for text in ("", "{", "}", "{[a,b)", "{[a,b),}", "{,[a,b)}", "{a}", "[a,b)", "{[a,b)[c,d)}", "{empty}")
    ),
]


@pytest.mark.parametrize(("codec", "literal"), MALFORMED)
def test_malformed_literals(codec: Codec, literal: str) -> None:
    with pytest.raises(ProtocolError, match="malformed"):
        decode(codec, literal.encode())
