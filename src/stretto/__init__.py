"""stretto: the fastest and safest way for Python to talk to PostgreSQL."""

from stretto import _core

_core.choose()
