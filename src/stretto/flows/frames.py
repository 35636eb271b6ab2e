"""Frames of pandas, polars and Arrow as sources of rows. None of these is imported here but to read its own object.

A frame gives its columns' names and its rows as lists of tuples. What a frame calls missing (None, NaN of pandas, NaT,
NA) is NULL; NaN in polars and Arrow is a number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stretto.errors import UsageError
from stretto.flows.rows import Target

SLICE = 5000  # rows that are made Python objects at a time


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows with names: ``rows(names)`` gives lists of tuples of these columns. ``index``: names that are no columns."""

    names: tuple[str, ...]
    rows: Callable[[list[str]], Iterator[list[tuple[Any, ...]]]]
    index: tuple[str, ...] = ()


def lists_of(frame: Frame, target: Target, columns: Sequence[Any] | None) -> tuple[Iterator[list[Any]], Sequence[Any]]:
    """A frame's rows, and the columns that they are for: the frame's own where none are named."""
    if columns is None:
        if frame.index:
            raise UsageError(
                f"the frame's index is named {', '.join(frame.index)}, and an index is not copied: give "
                "frame.reset_index(), where it is a column, or say columns="
            )
        return frame.rows(list(frame.names)), frame.names
    names = []
    for column in target.named(columns):
        found = [name for name in (column, target.attribute(column)) if name in frame.names]
        if not found:
            raise UsageError(f"the frame has no column {column!r}")
        names.append(found[0])
    return frame.rows(names), columns


def frame_of(source: Any) -> Frame | None:
    """The Frame that a source is; None for anything else. Raises UsageError for an Arrow stream nobody can read."""
    library = type(source).__module__.partition(".")[0]
    if library == "pandas" and hasattr(source, "iloc") and hasattr(source, "columns"):
        return _pandas(source)
    if library == "polars" and hasattr(source, "collect"):
        source = source.collect()
    if library == "polars" and hasattr(source, "iter_slices"):
        return _polars(source)
    if hasattr(source, "__arrow_c_stream__"):
        return _arrow(_reader_of(source))
    if hasattr(source, "__arrow_c_array__"):
        return _arrow(_reader_of(_pyarrow(source).record_batch(source)))
    return None


def _pandas(frame: Any) -> Frame:
    labels = {str(label): label for label in frame.columns}
    if len(labels) < len(frame.columns):
        names = [str(label) for label in frame.columns]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the frame has two columns {twice!r}: rename one of them")

    def rows(names: list[str]) -> Iterator[list[tuple[Any, ...]]]:
        for start in range(0, len(frame), SLICE):
            part = frame.iloc[start : start + SLICE]
            yield list(zip(*[_series(part[labels[name]]) for name in names], strict=True))

    return Frame(tuple(labels), rows, tuple(str(name) for name in frame.index.names if name is not None))


def _series(series: Any) -> list[Any]:
    dtype = series.dtype
    if hasattr(dtype, "pyarrow_dtype"):
        _exact(series.array.__arrow_array__(), series.name)
    elif dtype.kind in "mM" and ((series.dt.nanosecond if dtype.kind == "M" else series.dt.nanoseconds) > 0).any():
        raise _too_fine(series.name)
    values: list[Any] = series.tolist()
    missing = series.isna()
    if missing.any():
        values = [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]
    return values


def _polars(frame: Any) -> Frame:
    def rows(names: list[str]) -> Iterator[list[tuple[Any, ...]]]:
        for part in frame.select(names).iter_slices(SLICE):
            for column in part.iter_columns():
                _check_polars(column)
            yield part.rows()

    return Frame(tuple(frame.columns), rows)


def _check_polars(column: Any) -> None:
    """Raise UsageError for nanoseconds, in lists and arrays too. A Time has no unit, it always has them."""
    inner = column
    while hasattr(inner.dtype, "inner"):
        inner = inner.explode()
    fine = getattr(inner.dtype, "time_unit", "ns" if str(inner.dtype) == "Time" else None) == "ns"
    if fine and (inner.to_physical() % 1000 != 0).any():
        raise _too_fine(column.name)


def _reader_of(source: Any) -> Any:
    """The RecordBatchReader of whatever gives an Arrow stream; what is one itself is read by its own batches."""
    if hasattr(source, "read_next_batch"):
        return source
    return _pyarrow(source).RecordBatchReader.from_stream(source)


def _pyarrow(source: Any) -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise UsageError(
            f"a {type(source).__module__}.{type(source).__qualname__} is an Arrow stream: install pyarrow to read it, "
            "or give rows"
        ) from None


def _arrow(reader: Any) -> Frame:
    def rows(names: list[str]) -> Iterator[list[tuple[Any, ...]]]:
        for batch in reader:
            for start in range(0, batch.num_rows, SLICE):
                part = batch.slice(start, SLICE)
                yield list(zip(*[_exact(part.column(name), name).to_pylist() for name in names], strict=True))

    return Frame(tuple(reader.schema.names), rows)


def _exact(column: Any, name: Any) -> Any:
    """A column of Arrow in microseconds, if it is one of nanoseconds. Raises UsageError where some would be lost."""
    kind = column.type
    found = getattr(kind, "value_type", kind)  # of a list
    if getattr(found, "unit", None) != "ns":
        return column
    arrow = importlib.import_module("pyarrow")
    types = arrow.types
    if types.is_timestamp(found):
        wanted = arrow.timestamp("us", found.tz)
    else:
        wanted = arrow.duration("us") if types.is_duration(found) else arrow.time64("us")
    try:
        return column.cast(wanted if found is kind else arrow.list_(wanted))
    except arrow.ArrowInvalid:
        raise _too_fine(name) from None


def _too_fine(name: Any) -> UsageError:
    """What is raised where a value would lose its nanoseconds."""
    return UsageError(
        f"the frame's column {str(name)!r} has nanoseconds, and PostgreSQL keeps microseconds: round it first, as by "
        "pandas' series.dt.round('us'), polars' column.dt.round('1us') or pyarrow.compute.round_temporal"
    )
