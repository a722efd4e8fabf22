"""The layout of the design's page, compared with the folders and with every import in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src/mesbatch"
PAGE = (ROOT / "docs/design.md").read_text()

# Imports against the layout, with their reason.
ALLOWED = {
    ("mesbatch.sink.trace_lines", "trace"): "the old path of mesbatch.trace.ndjson, which users import",
}
FACE = "mesbatch"  # the package's own names, which come from everywhere
STEP = re.compile(r"^\d+\. `([\w./]+)`, `([\w.]+)`:", re.MULTILINE)


class Import(NamedTuple):
    module: str
    imported: str
    for_types: bool  # below `if TYPE_CHECKING`


def layout() -> list[str]:
    """The folders and modules of the page's list, in its order."""
    block = re.search(r"<!-- layout -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert block
    return [line.split()[0].rstrip("/").removesuffix(".py") for line in block[1].splitlines()]


def place_of(module: str) -> str:
    """The line of the layout that *module* belongs to."""
    return module.split(".")[1]


@cache
def modules() -> dict[str, Path]:
    parts = {path: path.relative_to(SOURCES.parent).with_suffix("").parts for path in SOURCES.rglob("*.py")}
    return {".".join(part for part in parts[path] if part != "__init__"): path for path in parts}


@cache
def imports() -> list[Import]:
    """Imports of our own modules, those within functions among them; the face is not looked at."""
    return [
        Import(name, imported, for_types)
        for name, path in modules().items()
        if name != FACE
        for imported, for_types in _imports(ast.parse(path.read_text()), for_types=False)
        if imported.partition(".")[0] == FACE and imported != name
    ]


def _imports(node: ast.AST, *, for_types: bool) -> Iterator[tuple[str, bool]]:
    match node:
        case ast.Import(names):
            yield from ((alias.name, for_types) for alias in names)
        case ast.ImportFrom(level=level) if level:
            raise ValueError("a relative import, which this does not follow")
        case ast.ImportFrom(module=str(module), names=names):
            for alias in names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in modules() else module, for_types
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            for child in node.body:
                yield from _imports(child, for_types=True)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _imports(child, for_types=for_types)


def test_the_list_names_every_folder_and_module():
    there = {path.stem for path in SOURCES.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(layout()) == sorted(there - {"__init__"})


def test_every_import_goes_to_a_line_above():
    order = {name: i for i, name in enumerate(layout())}
    against = [
        f"{one.module} imports {one.imported}"
        for one in imports()
        if one.imported != FACE
        and order[place_of(one.imported)] > order[place_of(one.module)]
        and (one.module, place_of(one.imported)) not in ALLOWED
    ]
    assert against == []


def test_no_module_imports_the_face():
    assert [one.module for one in imports() if one.imported == FACE] == []


def test_no_module_imports_one_that_imports_it():
    """Imports for types do not run, so they make no circle."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for one in imports():
        if not one.for_types:
            graph[one.module].add(one.imported)
    TopologicalSorter(graph).prepare()  # raises for a circle, and names it


@pytest.mark.parametrize(
    ("edge", "importers"),
    [("cli", {"mesbatch.__main__"}), ("demo", {"mesbatch.cli.demo"}), ("adapters", {"mesbatch.demo"})],
)
def test_the_edges_are_imported_by_nothing_else(edge, importers):
    to_edge = {one.module for one in imports() if f"{one.imported}.".startswith(f"mesbatch.{edge}.")}
    found = {module for module in to_edge if place_of(module) != edge}
    assert {module for module in found if not any(module.startswith(known) for known in importers)} == set()


def test_every_path_on_the_page_exists():
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", PAGE))
    paths = {name for name in named if "/" in name or name.endswith((".py", ".js"))}
    assert len(paths) > 30
    assert sorted(path for path in paths - {"url.py"} if not any((at / path).exists() for at in (SOURCES, ROOT))) == []


def test_every_step_of_a_walk_names_a_definition_of_its_file():
    steps = STEP.findall(PAGE)
    assert len(steps) == len(re.findall(r"^\d+\. ", PAGE, re.MULTILINE))
    for path, name in steps:
        text = next(at / path for at in (SOURCES, ROOT) if (at / path).exists()).read_text()
        for part in name.split("."):
            assert re.search(rf"\b(class|def|function\*?) {part}\b", text), f"{path} defines no {part}"


def test_the_example_of_a_database_is_the_line_of_the_table():
    (line,) = re.findall(r"`(Database\(.*?\))`", PAGE)
    assert line in (SOURCES / "source/databases.py").read_text()


def test_the_walks_are_short():
    down, up = (PAGE.partition(f"### {way}")[2].partition("\n#")[0] for way in ("Down", "Up"))
    assert 0 < len(STEP.findall(down)) <= 10
    assert 0 < len(STEP.findall(up)) <= 6
