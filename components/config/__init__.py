"""The typed settings of a stack: what `Pulumi.<stack>.yaml` may say under ``eda:``."""

from components.config.loading import SettingsError, load, parse
from components.config.stack import StackSettings

__all__ = ["SettingsError", "StackSettings", "load", "parse"]
