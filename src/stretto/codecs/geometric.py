"""point, line, lseg, box, path, polygon, circle, and the classes of ``values``.

Plain tuples of their shape are taken too. A box comes back with its upper right corner first, whatever corners it was
given: PostgreSQL keeps it so.
"""

from __future__ import annotations

from typing import Any

from stretto import capi
from stretto.codecs.base import BINARY_FORMAT, Codec, wrong_type
from stretto.codecs.checks import as_float, malformed
from stretto.codecs.values import Circle, Line, LineSegment, Path, Point, Polygon
from stretto.wire.buffer import ReadBuffer, WriteBuffer

_Point = Point
_Circle = Circle


class PointCodec(Codec):
    """point and a Point."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        write_point(self, buf, value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return read_point(buf)


class TwoPoints(Codec):
    """lseg and a LineSegment, box and a Box."""

    def __init__(self, name: str, oid: int = 0, format: int = BINARY_FORMAT, cls: Any = LineSegment) -> None:
        super().__init__(name, oid, format)
        self.cls = cls

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        first, second = parts(self, value, 2)
        write_point(self, buf, first)
        write_point(self, buf, second)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        first = read_point(buf)
        return capi.new_row(self.cls, [first, read_point(buf)])


class LineCodec(Codec):
    """line and a Line."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        for number in parts(self, value, 3):
            buf.write_float8(as_float(self, number))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        a = buf.read_float8()
        b = buf.read_float8()
        return Line(a, b, buf.read_float8())


class CircleCodec(Codec):
    """circle and a Circle."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        center, radius = parts(self, value, 2)
        write_point(self, buf, center)
        buf.write_float8(as_float(self, radius))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        center = read_point(buf)
        return capi.new_row(_Circle, [center, buf.read_float8()])


class PathCodec(Codec):
    """path and a Path; a list or tuple of points is an open one."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, (Path, list, tuple)):
            raise wrong_type(self, "a Path", value)
        buf.write_uint8(1 if isinstance(value, Path) and value.is_closed else 0)
        write_points(self, buf, value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        closed = buf.read_uint8()
        return Path(*read_points(self, buf, count - 1), is_closed=closed != 0)


class PolygonCodec(Codec):
    """polygon and a Polygon; a list or tuple of points is one."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, (Polygon, list, tuple)):
            raise wrong_type(self, "a Polygon", value)
        write_points(self, buf, value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return Polygon(*read_points(self, buf, count))


def parts(codec: Codec, value: Any, count: int) -> Any:
    """Check that a value is a tuple (or list) of ``count`` parts."""
    if not isinstance(value, (tuple, list)) or len(value) != count:
        raise wrong_type(codec, f"its class or a tuple of {count} parts", value)
    return value


def read_point(buf: ReadBuffer) -> Any:
    x = buf.read_float8()
    y = buf.read_float8()
    return capi.new_row(_Point, [x, y])


def write_point(codec: Codec, buf: WriteBuffer, value: Any) -> None:
    x, y = parts(codec, value, 2)
    buf.write_float8(as_float(codec, x))
    buf.write_float8(as_float(codec, y))


def read_points(codec: Codec, buf: ReadBuffer, count: int) -> list[Any]:
    """Read an int32 count and the points, in ``count`` bytes."""
    size = buf.read_int32()
    if size < 0 or count != 4 + 16 * size:
        raise malformed(codec, f"{size} points in {count} bytes")
    return [read_point(buf) for _ in range(size)]


def write_points(codec: Codec, buf: WriteBuffer, points: Any) -> None:
    buf.write_int32(len(points))
    for point in points:
        write_point(codec, buf, point)
