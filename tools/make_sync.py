"""Make ``src/stretto/_sync`` from ``src/stretto/_async``, and the tests' twins: words are renamed, nothing else.

``--check`` writes nothing and fails when a twin is out of step. A word below that is never used is an error, so that
this script keeps itself clean. If a change needs more than a word, move the logic down a floor.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TWINS = {ROOT / "src/stretto/_async": ROOT / "src/stretto/_sync", ROOT / "tests/live/_async": ROOT / "tests/live/_sync"}
DROPPED = ("async", "await")
WORDS = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncBatch": "Batch",
    "AsyncConnection": "Connection",
    "AsyncDatabase": "Database",
    "AsyncFinal": "Final",
    "AsyncGenerator": "Generator",
    "AsyncHeld": "Held",
    "AsyncIterator": "Iterator",
    "AsyncKeptLane": "KeptLane",
    "AsyncLane": "Lane",
    "AsyncLoad": "Load",
    "AsyncObjects": "Objects",
    "AsyncPool": "Pool",
    "AsyncReserve": "Reserve",
    "AsyncSession": "Session",
    "AsyncTransacting": "Transacting",
    "AsyncTransaction": "Transaction",
    "AsyncVerbs": "Verbs",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "_AsyncGeneratorContextManager": "_GeneratorContextManager",
    "_async": "_sync",
    "_bridge": "runtime",
    "acall": "call",
    "aclose": "close",
    "acut": "cut",
    "acrew": "crew",
    "aeach": "each",
    "aio": "blocking",
    "aitems_of": "items_of",
    "ajobs": "jobs",
    "anext": "next",
    "arun_jobs": "run_jobs",
    "asink_of": "sink_of",
    "asources": "sources",
    "atraffic": "traffic",
    "asynccontextmanager": "contextmanager",
    "aturns": "turns",
}
COMMENTS = {
    "for asyncio": "for blocking code, threads and gevent",
    "(or async function) ": "",
    ", or async function,": "",
    "``async with``": "``with``",
    "or async iterable ": "",
}


def convert(source: str, used: set[str]) -> str:
    """Rename the words of one file and drop ``async`` and ``await``; positions are kept by replacing from the end."""
    lines = source.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token in reversed(tokens):
        (row, start), (last_row, stop) = token.start, token.end
        if token.type == tokenize.NAME and token.string in DROPPED:
            lines[row - 1] = lines[row - 1][:start] + lines[row - 1][stop:].lstrip(" ")
        elif token.type == tokenize.NAME and token.string in WORDS:
            used.add(token.string)
            lines[row - 1] = lines[row - 1][:start] + WORDS[token.string] + lines[row - 1][stop:]
        elif token.type in (tokenize.STRING, tokenize.COMMENT):
            text = lines[row - 1][:start] + _prose(token.string, used) + lines[last_row - 1][stop:]
            lines[row - 1 : last_row] = text.splitlines(keepends=True)
    return "".join(lines)


def _prose(text: str, used: set[str]) -> str:
    for table in (COMMENTS, WORDS):
        for word, then in table.items():
            if word in text:
                used.add(word)
                text = text.replace(word, then)
    return text


def ruff(text: str, path: Path) -> str:
    """Format and sort the imports of a generated file as all others."""
    for arguments in (["check", "--fix-only", "--select", "I,F401", "-q"], ["format", "-q"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def main() -> int:
    check = "--check" in sys.argv[1:]
    used: set[str] = set()
    stale = []
    for source, target in TWINS.items():
        for path in sorted(source.glob("*.py")):
            twin = target / path.name
            origin = path.relative_to(ROOT)
            text = f"# Generated from {origin} by tools/make_sync.py: do not edit.\n" + convert(path.read_text(), used)
            text = ruff(text, twin)
            if not twin.exists() or twin.read_text() != text:
                stale.append(str(twin.relative_to(ROOT)))
                if not check:
                    twin.parent.mkdir(parents=True, exist_ok=True)
                    twin.write_text(text)
        for twin in sorted(target.glob("*.py")):
            if not (source / twin.name).exists():
                stale.append(str(twin.relative_to(ROOT)))
                if not check:
                    twin.unlink()
    unused = (WORDS.keys() | COMMENTS.keys()) - used
    if unused:
        print(f"words that are never used: {', '.join(sorted(unused))}", file=sys.stderr)
    if check and stale:
        print(f"out of step, run tools/make_sync.py: {', '.join(stale)}", file=sys.stderr)
    return 1 if unused or (check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
