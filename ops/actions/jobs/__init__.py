"""Tracked jobs: create, find, follow, stop."""
