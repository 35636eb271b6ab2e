"""Arrays in binary: lists in Python, lists of lists for more than one dimension.

Layout (array_send): int32 number of dimensions (0 for the empty array, 6 at most), int32 flags, uint32 OID of the
elements' type, for each dimension int32 size and int32 lower bound, then the elements in row-major order, each with
its length. Lower bounds other than 1 are dropped: a list starts at 0 whatever the array's bounds were.

Nothing is allocated for a size that the server announces before the bytes are seen to be there: an element takes at
least the four bytes of its length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from stretto.codecs.base import Codec, UnknownTypes, decode_value, encode_value
from stretto.errors import EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

MAX_DIMENSIONS = 6  # MAXDIM of the server

# Which classes inside an array are a further dimension and not an element.
NESTS_ALL = (list, tuple)  # elements are scalars
NESTS_LISTS = (list,)  # elements may be tuples: composites, points
NESTS_NONE = ()  # elements may be lists: json, multiranges, vectors


class Array(Codec):
    """An array and a list.

    ``element`` is the codec of the elements; ``element_oid`` the OID that names their type on the wire, which for a
    domain is not ``element.oid``; ``nests`` one of the NESTS_ tuples; ``lower`` the lower bound that is sent.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        element: Codec,
        element_oid: int,
        nests: tuple[type, ...] = NESTS_ALL,
        lower: int = 1,
    ) -> None:
        self.name = name
        self.oid = oid
        self.format = 1
        self.element = element
        self.element_oid = element_oid
        self.nests = nests
        self.lower = lower

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        values = as_sequence(self, value)
        sizes = shape(self, values, self.nests)
        start = buf.pos
        buf.write_int32(len(sizes))
        buf.write_int32(0)  # the flag "has NULLs": the server looks at the elements themselves
        buf.write_uint32(self.element_oid)
        for size in sizes:
            buf.write_int32(size)
            buf.write_int32(self.lower)
        try:
            self._write_level(buf, values, sizes, 0)
        except _At as error:
            raise error.as_encode_error(self) from None
        if 0 in sizes:
            buf.truncate(start)
            buf.write_int32(0)
            buf.write_int32(0)
            buf.write_uint32(self.element_oid)

    def _write_level(self, buf: WriteBuffer, values: Any, sizes: list[int], level: int) -> None:
        element = self.element
        i = 0
        try:
            if level == len(sizes) - 1:
                for item in values:
                    encode_value(element, buf, item)
                    i += 1
            else:
                for item in values:
                    check_level(item, sizes[level + 1], self.nests)
                    self._write_level(buf, item, sizes, level + 1)
                    i += 1
        except _At as error:
            error.path.insert(0, i)
            raise
        except (EncodeError, TypeError, ValueError, OverflowError) as error:
            raise _At(i, error) from None

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        stop = buf.pos + count
        dimensions = buf.read_int32()
        if dimensions < 0 or dimensions > MAX_DIMENSIONS:
            raise ProtocolError(f"the server sent an array of {dimensions} dimensions")
        buf.skip(4)  # the flag "has NULLs"
        oid = buf.read_uint32()
        element = self.element
        if oid != self.element_oid or oid == 0:  # anyarray has no element of its own
            element = self.element_of(oid)
        if dimensions == 0:
            return []
        sizes = self._read_sizes(buf, dimensions, stop)
        return [] if 0 in sizes else self._read_level(buf, element, sizes, 0)

    def element_of(self, oid: int) -> Codec:
        """Return the codec for elements of another type than ``element_oid``; here none is allowed."""
        raise ProtocolError(f"an array of type {self.name} has elements of type {oid}, {self.element_oid} was expected")

    def _read_sizes(self, buf: ReadBuffer, dimensions: int, stop: int) -> list[int]:
        """Read the dimensions' sizes; their product is checked step by step, so that it cannot overflow."""
        sizes = []
        total = 1
        room = (stop - buf.pos) // 4 - 2 * dimensions
        for _ in range(dimensions):
            size = buf.read_int32()
            buf.skip(4)  # the lower bound
            if size < 0 or (size > 0 and total > room // size):
                raise ProtocolError(f"the server sent an array whose size {size} does not fit its message")
            total *= size
            sizes.append(size)
        return sizes

    def _read_level(self, buf: ReadBuffer, element: Codec, sizes: list[int], level: int) -> list[Any]:
        items: list[Any] = []
        if level == len(sizes) - 1:
            for _ in range(sizes[level]):
                items.append(decode_value(element, buf))  # noqa: PERF401  # compiled, append is the faster one
        else:
            for _ in range(sizes[level]):
                items.append(self._read_level(buf, element, sizes, level + 1))  # noqa: PERF401
        return items


class AnyArray(Array):
    """anyarray, as pg_stats has it: the elements' type is known from the wire only; ``lookup`` is ``CodecMap.get``."""

    def __init__(self, name: str, oid: int, lookup: Callable[[int], Codec | None]) -> None:
        super().__init__(name, oid, Codec("anyelement"), 0)
        self.lookup = lookup

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        raise EncodeError(f"{self.name} cannot be a parameter: cast it to an array type, as in $1::int4[]")

    def element_of(self, oid: int) -> Codec:
        codec = self.lookup(oid)
        if codec is None:
            raise UnknownTypes([oid])
        return codec


class _At(Exception):  # noqa: N818  # a signal inside this room
    """An element could not be encoded: where it is, gathered on the way out."""

    def __init__(self, index: int, error: Exception) -> None:
        self.path = [index]
        self.error = error

    def as_encode_error(self, codec: Codec) -> EncodeError:
        where = "".join([f"[{i}]" for i in self.path])
        return EncodeError(f"{codec.name}: element {where}: {self.error}")


At = _At  # for the text form of arrays


class Rows:
    """Tuples for an array of a composite type, whose columns are found by their names when the array is encoded.

    ``names`` are those of the tuples' values; a column of the type that is none of them is NULL.
    """

    def __init__(self, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.names = names
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def arranged(self, codec: Any) -> list[tuple[Any, ...]]:
        """The tuples with the columns in the order of the type. Raises EncodeError where it has not all of them."""
        columns = codec.element.names
        lacking = [name for name in self.names if name not in columns]
        if lacking:
            raise EncodeError(f"{codec.name} has no column {', '.join(lacking)}")
        places = [self.names.index(name) if name in self.names else -1 for name in columns]
        if len(places) == 1:
            return [(row[places[0]],) for row in self.rows]
        pick = itemgetter(*places)
        return [pick((*row, None)) for row in self.rows]


def as_sequence(codec: Codec, value: Any) -> Any:
    """Return a list or tuple of the elements; what only looks like a sequence (str, bytes, set, dict) is refused."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, Rows):
        return value.arranged(codec)
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        raise EncodeError(
            f"{codec.name} takes a list or tuple, not {type(value).__name__}: put it in a list for an array of one"
        )
    items = value.tolist() if hasattr(value, "tolist") else value  # numpy, array.array
    if isinstance(items, list):
        return items
    if isinstance(items, Sequence):
        return list(items)
    raise EncodeError(f"{codec.name} takes a list or tuple, not {type(value).__name__}: give list(...) of it")


def shape(codec: Codec, values: Any, nests: tuple[type, ...]) -> list[int]:
    """Return the sizes of the dimensions, as the first element of each tells."""
    sizes = [len(values)]
    while sizes[-1] and isinstance(values[0], nests):
        values = values[0]
        sizes.append(len(values))
        if len(sizes) > MAX_DIMENSIONS:
            raise EncodeError(f"{codec.name}: an array has at most {MAX_DIMENSIONS} dimensions")
    return sizes


def check_level(item: Any, size: int, nests: tuple[type, ...]) -> None:
    """Raise EncodeError unless ``item`` is a further dimension of this size."""
    is_list: bool = isinstance(item, nests)
    if not is_list:
        raise EncodeError(f"ragged: a list of {size} was expected here, as the others are, not {type(item).__name__}")
    if len(item) != size:
        raise EncodeError(f"ragged: a list of {size} was expected here, as the others are, not of {len(item)}")
