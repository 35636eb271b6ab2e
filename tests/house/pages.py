"""The code in pages of Markdown: ```python blocks, and ```text blocks right under them with what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of Python, the number of its first line, and what it prints (nothing, where the page says nothing)."""

    code: str
    line: int
    output: str


def blocks(path: Path) -> list[Block]:
    """The page's blocks of Python in order."""
    text = path.read_text()
    found = list(_BLOCK.finditer(text))
    return [
        Block(match[2], text.count("\n", 0, match.start(2)) + 1, _output(text, match, following))
        for match, following in zip(found, [*found[1:], None], strict=True)
        if match[1] == "python"
    ]


def _output(text: str, match: re.Match[str], following: re.Match[str] | None) -> str:
    if following is None or following[1] != "text" or text[match.end() : following.start()].strip():
        return ""
    return following[2]


def broken_links(path: Path) -> list[str]:
    """The page's links to files, and to headings in them, that lead nowhere."""
    links = [link for link in _LINK.findall(path.read_text()) if "://" not in link]
    return [link for link in links if not _leads_somewhere(path, *link.partition("#")[::2])]


def _leads_somewhere(path: Path, file: str, anchor: str) -> bool:
    target = path.parent / file if file else path
    return target.exists() and (not anchor or anchor in map(_anchor, _HEADING.findall(target.read_text())))


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
