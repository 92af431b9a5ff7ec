"""The compositions of the talk, one module each, and how settings become one of them."""

from components.patterns.from_settings import build, manifests

__all__ = ["build", "manifests"]
