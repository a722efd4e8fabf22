"""Mutation testing: a small change of the code that no test notices is a test that is missing.

``python -m tests.mutation sql keys --mutants 30 --seed 1``, or ``tox -e mutation``. Each mutant is one change of a copy
of ``src``, for which the tests of its package are run until one fails. It is our own, because mutants are drawn by a
seed from a whole package, and tests start processes that must import the changed code as well: a path does that.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src/mesbatch"
SECONDS = 300  # for the tests of one mutant: more is a loop without an end, which they noticed

# The tests that are run for a package, the quick ones first.
TESTS = {
    "read": ["tests/read", "tests/laws"],
    "sql": ["tests/sql"],
    "keys": ["tests/keys", "tests/read/test_reader.py", "tests/laws/test_reading.py"],
    "group/spill": ["tests/group"],
    "sink": ["tests/sink"],
    "store": ["tests/store"],
    "jobs": ["tests/jobs"],
    "admission": ["tests/admission"],
    "export": ["tests/export"],
    "adapters": ["tests/adapters"],
    "client": ["tests/client"],
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change of a file: the number of the place among those of the file, and the words for it."""

    path: Path
    place: int
    told: str


def places(tree: ast.Module) -> Iterator[ast.AST]:
    """Give the nodes that can be changed: no annotation, docstring, message of an error or list of names."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        if change_of(node) is not None:
            yield node
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "decorator_list", "exc", "type_params"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_idle(child):
                    yield from walk(child)

    yield from walk(tree)


def _is_idle(node: ast.AST) -> bool:
    """Return whether a change of *node* changes nothing that runs."""
    match node:
        case ast.Expr(ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.AnnAssign(value=None):
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING")) | ast.Assign(targets=[ast.Name("__all__")]):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name("_logger"))) | ast.JoinedStr():
            return True
    return False


def change_of(node: ast.AST) -> ast.AST | None:  # noqa: C901  # a table
    """Make the changed form of *node*; None where there is none."""
    changed = copy.deepcopy(node)
    match changed:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARISONS:
            changed.ops[0] = COMPARISONS[type(op)]()
        case ast.BoolOp(op=op):
            changed.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.BinOp(op=op, left=left) if type(op) in OPERATIONS and not isinstance(left, ast.JoinedStr):
            changed.op = OPERATIONS[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=bool(value)):
            changed.value = not value
        case ast.Constant(value=int(value)):
            changed.value = value + 1
        case ast.Return(value=ast.expr()):
            changed.value = ast.Constant(None)
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
        case ast.Continue():
            return ast.Break()
        case ast.Break():
            return ast.Continue()
        case _:
            return None
    return changed


def mutants_of(path: Path) -> list[Mutant]:
    """List every change of a file."""
    found = []
    for number, node in enumerate(places(ast.parse(path.read_text()))):
        changed = change_of(node)
        assert changed is not None
        told = f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:60]!r} -> {ast.unparse(changed)[:60]!r}"
        found.append(Mutant(path, number, told))
    return found


def mutated(mutant: Mutant) -> str:
    """Write the file with its change."""
    tree = ast.parse(mutant.path.read_text())
    target = list(places(tree))[mutant.place]
    changed = change_of(target)
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if value is target:
                setattr(node, field, changed)
            elif isinstance(value, list) and any(one is target for one in value):
                value[next(i for i, one in enumerate(value) if one is target)] = changed
    return ast.unparse(ast.fix_missing_locations(tree))


def draw(package: str, count: int, seed: str) -> list[Mutant]:
    """Draw mutants of a package, each file by its size."""
    every = [mutant for path in sorted((SOURCES / package).rglob("*.py")) for mutant in mutants_of(path)]
    return random.Random(f"{seed} {package}").sample(every, min(count, len(every)))


def is_killed(package: str, mutant: Mutant | None, folder: Path) -> bool:
    """Run the tests of *package* with *mutant*, or unchanged; return whether one failed."""
    copied = folder / "src"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(ROOT / "src", copied, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        (copied / mutant.path.relative_to(ROOT / "src")).write_text(mutated(mutant))
    environment = {**os.environ, "PYTHONPATH": str(copied), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout", "60"]
    try:
        done = subprocess.run(
            [*command, *TESTS[package]], cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=list(TESTS), help="folders below src/mesbatch")
    parser.add_argument("--mutants", type=int, default=30, help="of each package")
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    survived = 0
    for package in asked.packages:
        with TemporaryDirectory() as folder:
            if is_killed(package, None, Path(folder)):
                print(f"{package}: its tests fail without a change")
                return 2
            alive = []
            drawn = draw(package, asked.mutants, asked.seed)
            for mutant in drawn:
                if not is_killed(package, mutant, Path(folder)):
                    alive.append(mutant)
                    print(f"  survived {mutant.path.relative_to(SOURCES)} {mutant.told}", flush=True)
        survived += len(alive)
        print(f"{package}: {len(drawn) - len(alive)} of {len(drawn)} killed", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
