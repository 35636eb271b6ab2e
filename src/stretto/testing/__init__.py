"""For tests of programs that use stretto: what a piece of code sends, and a transaction around a whole test."""

from __future__ import annotations

from stretto.testing._expect import Seen, expect
from stretto.testing._sandbox import sandbox

__all__ = ["Seen", "expect", "sandbox"]
