"""CodecMap: the codecs of one Database, by type OID.

The built-in types are made once for the process and shared; no catalogue is asked for them. What a Database adds is an
overlay: the types that its server told of (``define``), the functions that its user gave (``set_type_codec``,
``set_json``) and codecs given by OID (``add``). Codecs of types that are made of others are built when they are first
asked for, from what is known of their parts; when a part changes they are forgotten and built anew.

How a type is found out: ``missing`` tells which OIDs to ask ``catalog.QUERY`` for, ``define`` takes the rows and tells
which to ask for next, until there are none.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stretto._conninfo import suggestion
from stretto.codecs.arrays import NESTS_ALL, NESTS_LISTS, NESTS_NONE, AnyArray, Array
from stretto.codecs.arraytext import TextArray, TextMultirange, TextRange
from stretto.codecs.base import BINARY_FORMAT, Codec
from stretto.codecs.catalog import TypeInfo, builtin_containers
from stretto.codecs.composite import Composite, Record
from stretto.codecs.custom import Functions, canonical, make_custom
from stretto.codecs.enums import Enum
from stretto.codecs.extensions import extension_codec
from stretto.codecs.jsonb import Json, Jsonb
from stretto.codecs.oids import OID_OF
from stretto.codecs.ranges import Multirange, RangeCodec
from stretto.codecs.scalars import scalar_codecs
from stretto.codecs.text import TextCodec
from stretto.errors import ProtocolError, UsageError, printable

_log = logging.getLogger("stretto")

RECORD, RECORD_ARRAY, ANYARRAY = OID_OF["record"], 2287, OID_OF["anyarray"]
JSON, JSONB = OID_OF["json"], OID_OF["jsonb"]
_SPECIAL = {RECORD: "record", RECORD_ARRAY: "record[]", ANYARRAY: "anyarray"}

# Elements that may be lists, and elements that may be tuples: see NESTS_NONE and NESTS_LISTS.
_LIST_VALUES = frozenset({"json", "jsonb", "vector", "halfvec", "sparsevec", "path", "polygon"})
_TUPLE_VALUES = frozenset({"box", "circle", "line", "lseg", "point", "tid", "pg_snapshot", "txid_snapshot"})

MakerOf = Callable[[str, list[str]], Any]


class CodecMap:
    """The codecs of one Database.

    ``scalars`` replaces the codecs of the built-in scalar types, as ``scalar_codecs(...)`` makes them with options.
    ``maker_of(type name, column names)``, where it is given, gives each composite type its maker. ``version`` grows
    when a codec that was given out may have become another: who keeps codecs keeps it beside them.
    """

    def __init__(self, scalars: Iterable[Codec] | None = None, maker_of: MakerOf | None = None) -> None:
        self.version = 0
        self.maker_of = maker_of
        self.scalars = shared_scalars() if scalars is None else {codec.oid: codec for codec in scalars}
        self._codecs: dict[int, Codec] = {}  # Record reads it too: emptied, never replaced
        self._added: dict[int, Codec] = {}
        self._infos: dict[int, TypeInfo] = {}
        self._functions: dict[tuple[str | None, str], Functions] = {}
        self.unchecked: set[tuple[str | None, str]] = set()  # of _functions: nobody knows whether there is such a type

    def get(self, oid: int) -> Codec | None:
        """Return the codec of a type, or None for one that must be asked of the catalogue first."""
        codec = self._codecs.get(oid)
        return self._resolve(oid) if codec is None else codec

    def missing(self, oids: Iterable[int]) -> set[int]:
        """Return the OIDs to ask the catalogue for before all of ``oids`` have their codecs.

        An OID that the catalogue knew nothing of is among them each time: its type may have become visible.
        """
        unknown: set[int] = set()
        for oid in set(oids):
            if self.get(oid) is None:
                unknown |= self._unknown(oid)
            elif oid in self._infos and self._infos[oid].kind is None:
                unknown.add(oid)
        return unknown

    def define(self, rows: Iterable[Sequence[Any]]) -> set[int]:
        """Take rows of ``catalog.QUERY``; return the OIDs that they mention and nobody knows, to be asked for next."""
        infos = [TypeInfo(*row) for row in rows]
        changed = any(self._infos.get(info.oid, info) != info for info in infos)
        self._infos.update((info.oid, info) for info in infos)
        if changed:
            self._forget()
        unknown: set[int] = set()
        for info in infos:
            unknown |= self._unknown(info.oid)
        return unknown

    def add(self, codec: Codec, oid: int) -> None:
        """Use ``codec`` for the type of this OID, and in the types that are made of it."""
        self._added[oid] = codec
        self._forget()

    def set_type_codec(
        self,
        typename: str,
        *,
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str = "text",
        schema: str | None = None,
    ) -> None:
        """Use two functions for a type, and in the arrays, ranges and composites that are made of it.

        ``encoder`` turns a value into str (bytes when ``format`` is "binary"), ``decoder`` does the reverse; None never
        gets to them. Without ``schema`` a type of this name in any schema is meant. Raises UsageError for the name of
        an array, for one with its schema in it and for another format.

        A composite with a column that travels only as text is itself a str in its literal's syntax: give such a type a
        binary codec to keep the composite whole.
        """
        if format not in ("text", "binary"):
            raise UsageError(f"the format of a codec is 'text' or 'binary', not {format!r}")
        if any(info.name == typename and info.is_array for info in builtin_containers().values()):
            raise UsageError(f"{typename}: a codec is set for the type of the elements, and its arrays follow")
        if schema is None and "." in typename:
            raise UsageError(
                f"{printable(typename)}: the name of a type without its schema, for which there is schema="
            )
        key = (schema, canonical(typename))
        self._functions[key] = Functions(encoder, decoder, format)
        if schema not in (None, "pg_catalog") or key[1] not in self._builtin_names():
            self.unchecked.add(key)
        self._forget()

    def check_names(self, names: set[tuple[str | None, str]], rows: Iterable[Sequence[Any]]) -> None:
        """Log which names of ``set_type_codec`` are no type's; ``rows`` are those of ``catalog.NAMES``."""
        found = {(schema, name) for name, schema in rows}
        found |= {(None, name) for _, name in found}
        for schema, name in names - found:
            full = printable(name if schema is None else f"{schema}.{name}")
            near = suggestion(name, self._builtin_names() | {name for _, name in found})
            _log.warning("set_type_codec(): the database has no type %s, whose codec is not used%s", full, near)

    def _builtin_names(self) -> set[str]:
        names = {codec.name for codec in self.scalars.values()}
        return names | {str(info.name) for info in builtin_containers().values() if not info.is_array}

    def reset_type_codec(self, typename: str, *, schema: str | None = None) -> None:
        """Undo ``set_type_codec`` of the same name and schema; nothing happens where there was none."""
        self._functions.pop((schema, canonical(typename)), None)
        self._forget()

    def set_json(self, dumps: Callable[[Any], str | bytes] | None, loads: Callable[[str], Any] | None) -> None:
        """Use two functions for json and jsonb, as orjson's or msgspec's; None is our own.

        They yield to ``set_type_codec``.
        """
        codecs = (Json("json", JSON, dumps=dumps, loads=loads), Jsonb("jsonb", JSONB, dumps=dumps, loads=loads))
        self.scalars = self.scalars | {codec.oid: codec for codec in codecs}
        self._forget()

    def _forget(self) -> None:
        self.version += 1
        self._codecs.clear()

    def _resolve(self, oid: int) -> Codec | None:
        if not self._functions and not self._added and self.scalars is shared_scalars():
            shared = shared_codecs().get(oid)
            if shared is not None:
                self._codecs[oid] = shared
                return shared
        if self._unknown(oid):
            return None
        version = self.version
        made = _Builder(self).build(oid)
        if version == self.version:  # else another thread has changed what they are made of
            self._codecs.update(made)
        return made[oid]

    def _info(self, oid: int) -> TypeInfo | None:
        return self._infos.get(oid) or builtin_containers().get(oid)

    def _unknown(self, oid: int) -> set[int]:
        """Return what is not known of a type and of all that it is made of."""
        seen: set[int] = set()
        unknown: set[int] = set()
        todo = [oid]
        while todo:
            oid = todo.pop()
            if oid in seen or oid in self._added or oid in self.scalars or oid in _SPECIAL:
                continue
            seen.add(oid)
            info = self._info(oid)
            if info is None:
                unknown.add(oid)
            else:
                todo.extend(info.parts())
        return unknown

    def functions_of(self, schema: str | None, name: str) -> Functions | None:
        """Return what ``set_type_codec`` was given for a type."""
        return self._functions.get((schema, name)) or self._functions.get((None, name))


