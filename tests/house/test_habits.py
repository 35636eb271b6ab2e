"""The tables of other libraries' names: what they refuse is not there, and what they recommend is."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import stretto
from stretto._habits import CONNECTION, DATABASE, KEYWORDS, MODULE, TRANSACTION
from stretto.errors import ConfigError

CLASSES: list[tuple[type[Any], dict[str, str]]] = [
    (stretto.Database, DATABASE),
    (stretto.AsyncDatabase, DATABASE),
    (stretto.Connection, CONNECTION),
    (stretto.AsyncConnection, CONNECTION),
    (stretto.Transaction, TRANSACTION),
    (stretto.AsyncTransaction, TRANSACTION),
]


@pytest.mark.parametrize(("cls", "table"), CLASSES, ids=[cls.__name__ for cls, _ in CLASSES])
def test_a_class_refuses_each_name_that_is_not_its_own(cls: type[Any], table: dict[str, str]) -> None:
    refused = []
    for name, remedy in table.items():
        if hasattr(cls, name):
            continue  # such as a Connection's on_notice
        refused.append(name)
        with pytest.raises(AttributeError) as caught:
            getattr(cls, name)
        assert str(caught.value) == f"{cls.__name__} has no {name}: {remedy}"
    assert len(refused) > 20


@pytest.mark.parametrize("cls", [stretto.Database, stretto.AsyncDatabase])
def test_the_constructors_numbers_are_refused_as_attributes(cls: type[Any]) -> None:
    numbers = {
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if isinstance(parameter.default, (int, float)) or "float" in str(parameter.annotation)
    }
    assert {name for name in numbers if hasattr(cls, name)} == set()
    assert numbers - {"track_commit", "retry_reads"} <= DATABASE.keys()


def test_a_name_that_nobody_has_is_pythons_to_refuse() -> None:
    with pytest.raises(AttributeError, match=r"^type object 'Database' has no attribute 'fetsch'"):
        stretto.Database.fetsch  # type: ignore[attr-defined]  # noqa: B018  # it is looked up


MODULES = dict(MODULE) | {
    "UniqueViolation": "it is stretto.sqlstate.UniqueViolation",
    "OperationalError": "it is stretto.errors.OperationalError",
}


@pytest.mark.parametrize("name", MODULES)
def test_the_module_says_where_it_is(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(stretto, name)
    assert str(caught.value) == f"module 'stretto' has no attribute {name!r}: {MODULES[name]}"
    with pytest.raises(AttributeError, match=r"^module 'stretto' has no attribute 'nothing'$"):
        _ = stretto.nothing


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_an_argument_of_other_libraries_says_what_it_is_called_here(keyword: str) -> None:
    given: dict[str, Any] = {keyword: 5}
    with pytest.raises(ConfigError) as caught:
        stretto.Database("postgresql://localhost", **given)
    assert str(caught.value) == f'unknown keyword "{keyword}" in the arguments; {KEYWORDS[keyword]}'
    parameters = inspect.signature(stretto.Database).parameters
    assert keyword not in parameters
