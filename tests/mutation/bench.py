"""A copy of the code with one change at a time, and the tests that are run with it."""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.mutation.mutants import ROOT, Mutant, mutated
from tests.mutation.noted import read_notes, runs_for
from tests.mutation.reached import CHOSEN, RECORD

# For one run of tests with a mutant, beside four times what its tests took: more is a loop without an end, which they
# noticed. A run of many tests on a busy machine takes its time without noticing anything.
SECONDS = 120

# The tests that are run for a package, the quick ones first.
TESTS = {
    "read": ["tests/read", "tests/laws", "tests/arrow/test_reader.py", "tests/values/test_invalid_text.py"],
    "sql": ["tests/sql"],
    "keys": ["tests/keys", "tests/read/test_reader.py", "tests/read/test_release.py", "tests/laws/test_reading.py"],
    "group/spill": ["tests/group"],
    "sink": ["tests/sink"],
    "store": ["tests/store"],
    "jobs": ["tests/jobs"],
    "admission": ["tests/admission"],
    "export": ["tests/export"],
    "adapters": ["tests/adapters"],
    "client": ["tests/client"],
}
# They compare times: on a busy machine they fail without a change.
TIMED = ["tests/sql/test_linear.py"]


class Bench:
    """A copy of ``src`` in *folder* with one change at a time, and the tests of a package that are run with it.

    The file *notes* is made unless it is there. Tests of more than *longest* seconds are left out.
    """

    def __init__(self, package: str, folder: Path, notes: Path, longest: float) -> None:
        self._package, self._folder = package, folder
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(folder / "src", quiet=2)  # else tests that allow no large file write half of one
        if not notes.exists():
            self._pytest(TESTS[package], {RECORD: str(notes)}, timeout=8 + int(2 * longest), limit=1_800)
        self.noted = read_notes(notes, longest)

    def killer(self, mutant: Mutant) -> str | None:
        """Return the test that fails with the change; None if none does."""
        changed = self._folder / "src" / mutant.path.relative_to(ROOT / "src")
        _write(changed, mutated(mutant))
        try:
            for run in self._new_twins(mutant) + runs_for(mutant, self.noted):
                if (failed := self._run(run)) is not None:
                    return failed
        finally:
            _write(changed, mutant.path.read_text())
        return None

    def _new_twins(self, mutant: Mutant) -> list[list[str]]:
        """Find the tests of the changed module that were added after the notes."""
        known = {test.partition("::")[0] for test in self.noted.calls}
        files = [file for path in TESTS[self._package] for file in (ROOT / path).rglob(f"test_{mutant.path.stem}.py")]
        return [[new] for file in files if (new := str(file.relative_to(ROOT))) not in known]

    def _run(self, tests: list[str]) -> str | None:
        chosen = self._folder / "chosen.json"
        chosen.write_text(json.dumps({"first": tests, "known": list(self.noted.calls)}))
        seconds = [self.noted.seconds.get(test, 0) for test in tests]
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        return self._pytest(
            files, {CHOSEN: str(chosen)}, timeout=30 + 4 * int(max(seconds)), limit=SECONDS + 4 * int(sum(seconds))
        )

    def _pytest(self, paths: list[str], settings: dict[str, str], *, timeout: int, limit: int) -> str | None:
        environment = {**os.environ, **settings, "PYTHONPATH": str(self._folder / "src")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        options = ["-q", "-p", "no:cacheprovider", "-p", "tests.mutation.reached", "-rfE", f"--timeout={timeout}"]
        options += [f"--ignore={file}" for file in TIMED]
        command = [sys.executable, "-m", "pytest", *options, *([] if RECORD in settings else ["-x"]), *paths]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        ) as process:  # fmt: skip
            try:
                told, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return f"no end within {limit} s"
        if process.returncode in (0, 5):  # 5: no test was run
            return None
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", told, re.MULTILINE)
        return failed[1] if failed else "pytest: " + "".join(told.strip().splitlines()[-1:])


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    # By force: compiled code of the same size and second would be taken for that of the new text.
    compileall.compile_file(path, quiet=2, force=True)