class _Builder:
    """Makes the codec of one type and of all that it is made of, every one of which is known.

    Composites are made empty and get their columns at the end, since they may contain themselves.
    """

    def __init__(self, codecs: CodecMap) -> None:
        self.map = codecs
        self.made: dict[int, Codec] = {}
        self.composites: list[tuple[Composite, TypeInfo]] = []
        self.open: set[int] = set()

    def build(self, oid: int) -> dict[int, Codec]:
        self.codec(oid)
        while self.composites:
            codec, info = self.composites.pop()
            oids = info.column_oids or []
            codec.fill(info.columns or [], [self.codec(part) for part in oids], oids)
        return self.made

    def codec(self, oid: int) -> Codec:
        codec = self.made.get(oid) or self.map._codecs.get(oid)
        if codec is not None:
            return codec
        if oid in self.open:
            raise ProtocolError(f"the catalogue says that type {oid} is made of itself")
        self.open.add(oid)
        codec = self.leaf(oid) or self.container(self.info(oid))
        self.made[oid] = codec
        return codec

    def info(self, oid: int) -> TypeInfo:
        info = self.map._info(oid)
        if info is None:
            raise LookupError(f"type {oid} is not known")  # _unknown has said that it is
        return info

    def leaf(self, oid: int) -> Codec | None:
        """Return the codec of a type that is not made of others, or whose user gave functions for the whole."""
        if oid in self.map._added:
            return self.map._added[oid]
        if oid in self.map.scalars:
            return self.scalar(self.map.scalars[oid])
        if oid in _SPECIAL:
            return self.special(oid)
        info = self.info(oid)
        name = info.name or f"type {oid}"
        functions = None if info.is_array else self.map.functions_of(info.schema, name)
        if functions is not None:
            return self.custom(info, functions)
        if info.parts() or info.kind == "c":
            return None
        if info.kind == "e":
            return Enum(name, oid)
        known = extension_codec(name, oid) if info.binary else None
        return known or TextCodec(name, oid)

    def scalar(self, codec: Codec) -> Codec:
        functions = self.map.functions_of("pg_catalog", codec.name)
        return codec if functions is None else make_custom(codec.name, codec.oid, functions, None, codec)

    def custom(self, info: TypeInfo, functions: Functions) -> Codec:
        """Make the codec of a user's functions; a domain's travels as its base type does."""
        root = info
        while root.kind == "d" and root.element not in self.map.scalars:
            root = self.info(root.element or 0)
        base = self.map.scalars.get(root.element or 0) if root.kind == "d" else None
        codec = make_custom(base.name if base else str(root.name), info.oid, functions, root.kind, base)
        codec.name, codec.oid = str(info.name), info.oid
        return codec

    def special(self, oid: int) -> Codec:
        if oid == RECORD:
            return Record("record", RECORD, self.map._codecs, self.map.get)
        if oid == ANYARRAY:
            return AnyArray("anyarray", ANYARRAY, self.map.get)
        return Array("record[]", RECORD_ARRAY, self.codec(RECORD), RECORD, NESTS_LISTS)

    def container(self, info: TypeInfo) -> Codec:
        """Make the codec of a type that is made of others; in the text format where one of them knows no other."""
        if info.kind == "c":
            return self.composite(info)
        if info.element is None:
            raise LookupError(f"type {info.oid} has no element")
        element = self.codec(info.element)
        name = str(info.name)
        if info.kind == "d":
            return element
        if info.kind == "r":
            return RangeCodec(name, info.oid, element) if is_binary(element) else TextRange(name, info.oid, element)
        if info.kind == "m":
            if isinstance(element, TextRange):
                return TextMultirange(name, info.oid, element)
            return Multirange(name, info.oid, element)
        return make_array(info, element)

    def composite(self, info: TypeInfo) -> Codec:
        name = str(info.name)
        if not self.all_binary(info.oid):
            return TextCodec(name, info.oid)
        maker_of = self.map.maker_of
        codec = Composite(name, info.oid, [], [], maker_of(name, info.columns or []) if maker_of else None)
        self.composites.append((codec, info))
        return codec

    def all_binary(self, oid: int) -> bool:
        """Say whether everything that a type is made of has a binary format."""
        seen: set[int] = set()
        todo = [oid]
        while todo:
            oid = todo.pop()
            if oid in seen:
                continue
            seen.add(oid)
            leaf = self.leaf(oid)
            if leaf is None:
                todo.extend(self.info(oid).parts())
            elif not is_binary(leaf):
                return False
        return True


