"""Pages as PNG, by a Chromium that is installed; without one there are no pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE = "no pictures: no Chromium"  # what is said where there is none
_WIDTH = 1000  # of a picture, in the page's pixels
_SCALE = 1.25
_PATIENCE = 60.0  # seconds for one
# The height is told by the page itself; the style is light, whatever the desktop's is.
_HEIGHT = (
    "<script>document.title = 'height ' + Math.ceil(document.documentElement.getBoundingClientRect().height)</script>"
)


def chromium() -> str | None:
    """The program, where there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def write(pages: Mapping[str, str], directory: Path) -> list[Path]:
    """Draw pages of HTML into files of those names; return the paths of those that came out."""
    program = chromium()
    if program is None:
        return []
    with tempfile.TemporaryDirectory(prefix="stretto-race-") as work:
        drawn = [_draw(program, text, directory / name, Path(work)) for name, text in pages.items()]
    return [path for path in drawn if path is not None]


def _draw(program: str, text: str, path: Path, work: Path) -> Path | None:
    page = work / "page.html"
    page.write_text(text.replace("</body>", f"{_HEIGHT}</body>"))
    try:
        found = re.search(
            r"<title>height (\d+)", _run(program, work, f"--window-size={_WIDTH},800", "--dump-dom", page)
        )
        if found is None:
            return None
        scale = f"--force-device-scale-factor={_SCALE}"
        _run(program, work, f"--window-size={_WIDTH},{found[1]}", scale, f"--screenshot={path.absolute()}", page)
    except (OSError, subprocess.SubprocessError):  # a picture is no reason to lose the race
        return None
    return path if path.exists() else None


def _run(program: str, work: Path, *arguments: str | Path) -> str:
    # No sandbox: it does not run as root, and the page is our own.
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-lcd-text",
        f"--user-data-dir={work / 'profile'}",
    ]
    done = subprocess.run(  # noqa: S603  # our own page
        [program, *options, *map(str, arguments)], capture_output=True, text=True, timeout=_PATIENCE, check=True
    )
    return done.stdout
