"""Benchmarks: stretto beside its peers in one run; `python -m benchmarks --help`, and README.md for the method."""
