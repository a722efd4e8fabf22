"""Memory limits of a process: control groups of both versions, with their use, and the machine itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NO_LIMIT = 1 << 60  # version 1 writes 9223372036854771712 for no limit


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A limit on memory, in bytes; *working_set* is the use that counts, without file cache that nobody needs."""

    limit: int
    working_set: int


@dataclass(frozen=True, slots=True)
class Version:
    """The names of files in one version of control groups."""

    filesystem: str
    limit: str
    usage: str
    inactive_file: str


VERSION_1 = Version("cgroup", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = Version("cgroup2", "memory.max", "memory.current", "inactive_file")


def find_limits(proc: Path = Path("/proc"), process: str = "self") -> list[MemoryLimit]:
    """Find every limit that holds for *process*: of its control group, of the groups around it, of the machine.

    Empty if the system tells none of them.
    """
    limits = [_read_machine(proc)]
    with suppress(OSError):
        limits += [_read_group(directory, version) for version, directory in find_groups(proc, process)]
    return [one for one in limits if one is not None]


def find_groups(proc: Path = Path("/proc"), process: str = "self") -> Iterator[tuple[Version, Path]]:
    """Find the directories of the groups of *process*, from its own outwards as far as they are mounted here."""
    memberships = dict(_read_memberships((proc / process / "cgroup").read_text()))
    for line in (proc / "self/mountinfo").read_text().splitlines():
        # man 5 proc: id, parent, device, root, mount point, options, ..., "-", type, source, options
        fields = line.split()
        filesystem, options = fields[fields.index("-") + 1], fields[-1].split(",")
        for version in (VERSION_1, VERSION_2):
            is_memory = version is VERSION_2 or "memory" in options
            if filesystem == version.filesystem and is_memory and version in memberships:
                yield from ((version, group) for group in _walk(fields[3], Path(fields[4]), memberships[version]))


def _read_memberships(content: str) -> Iterator[tuple[Version, PurePosixPath]]:
    for line in content.splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield VERSION_1, PurePosixPath(path)
        elif number == "0":
            yield VERSION_2, PurePosixPath(path)


def _walk(root: str, mounted: Path, path: PurePosixPath) -> Iterator[Path]:
    """Walk from *path* up to the place where the hierarchy, from its directory *root* on, is *mounted*."""
    below = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    own = mounted / below
    if ".." in below.parts or not own.is_dir():  # we were moved out of what is mounted here: its top still holds for us
        own = mounted
    yield own
    yield from (parent for parent in own.parents if parent.is_relative_to(mounted))


def _read_group(directory: Path, version: Version) -> MemoryLimit | None:
    try:
        limit = (directory / version.limit).read_text().strip()
        if limit == "max" or int(limit) >= NO_LIMIT:
            return None
        usage = int((directory / version.usage).read_text())
        cache = _read_table(directory / "memory.stat")[version.inactive_file]
    except (OSError, ValueError, KeyError):  # the root group has no such files, nor has one without this controller
        return None
    return MemoryLimit(int(limit), max(0, usage - cache))


def _read_machine(proc: Path) -> MemoryLimit | None:
    try:
        table = _read_table(proc / "meminfo")
        total, available = table["MemTotal:"] * 1024, table["MemAvailable:"] * 1024
    except (OSError, ValueError, KeyError):
        return None
    return MemoryLimit(total, total - available)


def _read_table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value, *_ in map(str.split, path.read_text().splitlines())}
