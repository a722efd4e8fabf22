"""The demo stands beside the library: only its own command imports it."""

from __future__ import annotations

import ast
from pathlib import Path

import mesbatch

ROOT = Path(mesbatch.__file__).parent


def imports_of(path: Path) -> set[str]:
    """Find the modules that *path* imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_only_its_own_command_imports_the_demo():
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if not path.is_relative_to(ROOT / "demo")
        and any(f"{module}.".startswith("mesbatch.demo.") for module in imports_of(path))
    }

    assert importers == {"cli/demo.py"}
