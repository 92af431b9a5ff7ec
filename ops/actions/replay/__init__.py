"""Moves dead-lettered messages back where they belong, and loses none."""
