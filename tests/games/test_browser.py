"""What a person sees in a browser is the same on all four: words, and pictures, on a desk and on a phone.

Needs Chromium (Debian's `chromium`) and playwright. Where they are missing this is skipped, unless
STRETTO_REQUIRE_BROWSER is set. STRETTO_SCREENSHOTS names a directory in which the pictures are kept.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.builds import once
from tests.games.serving import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = bool(os.environ.get("STRETTO_REQUIRE_BROWSER"))
KEPT = os.environ.get("STRETTO_SCREENSHOTS")
if not REQUIRED:
    pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason="needs Chromium: apt-get install chromium"),
    once,
]
AWAKE = ["--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"]
SIZES = {"desk": (1280, 800), "phone": (390, 844)}
SHELF = [
    ("Azul", "2017", "Tiles for the palace of Evora. Two to four, half an hour."),
    ("Carcassonne", "2000", "Streets, towns and cloisters, and never enough meeples to hold them all."),
    ("Chess", "1475", "With the queen as she moves today."),
    ("Hanabi", "2010", "Everybody sees your cards but you."),
    ("Mensch ärgere Dich nicht", "1914", ""),
    ("Nine Men's Morris", "-1400", "Cut into the roof of the temple of Kurna."),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No sandbox: it does not run as root, and the pages are our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *AWAKE])
        yield browser
        browser.close()


def submit(page: Any, **fields: str) -> None:
    page.bring_to_front()  # a page behind another one draws no frames, and a click waits for some
    for name, value in fields.items():
        page.get_by_label(name.capitalize()).fill(value)
    page.locator("form button").click()
    page.wait_for_load_state()


Seen = dict[str, Any]
# The largest difference of two pictures in any colour of any pixel; of pictures of two sizes, 256.
DIFFERENCE = """async ([one, other]) => {
  const pixels = async (data) => {
    const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
    const drawing = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    drawing.drawImage(picture, 0, 0);
    return [picture.width, drawing.getImageData(0, 0, picture.width, picture.height).data];
  };
  const [[width, here], [otherWidth, there]] = [await pixels(one), await pixels(other)];
  if (width !== otherWidth || here.length !== there.length) return 256;
  return here.reduce((most, value, place) => Math.max(most, Math.abs(value - there[place])), 0);
}"""


def alike(browser: Any, one: bytes, other: bytes) -> bool:
    """Whether two pictures are the same to the eye: Chromium rounds the edge of a curve up or down by one of 255."""
    if one == other:
        return True
    page = browser.new_page()
    try:
        return page.evaluate(DIFFERENCE, [base64.b64encode(each).decode() for each in (one, other)]) <= 1
    finally:
        page.close()


def test_pictures_that_differ_are_seen_to_differ(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 200, "height": 200})
    page.set_content("<p>one")
    one = page.screenshot()
    page.set_content("<p>two")
    two, wider = page.screenshot(), page.screenshot(clip={"x": 0, "y": 0, "width": 100, "height": 200})
    page.close()
    assert (alike(browser, one, one), alike(browser, one, two), alike(browser, one, wider)) == (True, False, False)


def visit(page: Any, other: Any, base: str, look: Callable[[str], None]) -> None:
    """What a person does, and another one meanwhile; `look` is called where there is something to see."""
    page.goto(base)
    look("empty")
    for name, year, notes in SHELF:
        page.get_by_role("link", name="New game").first.click()
        submit(page, name=name, year=year, notes=notes)
    assert page.url == f"{base}/#game-{len(SHELF)}"
    page.goto(base)
    look("shelf")
    page.get_by_role("link", name="New game").click()
    look("new")
    submit(page, name="<script>alert(1)</script>" * 4, year="long ago", notes="A name that is no name.")
    assert page.get_by_role("alert").is_visible()
    look("invalid")
    page.goto(base)
    page.get_by_role("link", name="Azul").click()
    page.wait_for_url(f"{base}/games/1")
    look("edit")
    other.goto(page.url)
    submit(other, name="Azul: Summer Pavilion", year="2019")
    submit(page, notes="Tiles, and more tiles.")
    assert "Someone changed this game meanwhile" in page.get_by_role("alert").inner_text()
    look("conflict")
    page.bring_to_front()
    page.locator("form button").click()
    page.wait_for_url(f"{base}/#game-1")
    look("saved")
    page.goto(f"{base}/games/4711")
    look("missing")


@pytest.mark.parametrize("size", SIZES)
def test_a_person_sees_the_same_on_all_four(servers: list[Running], browser: Any, size: str) -> None:
    width, height = SIZES[size]
    seen: dict[str, Seen] = {}
    for server in servers:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
        accidents: list[str] = []
        page, other = context.new_page(), context.new_page()
        page.on("console", lambda message, to=accidents: to.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog, to=accidents: (to.append(dialog.message), dialog.dismiss()))
        views: Seen = {}

        def look(name: str, page: Any = page, views: Seen = views) -> None:
            page.bring_to_front()
            page.wait_for_load_state("load")
            page.mouse.move(0, 0)
            picture = page.screenshot(full_page=True, animations="disabled")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
            views[name] = (page.title(), page.inner_text("body"), picture)

        try:
            visit(page, other, server.base, look)
        finally:
            context.close()
        # Chromium notes the statuses 404, 409 and 422 of pages as errors; nothing else may be there.
        assert [text for text in accidents if not text.startswith("Failed to load resource")] == []
        seen[server.name] = views
    if KEPT:
        for server_name, views in seen.items():
            for name, (_, _, picture) in views.items():
                Path(KEPT, f"{name}-{size}-{server_name}.png").write_bytes(picture)
    first, *others = seen.values()
    for views in others:
        assert {name: words for name, (*words, _) in views.items()} == {name: w for name, (*w, _) in first.items()}
        assert [name for name, (*_, picture) in views.items() if not alike(browser, picture, first[name][2])] == []


WIDE = ("a" + "\u0301\u0489" * 39, "W" * 80, "\ufdfd" * 80, "ẞ\u0489\u20dd" * 20)  # marks are stacked, or set in line


def test_no_name_makes_a_page_wider_than_a_small_phone(servers: list[Running], browser: Any) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 640})
    try:
        for name in WIDE:
            page.goto(f"{servers[0].base}/new")
            submit(page, name=name, notes=name)
            assert page.url.startswith(f"{servers[0].base}/#game-")
        if KEPT:
            page.screenshot(path=str(Path(KEPT, "shelf-wide.png")), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        page.goto(f"{servers[0].base}/new")
        submit(page, name=WIDE[0])
        assert "already" in page.inner_text(".wrong")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
    finally:
        page.close()


def test_in_the_dark_it_is_dark(servers: list[Running], browser: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    page.goto(servers[0].base)
    page.get_by_role("link", name="New game").first.click()
    submit(page, name="Go", notes="In the dark.")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    if KEPT:
        page.screenshot(path=str(Path(KEPT, "shelf-dark.png")))
    context.close()
    assert sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 150
