"""A Model's own statements (``insert=``, ``update=``): which of its fields are their parameters and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stretto.errors import ModelError, UsageError
from stretto.model.fields import UNSET

if TYPE_CHECKING:
    from stretto.model.writing import Values, Writer


def parameters(writer: Writer, verb: str, names: Sequence[str]) -> tuple[int, ...]:
    """The places of the named parameters of the model's own statement. Raises ModelError for what is no field."""
    unknown = [name for name in names if name not in writer.places]
    if unknown:
        known = ", ".join(f":{name}" for name in writer.names)
        raise ModelError(f"{writer.title}: {verb}= has the parameter :{unknown[0]}, which is no field; it has {known}")
    return tuple([writer.places[name] for name in names])


def results(writer: Writer, verb: str, columns: Sequence[str]) -> tuple[int, ...]:
    """The places of the columns that the model's own statement gives. Raises ModelError for what is no field."""
    table, found = writer.table, []
    for name in columns:
        one = table.columns.get(name, table.fields.get(name))
        if one is None or columns.count(name) > 1:
            why = "no column of a field" if one is None else "there twice"
            raise ModelError(f"{writer.title}: {verb}= returns {name!r}, which is {why}")
        found.append(writer.places[one.name])
    return tuple(found)


def arguments(writer: Writer, verb: str, places: tuple[int, ...], values: Values) -> tuple[Any, ...]:
    """The arguments of the model's own statement. Raises UsageError for one that the object has no value for."""
    lacking = [writer.names[place] for place in places if values[place] is UNSET]
    if lacking:
        raise UsageError(f"this {writer.title} has no value for {', '.join(lacking)}, which its {verb}= takes")
    return writer.encoded(places, values)


def refuse_upsert(writer: Writer) -> None:
    """Raise UsageError for a Model with statements of its own: an upsert is both in one, and would be neither."""
    own = [f"{verb}=" for verb in ("insert", "update") if writer.own(verb)]
    if own:
        raise UsageError(
            f"upsert does not know what the {' and '.join(own)} of {writer.title} would do: call insert or update, or"
            " write the statement by hand, as fetchrow(sql, ..., into=...)"
        )
