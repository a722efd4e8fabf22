"""Temporary files without a name: nobody else can open them, and a ``kill -9`` leaves nothing of them."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from tempfile import gettempdir

from mesbatch.errors import SpillError

NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR}  # the answers of file systems and kernels without O_TMPFILE: open(2)


def open_unlinked(directory: str | os.PathLike[str] | None = None) -> int:
    """Open a new file without a name for reading and writing, and return its descriptor.

    The file is in *directory*, or in the system's directory for temporary files. A *directory* in which other users
    could interfere is refused: a symbolic link, one that belongs to another user (but root), one that anybody may
    write to without the sticky bit.

    Raises:
        SpillError: *directory* is not to be trusted, not a directory, or no file can be made in it.

    >>> os.close(open_unlinked())
    """
    path = Path(gettempdir()).resolve() if directory is None else Path(directory)
    if not hasattr(os, "O_DIRECTORY"):
        raise SpillError(errno.ENOSYS, "no groups on disk on this system: use iter_groups or fold, or a POSIX system")
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            refusal = None if directory is None else distrust(os.fstat(folder), os.geteuid())
            if refusal is None:
                return _open_in(folder)
        finally:
            os.close(folder)
    except OSError as error:
        kind = "a symbolic link: " if path.is_symlink() else ""
        raise SpillError(error.errno, f"cannot spill to {path}: {kind}{error.strerror}") from error
    raise SpillError(errno.EPERM, f"refused to spill to {path}: {refusal}")


def distrust(status: os.stat_result, user: int) -> str | None:
    """Find a reason against writing as *user* into the directory of this *status*; None if there is none."""
    if status.st_uid not in (user, 0):
        return f"it belongs to user {status.st_uid}, this process to user {user}"
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        return f"anybody may write to it and its sticky bit is not set (mode {stat.S_IMODE(status.st_mode):o})"
    return None


def _open_in(folder: int) -> int:
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in NO_TMPFILE:
                raise
    name = f"mesbatch-{secrets.token_hex(16)}"
    descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600, dir_fd=folder)
    os.unlink(name, dir_fd=folder)
    return descriptor
