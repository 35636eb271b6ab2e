"""Say which core was built, loudly where it is the slow one: pip hides what setup.py says of it.

``--cores c py`` prints those of the builds that there are.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

from stretto._core import compiled_modules

BANNER = """
************************************************************************************************
stretto runs WITHOUT its compiled core: it works, and it is about ten times slower.
For the fast one install a C compiler and Python's headers (Debian: apt-get install gcc python3-dev)
and run 'make build'; what went wrong is in what it prints.
************************************************************************************************
"""


def main() -> None:
    modules = compiled_modules()
    if sys.argv[1:2] == ["--cores"]:
        print(*(core for core in sys.argv[2:] if core != "c" or modules))
        return
    print(f"stretto {version('stretto')}, Python {sys.version.split()[0]}, core: {len(modules)} modules compiled")
    if not modules:
        print(BANNER, file=sys.stderr)


if __name__ == "__main__":
    main()
