"""Tracked jobs: their table, the function that creates them, the function that follows them."""
