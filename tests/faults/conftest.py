"""The scene of the tests of `ops`, here too."""

from tests.ops.conftest import _models_are_parsed_once, scene

__all__ = ["_models_are_parsed_once", "scene"]
