"""Whether a server's answers are right, which it must be before it is measured: `python -m benchmarks.web.check`.

The URL, which may have a password, comes on stdin. Looks at an answer's type and shape, and compares it with the tables
on a connection of its own. Ends with exit status 1 and a line that says what is wrong.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measure import WrongAnswer, expect
from benchmarks.web import ADDED, FORTUNES, MANY, MOST, TESTS, WORLDS
from stretto import Database

NUMBERS = {"0": 1, "": 1, "three": 1, "3": 3, str(MANY): MANY, str(MOST + 1): MOST}  # `queries`, and the rows to come


class Cells(HTMLParser):
    """The texts of a page's cells."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "td":
            self.found.append("")
        elif tag not in ("html", "head", "title", "body", "table", "tr", "th"):
            raise WrongAnswer(f"the page has a <{tag}>: a fortune that was not escaped")
        self._inside = tag == "td"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def get(base: str, path: str) -> tuple[str, str]:
    """Type and text of an answer."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        expect(answer.status, 200, f"status of {path}")
        return answer.getheader("Content-Type", "").lower(), body
    finally:
        connection.close()


def rows(base: str, path: str) -> Any:
    """What an answer has in JSON."""
    kind, body = get(base, path)
    expect(kind.partition(";")[0], "application/json", f"type of {path}")
    return json.loads(body)


def stored(db: Database) -> dict[int, int]:
    """What is in the table."""
    return dict(db.fetch("select id, randomnumber from world", into=tuple))


def single(base: str, db: Database) -> None:
    """One row, as it is stored."""
    found, table = rows(base, "/db"), stored(db)
    expect(sorted(found), ["id", "randomNumber"], "fields of /db")
    expect(found["randomNumber"], table.get(found["id"]), f"number of row {found['id']}")


def many(base: str, db: Database) -> None:
    """As many rows as the parameter says, as they are stored, and not the same ones each time."""
    table = stored(db)
    for parameter, count in NUMBERS.items():
        found = rows(base, f"/queries?queries={parameter}")
        expect(len(found), count, f"rows of /queries?queries={parameter}")
        expect(found, [{"id": row["id"], "randomNumber": table.get(row["id"])} for row in found], "rows of /queries")
    expect(len({json.dumps(rows(base, TESTS["many"])) for _ in range(3)}), 3, "different answers of /queries")


def fortunes(base: str, db: Database) -> None:
    """All of them and one more, sorted, and escaped."""
    kind, page = get(base, "/fortunes")
    expect(kind.replace(" ", ""), "text/html;charset=utf-8", "type of /fortunes")
    cells = Cells(page).found
    wanted = sorted([*FORTUNES, ADDED], key=lambda fortune: fortune[1])
    expect(list(zip(cells[::2], cells[1::2], strict=True)), [(str(i), text) for i, text in wanted], "fortunes")


def updates(base: str, db: Database) -> None:
    """As many rows as asked for, each of which is stored with its new number now, and no other row is changed."""
    for parameter, count in NUMBERS.items():
        before = stored(db)
        found, after = rows(base, f"/updates?queries={parameter}"), stored(db)
        told = {row["id"]: row["randomNumber"] for row in found}
        expect((len(found), len(told)), (count, count), f"rows of /updates?queries={parameter}")
        expect(after, {**before, **told}, "the table after /updates")
        expect(all(number in range(1, WORLDS + 1) for number in told.values()), True, "numbers of /updates in range")
        if count > 1:  # a new number may be the old one by chance
            expect(sum(before[i] != number for i, number in told.items()) > count // 2, True, "new numbers of /updates")


CHECKS: dict[str, Callable[[str, Database], None]] = {
    "single": single,
    "many": many,
    "fortunes": fortunes,
    "updates": updates,
}


def main(test: str, base: str, url: str) -> None:
    """Check the answers of one test."""
    try:
        with Database(url, connections=1) as db:
            CHECKS[test](base, db)
    except WrongAnswer as error:
        raise SystemExit(f"WrongAnswer: {error}") from None


if __name__ == "__main__":
    main(*sys.argv[1:], sys.stdin.read())
