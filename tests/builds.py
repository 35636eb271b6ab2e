"""Which build runs, and what need not run in both: what starts programs for many seconds, and looks past the core."""

from __future__ import annotations

import pytest

from stretto._core import compiled_modules, core_info

# Where there is no compiled core the interpreted one runs everything.
TWICE = core_info() == "interpreted" and bool(compiled_modules())
once = pytest.mark.skipif(TWICE, reason="it sees the same of both builds: it looks at the compiled one")
