"""The page of systems says what the simulations of them show, and nothing else claims more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.portability import USES, page, run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
POSIX_ONLY = {"fcntl", "pwd", "grp", "resource", "termios"}


@pytest.mark.parametrize("use", USES, ids=lambda use: use.what)
def test_a_use_works_where_the_page_says_so_and_nowhere_else(use):
    if "Flask" in use.what:
        pytest.importorskip("flask", reason="no web framework: flask is not installed")
    if "Redis" in use.what:
        pytest.importorskip("redis", reason="no redis client: redis is not installed")
    if "Object" in use.what:
        pytest.importorskip("obstore", reason="no obstore: the extra s3 is not installed")
    assert (run(use, "Linux"), run(use, "macOS"), run(use, "Windows")) == ("", use.macos, use.windows)


def test_the_page_is_made_from_the_uses():
    assert (ROOT / "docs/portability.md").read_text() == page(), "python -m tests.portability > docs/portability.md"


def test_reading_and_writing_load_no_module_that_only_posix_has():
    code = (
        "import sys; before = set(sys.modules); import mesbatch, mesbatch.read.reader, mesbatch.sink.ndjson, "
        "mesbatch.export, mesbatch.group.by_key, mesbatch.trace.read, mesbatch.client; "
        "print(*[name for name in sys.modules if sys.modules[name] and 'mesbatch' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in done.stdout.split():
        source = ROOT / "src" / Path(*name.split("."))
        text = (source / "__init__.py" if source.is_dir() else source.with_suffix(".py")).read_text()
        imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
        assert not imported & POSIX_ONLY, f"{name} imports {imported & POSIX_ONLY}"


def test_nothing_claims_another_system():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    systems = [name for name in project["classifiers"] if name.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        if path.name not in {"portability.md", "benchmarks.md"}:
            found = re.search(r"\b(macOS|OS X|Windows (?!line ends)|BSD)\b", path.read_text())
            assert found is None, f"{path.name} speaks of {found and found[0]}; the page of systems does"
