"""Random graphs of random rows: both strategies, and load(), give the same objects, however the replies are cut."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.live.library import DDL, Author, Book, Edition, Home, Loan, Node, Tag

import stretto.protocol.machine
import stretto.protocol.request
from stretto import Model, asc, desc, exists, is_null, not_, related, select
from stretto.model.base import values_of

MODELS: list[Any] = [Author, Home, Book, Tag, Edition, Loan, Node]
ROWS = """
insert into author (name) select chr(97 + i % 5) from generate_series(1, 12) i;
insert into home select i, chr(97 + i % 3) from generate_series(1, 12, 2) i;
insert into book (author_id, title, price) select case when i % 7 > 0 then 1 + (i * i) % 10 end, chr(97 + i % 6),
    case when i % 3 > 0 then i % 5 end from generate_series(1, 40) i;
insert into tag (name) select chr(97 + i % 4) from generate_series(1, 8) i;
insert into book_tag select distinct 1 + (i * 7) % 39, 1 + (i * i * 3) % 7 from generate_series(1, 80) i;
insert into edition select i % 20 + 1, i / 20, date '2001-01-01' + i % 2 from generate_series(1, 50) i;
insert into loan (book_id, edition, reader) select case when i % 5 > 0 then book_id end, case when i % 4 > 0 then number
    end, chr(97 + i % 4) from (select row_number() over ()::int as i, * from edition) as e;
insert into node select i, case when i > 1 and i % 4 > 0 then i / 2 end from generate_series(1, 20) i;
"""


def condition(model: Any, chance: random.Random, depth: int = 2) -> Any:
    """A condition on a field, or on what is at the other side of a relation."""
    field = chance.choice(list(model.__table__.fields.values()))
    kind = str(field.annotation)
    plain = field > "b" if "str" in kind else is_null(field) if "date" in kind else is_null(field) | (field > 4)
    if depth == 0 or chance.random() < 0.5:
        return plain
    relation = chance.choice(list(model.__table__.relations.values()))
    target = relation.join.target
    inner = [condition(target, chance, depth - 1) for _ in range(chance.randint(0, 2))]
    found = exists(relation.path, *inner)
    return found if chance.random() < 0.5 else not_(found)


def order(model: Any, chance: random.Random) -> list[Any]:
    """An order in which no two are the same, by a field at the end of a relation first, perhaps."""
    orders = [chance.choice([asc, desc])(one) for one in model.__table__.primary_key]
    single = [one for one in model.__table__.relations.values() if not one.join.many]
    if single and chance.random() < 0.3:
        relation = chance.choice(single)
        name = chance.choice(list(relation.join.target.__table__.fields))
        orders.insert(0, desc(getattr(relation.path, name)))
    return orders


def includes(model: Any, chance: random.Random, depth: int) -> list[Any]:
    """One relation or two, narrowed and nested by chance."""
    relations = list(model.__table__.relations.values())
    found = []
    for one in chance.sample(relations, min(len(relations), chance.randint(1, 2))):
        target = one.join.target
        options: dict[str, Any] = {}
        if chance.random() < 0.4:
            options["where"] = condition(target, chance)
        if one.join.many:
            options["order_by"] = order(target, chance)
            options["limit"] = chance.choice([None, None, 0, 2])
        nested = includes(target, chance, depth - 1) if depth and chance.random() < 0.7 else []
        found.append(related(one.path, *nested, **options))
    return found


def shown(one: Any) -> Any:
    """Objects as plain values, all the way down."""
    if isinstance(one, list):
        return [shown(each) for each in one]
    if isinstance(one, Model):
        return type(one).__name__, {name: shown(value) for name, value in values_of(one).items()}
    return one


@pytest.mark.parametrize("large", [1, 100, 1 << 17])
def test_both_strategies_and_load_give_the_same_objects(db: Any, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiled it is a constant: there this makes no difference.
    for module in (stretto.protocol.request, stretto.protocol.machine):
        monkeypatch.setattr(module, "LARGE", large)
    db.execute(DDL)
    db.execute(ROWS)
    chance = random.Random(large)
    for _ in range(25):
        model = chance.choice(MODELS)
        query = select(model).order_by(*order(model, chance))
        if chance.random() < 0.4:
            query = query.where(condition(model, chance))
        if chance.random() < 0.4:
            query = query.limit(chance.randint(0, 6)).offset(chance.randint(0, 3))
        wanted = includes(model, chance, 3)
        objects = shown(db.fetch(query.include(*wanted, strategy="statement")))
        assert shown(db.fetch(query.include(*wanted, strategy="trip"))) == objects, query.include(*wanted)
        in_hand = db.fetch(query)
        db.load(in_hand, *wanted)
        assert shown(in_hand) == objects, query.include(*wanted)
