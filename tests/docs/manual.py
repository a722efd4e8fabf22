"""The manual as text: its pages, its blocks of code, and the names that its reference documents."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
PACKAGES = (
    "mesbatch", "mesbatch.trace", "mesbatch.jobs", "mesbatch.store", "mesbatch.export", "mesbatch.client",
    "mesbatch.testing", "mesbatch.adapters.flask", "mesbatch.adapters.asgi", "mesbatch.admission", "mesbatch.memory",
    "mesbatch.doctor", "mesbatch.codec",
)  # fmt: skip
DIRECTIVE = re.compile(r"^\.\. auto(class|function|module):: ([\w.]+)(\(\))?\n((?:   :.*\n)*)", re.MULTILINE)


class Documented(NamedTuple):
    """A name of the reference; *made_by_us* where it is shown without the parameters of its constructor."""

    name: str
    page: str
    value: Any
    made_by_us: bool


def reference() -> Iterator[Documented]:
    """All names that the directives of the pages document, without their members."""
    for path in PAGES:
        for kind, name, empty, options in DIRECTIVE.findall(path.read_text()):
            if kind == "module":
                yield from (Documented(n, path.name, value, False) for n, value in _members(name, options))
            else:
                module, _, last = name.rpartition(".")
                yield Documented(last, path.name, getattr(import_module(module), last), bool(empty))


def _members(name: str, options: str) -> Iterator[tuple[str, Any]]:
    module = import_module(name)
    chosen, left_out = (re.search(rf":{option}: (.+)", options) for option in ("members", "exclude-members"))
    hidden = left_out[1].split(", ") if left_out else []
    own = [n for n, value in vars(module).items() if getattr(value, "__module__", None) == name and n[0] != "_"]
    for member in chosen[1].split(", ") if chosen else getattr(module, "__all__", own):
        if member not in hidden and inspect.getdoc(value := getattr(module, member)):
            yield member, value


def public_names() -> Iterator[tuple[str, str, Any]]:
    """Package, name and value of all that the packages have in ``__all__``."""
    for package in PACKAGES:
        module = import_module(package)
        yield from ((package, name, getattr(module, name)) for name in module.__all__)


def blocks(path: Path, *languages: str) -> list[str]:
    return [text for language, text in re.findall(r"^```(\w+)\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
            if language in languages]  # fmt: skip


def examples() -> str:
    """All code of the pages that is Python."""
    return "\n".join(text for path in [*PAGES, ROOT / "README.md"] for text in blocks(path, "pycon", "python"))
