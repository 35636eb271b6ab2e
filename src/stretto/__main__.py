"""``python -m stretto`` is the ``stretto`` command."""

from stretto.cli.__main__ import main

main()
