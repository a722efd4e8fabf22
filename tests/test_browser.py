from __future__ import annotations

import json
import tomllib
from pathlib import Path

from mesbatch.browser import MODULES, modules_directory

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_the_modules_that_the_package_of_npm_describes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    modules = {path: place for path, place in included.items() if path.startswith("frontend/")}
    assert modules == {f"frontend/{name}": f"mesbatch/frontend/{name}" for name in MODULES}
    files = [name for module in MODULES for name in (module, f"{module.removesuffix('.js')}.d.ts")]
    assert json.loads((ROOT / "frontend/package.json").read_text())["files"] == files


def test_every_module_is_found():
    assert {path.name for path in modules_directory().glob("*.js")} == set(MODULES)