def is_binary(codec: Codec) -> bool:
    return codec.format == BINARY_FORMAT


def make_array(info: TypeInfo, element: Codec) -> Codec:
    """Make the codec of an array type; int2vector and oidvector are arrays that start at 0."""
    if info.name in ("int2vector", "oidvector"):
        return Array(info.name, info.oid, element, info.element or 0, NESTS_NONE, lower=0)
    name = f"{element.name}[]"
    if not is_binary(element):
        return TextArray(name, info.oid, element, info.delimiter or ",", nests_of(element))
    return Array(name, info.oid, element, info.element or 0, nests_of(element))


def nests_of(element: Codec) -> tuple[type, ...]:
    """Say what is a further dimension in an array of these elements, and not an element."""
    if element.name in _LIST_VALUES or isinstance(element, (Array, TextArray, Multirange, TextMultirange)):
        return NESTS_NONE
    if element.name in _TUPLE_VALUES or isinstance(element, (Composite, Record, RangeCodec, TextRange)):
        return NESTS_LISTS
    return NESTS_ALL


@functools.cache
def shared_scalars() -> dict[int, Codec]:
    """Return the codecs of the built-in scalar types as everybody has them who wants nothing else, by OID."""
    return {codec.oid: codec for codec in scalar_codecs()}


@functools.cache
def shared_codecs() -> dict[int, Codec]:
    """Return the codecs of the built-in types that are the same for everybody: not record, which looks others up."""
    codecs = CodecMap()
    builder = _Builder(codecs)
    for oid in (*codecs.scalars, *builtin_containers()):
        if oid not in _SPECIAL and not codecs._unknown(oid):
            builder.codec(oid)
    return builder.made
