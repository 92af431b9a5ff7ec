"""The typed settings of a stack: what `Pulumi.<stack>.yaml` may say under ``eda:``."""

from components.config.loading import SettingsError, aws_provider, load, parse
from components.config.stack import StackSettings

__all__ = ["SettingsError", "StackSettings", "aws_provider", "load", "parse"]
