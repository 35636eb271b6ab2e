"""Write the bill of materials of an environment, and look its packages up among the known vulnerabilities.

``python tools/audit.py PYTHON FILE``: PYTHON of an environment that has stretto and what it needs, and nothing else;
FILE becomes its bill of materials (CycloneDX, JSON). The advisories are PyPI's. Status 1 where one is known, and where
a package could not be looked up: what was not looked at is not clean.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(sys.executable).parent


def write_bill(python: str, file: Path) -> list[str]:
    """Write the bill of materials; return what is in it, pinned."""
    file.parent.mkdir(exist_ok=True)
    command = [str(TOOLS / "cyclonedx-py"), "environment", python, "--pyproject", "pyproject.toml"]
    subprocess.run([*command, "--mc-type", "library", "--output-reproducible", "-o", str(file)], check=True)
    bill = json.loads(file.read_text())
    return sorted(f"{part['name']}=={part['version']}" for part in bill["components"])


def look_up(pins: list[str]) -> int:
    """Ask for the advisories; return the status."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(pins))
        listed.flush()
        command = [str(TOOLS / "pip-audit"), "--strict", "--no-deps", "--disable-pip", "-r", listed.name]
        return subprocess.run(command).returncode


def main() -> int:
    python, file = sys.argv[1], Path(sys.argv[2])
    pins = write_bill(python, file)
    print(f"{file}: stretto needs", ", ".join(pins))
    return look_up(pins)


if __name__ == "__main__":
    sys.exit(main())
