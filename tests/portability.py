"""Uses of mesbatch, and the systems on which they work; the page of the manual is made from this.

``python -m tests.portability > docs/portability.md`` writes the page.
"""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

# What a system lacks is taken away in a process of its own, before anything is imported.
TAKE_AWAY = """
import os, sys
system = sys.argv[1]
if system == "Windows":
    missing = {"fcntl", "pwd", "grp", "resource", "termios"}
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name in missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.meta_path.insert(0, Missing())
    for name in missing:
        sys.modules.pop(name, None)
    for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_TMPFILE", "O_CLOEXEC", "geteuid", "getuid", "fork",
                 "register_at_fork", "pread", "pwrite", "sysconf"):
        delattr(os, name)
if system == "macOS":
    import fcntl
    for name in [name for name in dir(fcntl) if name.startswith("F_OFD")]:
        delattr(fcntl, name)
    del os.O_TMPFILE
    import urllib.request  # which has a module of its own on that system
    sys.platform = "darwin"
"""
BEGIN = """
import pathlib, sqlite3, tempfile
folder = tempfile.TemporaryDirectory()
path = pathlib.Path(folder.name)
con = sqlite3.connect(path / "t.db")
with con:
    con.execute("create table t (k text, n int)")
    con.executemany("insert into t values (?, ?)", [(f"k{n % 5}", n) for n in range(50)])
con.close()
connect = lambda: sqlite3.connect(path / "t.db")
KEYED, KEYS = "select k, n from t where k in (:keys)", ["k1", "k2"]
from mesbatch import *
def count(read):
    with read:
        return sum(batch.num_rows for batch in read)
"""
END = """
folder.cleanup()
"""


class Use(NamedTuple):
    """A use of mesbatch, and the error where it does not work; an empty text where it does."""

    what: str
    code: str
    macos: str = ""
    windows: str = ""


USES = (
    Use("`read_sql_iter`", "assert count(read_sql_iter('select * from t', connect)) == 50"),
    Use(
        "the same by keys, with several connections",
        "assert count(read_sql_iter(KEYED, connect, keys=KEYS, parallel=2)) == 20",
    ),
    Use(
        "keys of an iterator, which go to disk",
        "assert count(read_sql_iter(KEYED, connect, keys=iter(KEYS))) == 20",
    ),
    Use(
        "`Trace`",
        "with Trace({'a': Query(KEYED)}).read(connect, KEYS, ['a']) as reader:\n"
        "    assert sum(batch.num_rows for _, batch in reader) == 20",
    ),
    Use(
        "`iter_groups`, `fold`",
        "with read_sql_iter('select * from t order by k', connect) as reader:\n"
        "    assert len(list(iter_groups(reader, 'k'))) == 5",
    ),
    Use(
        "`group_by_key`",
        "reader = read_sql_iter('select * from t', connect)\n"
        "with reader, group_by_key(reader, 'k', max_bytes=100) as groups:\n"
        "    assert len(groups) == 5",
        windows="SpillError",
    ),
    Use(
        "`export` to files, `verify`",
        "from mesbatch.export import export, verify\n"
        "export(KEYED, connect, f'{path}/parts/', format='csv', keys=KEYS)\n"
        "assert verify(path / 'parts').rows == 20",
    ),
    Use("clients of jobs", "from mesbatch.client import JobClient, follow_store"),
    Use(
        "`RedisStore`, `ObjectStore`",
        "from mesbatch.store.redis import RedisStore\nfrom mesbatch.store.object import ObjectStore",
    ),
    Use(
        "`DirectoryStore`",
        "from mesbatch.store import DirectoryStore, new_job_id\n"
        "DirectoryStore(path / 'jobs').create(new_job_id(), {'status': 'queued'})",
        windows="ModuleNotFoundError",
    ),
    Use(
        "admission, `ProcessLimiter`",
        "from mesbatch.admission import ProcessLimiter\nProcessLimiter(1, 10).permit(1).release()",
        windows="AttributeError",
    ),
    Use(
        "`MachineLimiter`",
        "from mesbatch.admission import MachineLimiter\nMachineLimiter(path / 'permits', 1, 10)",
        macos="LimiterUnavailable",
        windows="AttributeError",
    ),
    Use("the Flask adapter", "from mesbatch.adapters.flask import trace_blueprint", windows="AttributeError"),
    Use(
        "jobs in processes of their own, `mesbatch worker`",
        "from mesbatch.jobs import LocalJobs",
        windows="ModuleNotFoundError",
    ),
)
HEAD = """\
# Systems

mesbatch is **supported on Linux**. All tests run there and nowhere else, so no more is claimed for other systems than
this page says. It is made from tests: in a process of its own they take away what a system lacks, such as the module
`fcntl` on Windows, and then use mesbatch. That shows what imports and begins. It does not show that a use is right on a
system, whose files, locks and signals differ in more ways.

| use | Linux | macOS | Windows |
|---|---|---|---|
"""
TAIL = """
*tried* means that the use passes where the parts of Python are taken away which that system does not have; nobody has
run the tests on it. *no* means that it ends with the error in brackets.

Three things are Linux's own, and are left out elsewhere without an error:

* **Death with the parent** (`PR_SET_PDEATHSIG`). A job's process also watches a pipe to its parent, which is enough
  unless the process hangs in a driver's C code.
* **Limits of control groups.** Admission and `mesbatch doctor` look for them in `/proc` and `/sys/fs/cgroup`; what is
  not there does not limit, and where `/proc` is missing the resident memory is unknown.
* **Files without a name** (`O_TMPFILE`). Groups on disk then have a name for a moment, before it is removed.
"""


def run(use: Use, system: str) -> str:
    """Run *use* as on *system*; return the name of the error, or an empty text."""
    code = f"{TAKE_AWAY}{BEGIN}{use.code}\n{END}"
    done = subprocess.run([sys.executable, "-c", code, system], capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    return done.stderr.strip().splitlines()[-1].partition(":")[0].rpartition(".")[2]


def page() -> str:
    """Write the page."""

    def told(error: str) -> str:
        return f"no (`{error}`)" if error else "tried"

    lines = [f"| {use.what} | yes | {told(use.macos)} | {told(use.windows)} |" for use in USES]
    return HEAD + "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
