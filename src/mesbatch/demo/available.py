"""How much memory this machine, or the container around us, still has to give."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Cgroup(NamedTuple):
    """Where a version of Linux' control groups tells its limit, its usage and how much of that is file cache."""

    limit: Path
    usage: Path
    stat: Path
    cache: str


V2 = Path("/sys/fs/cgroup")
V1 = V2 / "memory"
CGROUPS = (
    Cgroup(V2 / "memory.max", V2 / "memory.current", V2 / "memory.stat", "inactive_file"),
    Cgroup(V1 / "memory.limit_in_bytes", V1 / "memory.usage_in_bytes", V1 / "memory.stat", "total_inactive_file"),
)


def available_memory() -> int | None:
    """Bytes that can be taken without swapping or being killed; None where nobody tells."""
    told = [_machine_available(), *map(_cgroup_available, CGROUPS)]
    return min((nbytes for nbytes in told if nbytes is not None), default=None)


def _machine_available() -> int | None:
    with suppress(OSError, KeyError):
        return _read_table(Path("/proc/meminfo"))["MemAvailable:"] * 1024
    return None


def _cgroup_available(cgroup: Cgroup) -> int | None:
    with suppress(OSError, KeyError, ValueError):  # no such group, or its limit is the word "max"
        limit, usage = int(cgroup.limit.read_text()), int(cgroup.usage.read_text())
        return limit - usage + _read_table(cgroup.stat)[cgroup.cache]  # the kernel gives file cache back first
    return None


def _read_table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value, *_ in map(str.split, path.read_text().splitlines())}
