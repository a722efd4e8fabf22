"""The directory that keeps tables, measurements and plots between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """Find it: MESBATCH_BENCH_CACHE, else ~/.cache/mesbatch-bench, else (for root) a place for PostgreSQL's user."""
    default = "/var/tmp/mesbatch-bench" if os.geteuid() == 0 else "~/.cache/mesbatch-bench"
    path = Path(os.environ.get("MESBATCH_BENCH_CACHE", default)).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return path
