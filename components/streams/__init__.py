"""Streams: records that every consumer sees, in order for each key."""
