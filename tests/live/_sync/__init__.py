# Generated from tests/live/_async/__init__.py by tools/make_sync.py: do not edit.
