"""What the program tells the function that counts the items of an activity pool."""

from typing import Final

__all__ = ["STATE_MACHINE_ARN"]

STATE_MACHINE_ARN: Final = "STATE_MACHINE_ARN"
"""Whose running maps are counted."""
