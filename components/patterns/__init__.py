"""The compositions of the talk, one module each, and how settings become one of them."""

from components.patterns.from_settings import build, manifests
from components.patterns.from_settings.dashboards import create_dashboards
from components.patterns.from_settings.second_region import SecondRegion, SecondRegionArgs

__all__ = ["SecondRegion", "SecondRegionArgs", "build", "create_dashboards", "manifests"]
