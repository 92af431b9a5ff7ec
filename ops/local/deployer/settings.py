"""Settings of a stack from ``Pulumi.yaml`` and ``Pulumi.<stack>.yaml``, as the Pulumi CLI would hand them over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.local.deployer.errors import SettingsError

__all__ = ["StackSettings", "read_settings"]

_REGION = "aws:region"


@dataclass(frozen=True)
class StackSettings:
    """What one environment is.

    Attributes:
        project: the project's name; the namespace of its configuration keys.
        stack: the environment's name.
        config: ``namespace:key`` → text; objects are JSON text, as Pulumi passes them to a program.
        region: where the stack lives.
    """

    project: str
    stack: str
    config: Mapping[str, str]
    region: str


def read_settings(root: Path, stack: str) -> StackSettings:
    """Read the two files in `root`.

    Raises:
        SettingsError: a file is missing, is not YAML, has no region, or holds a secret (there is no key to open it).
    """
    project_file = root / "Pulumi.yaml"
    stack_file = root / f"Pulumi.{stack}.yaml"
    project = _mapping(project_file)
    name = project.get("name")
    if not isinstance(name, str):
        raise SettingsError(f"{project_file.name}: 'name' is {name!r}; it must be the project's name")
    defaults = {key: _default(value) for key, value in _config(project, project_file).items()}
    values = {key: value for key, value in defaults.items() if value is not None}
    values |= _config(_mapping(stack_file), stack_file)
    config = {key if ":" in key else f"{name}:{key}": _text(key, value, stack_file) for key, value in values.items()}
    if _REGION not in config:
        raise SettingsError(f"{stack_file.name}: config has no {_REGION!r}; add for example '{_REGION}: eu-central-1'")
    return StackSettings(project=name, stack=stack, config=config, region=config[_REGION])


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist; run this in the project's folder") from None
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path.name}: {error}") from error
    if not isinstance(document, Mapping):
        raise SettingsError(f"{path.name}: expected a map of settings, got {document!r:.80}")
    return document


def _config(document: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    config = document.get("config") or {}
    if not isinstance(config, Mapping):
        raise SettingsError(f"{path.name}: 'config' is {config!r:.80}; it must be a map of settings")
    return config


def _default(value: Any) -> Any:
    """In Pulumi.yaml a setting is a value, or a declaration with ``value`` or ``default``."""
    if isinstance(value, Mapping):
        return value.get("value", value.get("default"))
    return value


def _text(key: str, value: Any, path: Path) -> str:
    if isinstance(value, Mapping) and set(value) == {"secure"}:
        raise SettingsError(f"{path.name}: {key!r} is a secret, and only the Pulumi CLI can open it; use a plain value")
    if isinstance(value, str):
        return value
    return json.dumps(value)
