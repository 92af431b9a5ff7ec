"""Imports point one way: contracts → core → primitives → patterns → the program; ops meets them only in contracts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Each layer may import itself and what stands left of it. A module belongs to the longest prefix that fits.
LAYERS = [
    ["contracts"],
    ["components.core"],
    [
        "components.compute",
        "components.encryption",
        "components.network",
        "components.observability",
        "components.routers",
        "components.stores",
        "components.streams",
        "components.vpc",
        "components.workflows",
        "components.jobs",
    ],
    ["components.config"],
    ["components.manifest", "components.shared"],
    ["components.patterns"],
    ["components.patterns.from_settings"],
]


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def inside(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def layer(name: str) -> int | None:
    fitting = [(len(prefix), level) for level, row in enumerate(LAYERS) for prefix in row if inside(name, prefix)]
    return max(fitting)[1] if fitting else None


def test_no_import_points_back():
    back_edges = []
    for package in ("contracts", "components"):
        for name, path in modules(package):
            if name in ("components", "components.patterns"):
                continue  # the packages' front doors re-export
            level = layer(name)
            assert level is not None, f"{name} belongs to no layer: add it to LAYERS"
            for target in imports(path):
                other = layer(target)
                if other is not None and other > level:
                    back_edges.append(f"{name} imports {target}")
    assert back_edges == []


def test_ops_needs_no_pulumi_and_no_program():
    forbidden = ("pulumi", "pulumi_aws", "components")
    found = [
        f"{name} imports {target}"
        for name, path in modules("ops")
        if not inside(name, "ops.local")
        for target in imports(path)
        if any(inside(target, package) for package in forbidden)
    ]
    assert found == []


def test_the_worker_needs_no_pulumi_no_ops_and_no_program():
    forbidden = ("pulumi", "components", "ops", "tests")
    found = [
        f"{name} imports {target}"
        for name, path in modules("worker")
        for target in imports(path)
        if any(inside(target, package) for package in forbidden)
    ]
    assert found == []


def test_components_are_pure_functions_of_their_arguments():
    # Configuration, the environment and AWS calls belong to the program and to ops; only the settings loader asks Pulumi.
    for name, path in modules("components"):
        names = imports(path)
        assert not any(inside(target, "boto3") for target in names), name
        assert not any(inside(target, "os") for target in names), name
        source = path.read_text()
        assert "pulumi.Config(" not in source, name


def test_every_test_module_is_collected():
    for path in (ROOT / "tests").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path.parent
