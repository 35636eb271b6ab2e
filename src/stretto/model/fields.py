"""Fields: the columns of a Model, as ``field()`` describes them, and as operands of conditions."""

from __future__ import annotations

import copy
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from stretto.errors import ModelError
from stretto.model.expressions import Expression, Ref

T = TypeVar("T")
OnDelete = Literal["cascade", "restrict", "set null", "set default", "no action"]
_ACTIONS = typing.get_args(OnDelete)


class _Unset:
    """The place of a value that is not there."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()


class Lent:
    """The annotation of an inherited field or relation: its own, with the types that stand for type variables."""

    def __init__(self, member: Any, types: dict[Any, Any]) -> None:
        self.member = member
        self._types = types

    def evaluated(self) -> Any:
        """The annotation, evaluated where it was written."""
        found = self.member.annotation
        if isinstance(found, TypeVar):
            return self._types.get(found, found)
        variables = getattr(found, "__parameters__", ())
        if variables and self._types:
            return found[tuple(self._types.get(one, one) for one in variables)]
        return found


class Annotated:
    """What has an annotation: it is evaluated when it is first asked for, as it may name what is defined later."""

    __slots__ = ("_annotation", "_evaluated", "model", "name")

    def __init__(self) -> None:
        self.name = ""
        self.model: Any = None
        self._annotation: Any = None
        self._evaluated = False

    def __repr__(self) -> str:
        owner = self.model.__qualname__ if self.model is not None else "?"
        return f"{owner}.{self.name}"

    def belong(self, model: Any, name: str, annotation: Any) -> None:
        """Become an attribute of a class."""
        self.model = model
        self.name = name
        self._annotation = annotation
        self._evaluated = False

    @property
    def annotation(self) -> Any:
        """The annotation, evaluated. Raises ModelError where it names what is not known."""
        if not self._evaluated:
            found = self._annotation
            lent = isinstance(found, Lent)
            found = found.evaluated() if lent else self.model.__table__.evaluate(found, self.name)
            self._annotation = self.model if found is typing.Self else found
            self._evaluated = True
        return self._annotation

    @property
    def written_annotation(self) -> Any:
        """The annotation as it is written."""
        found = self._annotation
        return found.member.written_annotation if isinstance(found, Lent) else found


class Field(Annotated, Expression):
    """One column of a Model.

    ``name`` is the attribute, ``column`` its name in the table, ``model`` the class that it was bound to. ``type`` is
    the SQL type where it is not to be told from the annotation. ``ref`` names it in statements. The rest is as
    ``field()`` was called.
    """

    __slots__ = (
        "check",
        "column",
        "compare",
        "computed",
        "default",
        "default_factory",
        "generated",
        "index",
        "on_delete",
        "on_update",
        "primary_key",
        "ref",
        "references",
        "repr",
        "server_default",
        "type",
        "unique",
        "version",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.column: str = options.pop("column", None) or ""
        self.ref = Ref((), self)
        self.default: Any = options.pop("default", UNSET)
        self.default_factory: Callable[[], Any] | None = options.pop("default_factory", None)
        self.primary_key: bool = options.pop("primary_key", False)
        self.generated: bool | str = options.pop("generated", False)
        self.server_default: str | None = options.pop("server_default", None)
        self.computed: str | None = options.pop("computed", None)
        self.references: str | None = _column_of(options.pop("references", None))
        self.on_delete: str | None = options.pop("on_delete", None)
        self.on_update: str | None = options.pop("on_update", None)
        self.unique: bool = options.pop("unique", False)
        self.index: bool | str = options.pop("index", False)
        self.check: str | None = options.pop("check", None)
        self.type: str | None = options.pop("type", None)
        self.version: bool = options.pop("version", False)
        self.repr: bool = options.pop("repr", True)
        self.compare: bool = options.pop("compare", True)
        if options:
            raise TypeError(f"field() has no option {', '.join(options)}")

    def bind(self, model: Any, name: str, annotation: Any) -> Field:
        """Return a copy that belongs to a class."""
        bound = copy.copy(self)
        bound.belong(model, name, annotation)
        bound.column = self.column or name
        bound.ref = Ref((), bound)
        return bound

    @property
    def nullable(self) -> bool:
        """Whether the annotation has None."""
        return _takes_none(self.annotation)

    @property
    def from_server(self) -> bool:
        """Whether the server gives the value when an insert does not."""
        return bool(self.generated) or self.server_default is not None or self.computed is not None

    @property
    def written(self) -> bool:
        """Whether an insert or update may give a value at all."""
        return self.computed is None and self.generated != "always"

    @property
    def starts(self) -> bool:
        """Whether each new object has a value, given or by default."""
        return self.required or self.default is not UNSET or self.default_factory is not None

    @property
    def required(self) -> bool:
        """Whether a new object must be given a value."""
        return self.default is UNSET and self.default_factory is None and not self.from_server and not self.version


def _column_of(reference: Any) -> str | None:
    """``"table.column"`` of what ``references=`` is given: that, or a Field."""
    if isinstance(reference, Field):
        table = reference.model.__table__ if reference.model is not None else None
        if table is None or table.name is None:
            raise ModelError(f"field(): references={reference!r} is no field of a Model with a table")
        return f"{table.full_name}.{reference.column}"
    if reference is None or (isinstance(reference, str) and all(reference.rpartition(".")[::2])):
        return reference
    raise ModelError(f'field(): references={reference!r}: give "table.column", or a field as Author.id')


def _takes_none(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _takes_none(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        return any(_takes_none(one) for one in typing.get_args(annotation))
    return annotation is None or annotation is type(None)


@overload
def field(
    *,
    generated: Literal[True, "always"],
    init: Literal[False] = False,
    primary_key: bool = ...,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    references: Any = ...,
    on_delete: OnDelete | None = ...,
    on_update: OnDelete | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> Any: ...
@overload
def field(
    *,
    server_default: str,
    init: Literal[False] = False,
    primary_key: bool = ...,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    references: Any = ...,
    on_delete: OnDelete | None = ...,
    on_update: OnDelete | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> Any: ...
@overload
def field(
    *,
    computed: str,
    init: Literal[False] = False,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> Any: ...
@overload
def field(
    *,
    version: Literal[True],
    init: Literal[False] = False,
    column: str | None = ...,
    type: str | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> Any: ...
@overload
def field(
    *,
    default: T,
    init: Literal[True] = True,
    primary_key: bool = ...,
    generated: bool | Literal["always"] = ...,
    server_default: str | None = ...,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    references: Any = ...,
    on_delete: OnDelete | None = ...,
    on_update: OnDelete | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> T: ...
@overload
def field(
    *,
    default_factory: Callable[[], T],
    init: Literal[True] = True,
    primary_key: bool = ...,
    server_default: str | None = ...,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    references: Any = ...,
    on_delete: OnDelete | None = ...,
    on_update: OnDelete | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> T: ...
@overload
def field(
    *,
    init: Literal[True] = True,
    primary_key: bool = ...,
    column: str | None = ...,
    type: str | None = ...,
    unique: bool = ...,
    index: bool | str = ...,
    check: str | None = ...,
    references: Any = ...,
    on_delete: OnDelete | None = ...,
    on_update: OnDelete | None = ...,
    repr: bool = ...,
    compare: bool = ...,
) -> Any: ...
def field(*, init: bool = True, **options: Any) -> Any:
    """Describe a column of a Model, where its annotation does not say all.

    ``primary_key``: a part of the key. ``generated``: an identity column, of which the server makes the value (True:
    by default, "always": always). ``server_default``: an SQL expression that is the column's default; the value comes
    back with the insert. ``computed``: an SQL expression that the column always has (GENERATED ALWAYS AS ... STORED).
    ``default``, ``default_factory``: what a new object has in Python. ``column``: the name in the table where it is
    not the attribute's. ``type``: the SQL type where it is not the annotation's, as ``"varchar(40)"``. ``references``:
    ``"table.column"`` or a field of another Model (``Author.id``), a foreign key, with ``on_delete`` and ``on_update``.
    ``unique``, ``index`` (True or a method, as ``"gin"``), ``check`` (an SQL condition): for create_tables.
    ``version``: an int that grows with each update; an update of an object that is not the latest raises StaleObject.
    ``repr``, ``compare``: whether it is shown, and compared by ``==``. ``init`` is for type checkers: a value that the
    server makes need not be given. Raises ModelError for options that contradict each other.
    """
    if options.get("default", UNSET) is not UNSET and options.get("default_factory") is not None:
        raise ModelError("field(): default= and default_factory= exclude each other")
    if options.get("computed") is not None and (
        options.get("server_default") is not None or options.get("generated") or options.get("primary_key")
    ):
        raise ModelError("field(): computed= excludes server_default=, generated= and primary_key=")
    if options.get("generated") and options.get("server_default") is not None:
        raise ModelError("field(): generated= and server_default= exclude each other")
    default = options.get("default", UNSET)
    if default is not UNSET and type(default).__hash__ is None:
        kind = type(default).__name__
        raise ModelError(f"field(): all objects would share a default of {kind}: use default_factory={kind}")
    for name in ("on_delete", "on_update"):
        action = options.get(name)
        if action is not None and options.get("references") is None:
            raise ModelError(f"field(): {name}= is said of a foreign key: give references= too")
        if action is not None and action not in _ACTIONS:
            raise ModelError(f"field(): {name}={action!r} is none of {', '.join(map(repr, _ACTIONS))}")
    return Field(**options)
