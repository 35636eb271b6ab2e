"""The four servers of the games application say the same, byte for byte, to whatever they are asked."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from tests.games.serving import FORM, JSON, Answer, Running, form

MULTIPART = "multipart/form-data"
SCRIPT = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Step:
    """A request, the status that is expected, and what must be in the body, or in a header (`name: value`)."""

    request: tuple[str, str] | tuple[str, str, bytes] | tuple[str, str, bytes, str]
    status: int
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def said(*lines: object) -> bytes:
    return json.dumps(dict(zip(lines[::2], lines[1::2], strict=True))).encode()


def posted(path: str, status: int, *has: str, lacks: tuple[str, ...] = (), **fields: object) -> Step:
    return Step(("POST", path, form(**fields), FORM), status, has, lacks)


def got(path: str, status: int, *has: str, lacks: tuple[str, ...] = ()) -> Step:
    return Step(("GET", path), status, has, lacks)


def api(method: str, path: str, status: int, body: bytes, *has: str) -> Step:
    return Step((method, path, body, JSON), status, has)


GO = posted("/new", 303, "location: /#game-1", name="Go", year="", notes="19 by 19")
CONVERSATIONS: dict[str, list[Step]] = {
    "an empty shelf": [
        got("/", 200, "The shelf is empty", "content-type: text/html; charset=utf-8", "default-src 'none'"),
        got("/api/games", 200, '{"games": [], "more": null}'),
    ],
    "new, listed, changed": [
        got("/new", 200, "New game", '<label for="name">'),
        GO,
        got("/", 200, "19 by 19", 'id="game-1"', lacks=("empty",)),
        got("/games/1", 200, 'value="Go"', 'name="version" value="1"', ">\n19 by 19</textarea>"),
        posted("/games/1", 303, "location: /#game-1", name="Weiqi", year="-1000", notes="a\r\nb", version=1),
        got("/", 200, "Weiqi", "1000 BC", "a\nb", lacks=("19 by 19",)),
    ],
    "what can't be stored is said, and what was typed is kept": [
        posted("/new", 422, "give the game a name.", "aria-invalid", ">\nkept</textarea>", name=" ", notes="kept"),
        posted("/new", 422, "At most 80 characters, please: these are 81.", "x" * 81, name="x" * 81),
        posted("/new", 422, "At most 500 characters", "whole number", "2 things need",
               name="n", notes="x" * 501, year="y"),
        posted("/new", 422, "whole number", name="n", year="99999999999999999999"),
        posted("/new", 422, "whole number", name="n", year="2.5"),
        posted("/new", 422, "can’t be shown", name="a\0b"),
        *(posted("/new", 422, "can’t be shown", name=name) for name in ("\u202eabc", "a\u200bb", "a\u2028b", "\ufeff")),
        *(posted("/new", 422, "nothing to be seen", name=name) for name in ("\u3164", "\u0301" * 80, "\u2800")),
        *(posted("/new", 422, "whole number", name="n", year=year) for year in ("1_9_9", "--1", "19 95", "12345678")),
        posted("/new", 422, "can’t be shown", name="n", notes="a\u202eb"),
        posted("/new", 303, name="é" * 80, year="1914"),
        posted("/new", 303, name="Go"),
        posted("/new", 422, "There is a game called “Go” already.", name="Go"),
        posted("/games/1", 422, "“Go” already", "Edit game", name="Go", version=1),
        posted("/games/1", 422, "give the game a name", 'value="1"', name="", version=1),
    ],
    "somebody else was quicker": [
        GO,
        posted("/games/1", 303, name="Weiqi", notes="theirs", version=1),
        posted("/games/1", 409, "Someone changed this game meanwhile", 'value="Baduk"', 'value="2"', "<dd>Weiqi</dd>",
               name="Baduk", notes="theirs", version=1),
        got("/games/1", 200, 'value="Weiqi"'),
        posted("/games/1", 303, name="Baduk", version=2),
        posted("/games/1", 409, "<dd>Baduk</dd>", name="x", version=10**17),
    ],
    "HTML in a name is text": [
        posted("/new", 303, name=SCRIPT, notes='"><img src=x onerror=y>'),
        got("/", 200, "&lt;script&gt;", "&quot;&gt;&lt;img", lacks=("<script", "<img")),
        got("/games/1", 200, "&lt;script&gt;", lacks=("<script", "<img")),
        posted("/new", 422, "“&lt;script&gt;", name=SCRIPT, lacks=("<script",)),
        posted("/games/1", 409, "&lt;b&gt;", "<dd>&lt;script&gt;", name="<b>", version=7, lacks=("<script", "<b>")),
        got("/api/games/1", 200, f'"name": "{SCRIPT}"', "content-type: application/json", "nosniff"),
    ],
    "names of all scripts": [
        *(posted("/new", 303, name=name) for name in ("می‌خواهم", "क्‍ष", "👩‍👧 family", "?", "7", "Cafe\u0301", "모두")),
        posted("/new", 303, name="\u0301first mark", year=" ١٩٩٥ "),
        got("/", 200, "می‌خواهم", "👩‍👧 family", ">👩</span>", ">F</span>", '<span class="year">1995</span>'),
    ],
    "the JSON API": [
        api("POST", "/api/games", 201, said("name", "Schach ♟", "year", 1475, "notes", ""),
            "location: /api/games/1", '{"id": 1, "name": "Schach ♟", "year": 1475, "notes": "", "version": 1}'),
        got("/api/games", 200, '{"games": [{"id": 1,', '"more": null'),
        api("PUT", "/api/games/1", 200, said("name", "Chess", "version", 1), '"year": null', '"version": 2'),
        api("PUT", "/api/games/1", 409, said("name", "Late", "version", 1), "meanwhile", '"current": {"id": 1, '),
        api("PUT", "/api/games/1", 409, said("name", "Late", "version", 10**30), "meanwhile"),
        api("PUT", "/api/games/1", 400, said("name", "x"), "Which version"),
        api("PUT", "/api/games/1", 400, said("name", "x", "version", True), "Which version"),
        api("PUT", "/api/games/2", 404, said("name", "x", "version", 1), "no such game"),
        api("POST", "/api/games", 422, said("name", "Chess"), '"problems": {"name": "There is a game called “Chess”'),
        api("POST", "/api/games", 422, said("name", 7, "year", True, "notes", []), '"name"', '"year"', '"notes"'),
        api("POST", "/api/games", 422, b'{"name": "\\ud800"}', "can’t be shown"),
        api("POST", "/api/games", 422, b"{}", "give the game a name"),
        api("POST", "/api/games", 400, b"{", "not JSON"),
        api("POST", "/api/games", 400, b"\xff", "not JSON"),
        api("POST", "/api/games", 400, b"[" * 60000, "not JSON"),
        api("POST", "/api/games", 400, b"[]", "must be a JSON object"),
        api("POST", "/api/games", 413, b" " * 70000, "no more than 65536 bytes"),
        Step(("POST", "/api/games", b"{}", FORM), 415, ("application/json",)),
        got("/api/games", 200, '"name": "Chess"'),
    ],
    "what is not there": [
        *(got(path, 404, "Not here") for path in ("/games/1", "/games/0", "/games/x", "/games/-1", f"/games/{10**19}",
                                                  f"/games/{2**63 - 1}", f"/games/{2**63}", "/no", "/new/", "/games/")),
        *(got(path, 404, "no such game") for path in ("/games/%ff", "/games/%00", "/games/%E2%99")),
        *(got(path, 404, '{"error": ') for path in ("/api/games/1", "/api/nothing", "/api/games/x", "/api/games/%ff")),
        posted("/games/1", 404, "Not here", name="n", version=1),
        *(Step((method, "/no", b"x" * 9, MULTIPART), 404, ("Not here",)) for method in ("POST", "PUT", "DELETE")),
    ],
    "methods that an address does not take": [
        Step(("PUT", "/"), 405, ("allow: GET, HEAD", "Not like this")),
        Step(("DELETE", "/games/1"), 405, ("allow: GET, HEAD, POST",)),
        Step(("POST", "/style.css"), 405, ("allow: GET, HEAD",)),
        Step(("POST", "/api/games/1"), 405, ("allow: GET, HEAD, PUT", '{"error": ')),
        Step(("HEAD", "/"), 200),
        Step(("HEAD", "/api/games"), 200),
    ],
    "forms that are none": [
        Step(("POST", "/new", b"name=%ff", FORM), 400, ("not a form of ours",)),
        Step(("POST", "/new", b"\xff=1", FORM), 400, ("not a form of ours",)),
        Step(("POST", "/new", b"a&" * 30 + b"b", FORM), 400, ("not a form of ours",)),
        Step(("POST", "/new", b"{}", JSON), 415),
        Step(("POST", "/new", b""), 415),
        *(Step(("POST", "/new", body, MULTIPART + more), 415) for body in (b"", b"x", b"--x\r\n\r\n--x--")
          for more in ("", "; boundary=", "; boundary=x")),
        Step(("POST", "/api/games", b"x", MULTIPART), 415, ('{"error": ',)),
        Step(("PUT", "/", b"x", MULTIPART), 405),
        Step(("POST", "/new", b"name=" + b"x" * 70000, FORM), 413),
        posted("/games/1", 400, "Which version", name="n"),
        posted("/games/1", 400, "Which version", name="n", version="one"),
    ],
    "the style sheet": [got("/style.css", 200, "content-type: text/css; charset=utf-8", "prefers-color-scheme: dark")],
    "a query that is not ours": [got("/?after=%00%ff&x=1&after", 200), got("/api/games?after=Z%26", 200)],
}  # fmt: skip


def held(answer: Answer) -> str:
    return "\n".join([*(f"{name}: {value}" for name, value in answer.headers), answer.text])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_four_say_the_same_and_the_right_thing(servers: list[Running], name: str) -> None:
    for step in CONVERSATIONS[name]:
        first, *others = (server.ask(*step.request) for server in servers)
        assert first.status == step.status, (step, held(first))
        assert [text for text in step.has if text not in held(first)] == [], (step, held(first))
        assert [text for text in step.lacks if text in held(first)] == [], (step, held(first))
        for server, other in zip(servers[1:], others, strict=True):
            assert other == first, (server.name, step)


def test_a_long_shelf_has_pages(servers: list[Running]) -> None:
    shelves = []
    for server in servers:
        for number in range(51):
            assert server.ask("POST", "/api/games", said("name", f"a & {number:02}"), JSON).status == 201
        first = json.loads(server.ask("GET", "/api/games").body)
        page = server.ask("GET", "/")
        assert len(first["games"]) == 50
        assert 'href="/?after=a%20%26%2049"' in page.text
        rest = server.ask("GET", "/?after=a%20%26%2049")
        assert ("a &amp; 50" in rest.text, "a &amp; 49" in rest.text, "More games" in rest.text) == (True, False, False)
        shelves.append((page, rest))
    assert all(shelf == shelves[0] for shelf in shelves)


def test_a_head_is_the_get_without_its_body(servers: list[Running]) -> None:
    for server in servers:
        page, head = server.ask("GET", "/"), server.ask("HEAD", "/")
        assert (head.status, head.headers, head.body) == (page.status, page.headers, b"")
