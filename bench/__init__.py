"""Reproducible benchmarks against named peers: `make bench`."""
