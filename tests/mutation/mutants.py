"""Small changes of the code of a package, drawn by a seed."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/mesbatch"

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
        case ast.Expr(ast.Call(func=ast.Attribute(value=ast.Name("_logger")))) | ast.JoinedStr():
            return True
        case ast.BinOp(op=ast.BitOr(), right=ast.Constant(None) | ast.Name("str" | "bytes" | "int" | "float" | "bool")):
            return True  # types
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
        case ast.Return(value=ast.Constant(None | False)):  # None is no other answer
            return None
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


def function_of(mutant: Mutant) -> str | None:
    """Give the qualified name of the function that the change is in; None outside of functions."""
    tree = ast.parse(mutant.path.read_text())
    target = list(places(tree))[mutant.place]

    def find(node: ast.AST, names: list[str], inside: str | None) -> str | None:
        if node is target:
            return inside
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                inside = ".".join([*names, name])
                names = [*names, name, "<locals>"]
            case ast.ClassDef(name=name):
                names = [*names, name]
        found = (find(child, names, inside) for child in ast.iter_child_nodes(node))
        return next((name for name in found if name is not None), None)

    return find(tree, [], None)
