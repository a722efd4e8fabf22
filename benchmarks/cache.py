"""Where tables, measurements and plots are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """MESBATCH_BENCH_CACHE, else ~/.cache/mesbatch-bench, else (for root) a place that PostgreSQL's user may enter."""
    default = "/var/tmp/mesbatch-bench" if os.geteuid() == 0 else "~/.cache/mesbatch-bench"
    path = Path(os.environ.get("MESBATCH_BENCH_CACHE", default)).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return path
