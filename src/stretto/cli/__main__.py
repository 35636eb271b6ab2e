"""The ``stretto`` command, and ``python -m stretto.cli``."""

from __future__ import annotations

import sys

_NEEDED = ("typer", "click", "rich")


def main() -> None:
    """Run the command line; where the extra ``cli`` is not installed, say so and end with status 1."""
    try:
        from stretto.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.exit("stretto: the command line needs typer and rich: pip install 'stretto[cli]'")
    app(prog_name="stretto")


if __name__ == "__main__":
    main()
