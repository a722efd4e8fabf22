"""Temporary files have no name, and a directory that others could tamper with is refused."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mesbatch.errors import SpillError
from mesbatch.group.spill.unlinked import distrust, open_unlinked


def status(mode, user):
    return os.stat_result((mode, 0, 0, 1, user, 0, 0, 0, 0, 0))


def check_unlinked(descriptor, directory):
    try:
        assert os.fstat(descriptor).st_nlink == 0
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
        assert not os.get_inheritable(descriptor)
        assert list(directory.iterdir()) == []
        assert os.write(descriptor, b"abc") == len(os.pread(descriptor, 9, 0)) == 3
    finally:
        os.close(descriptor)


def test_a_file_has_no_name_and_is_for_us_alone(tmp_path):
    check_unlinked(open_unlinked(tmp_path), tmp_path)


def test_a_file_system_without_nameless_files_gets_one_whose_name_is_removed(tmp_path, monkeypatch):
    real_open = os.open

    def open_without_tmpfile(path, flags, *args, **kwargs):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not on this file system")
        return real_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", open_without_tmpfile)
    check_unlinked(open_unlinked(tmp_path), tmp_path)


def test_the_directory_for_temporary_files_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    check_unlinked(open_unlinked(), tmp_path)


@pytest.mark.parametrize("spelling", ["{}", "{}/"])
def test_a_symbolic_link_is_refused(tmp_path, spelling):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with pytest.raises(SpillError, match="a symbolic link"):
        open_unlinked(spelling.format(link))


def test_a_directory_that_anybody_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(SpillError, match=r"sticky bit is not set \(mode 777\)"):
        open_unlinked(tmp_path)
    tmp_path.chmod(0o1777)
    os.close(open_unlinked(tmp_path))


def test_what_is_not_there_or_no_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SpillError, match="Not a directory"):
        open_unlinked(tmp_path / "file")
    with pytest.raises(SpillError, match="No such file"):
        open_unlinked(tmp_path / "missing")


def test_a_directory_that_cannot_be_written_to_is_refused():
    with pytest.raises(SpillError, match="cannot spill to /proc"):
        open_unlinked("/proc")


@pytest.mark.parametrize(
    ("mode", "owner", "reason"),
    [
        (0o700, 1000, None),
        (0o770, 1000, None),
        (0o1777, 0, None),
        (0o755, 1001, "belongs to user 1001, this process to user 1000"),
        (0o1777, 1001, "belongs to user 1001"),
        (0o777, 1000, "anybody may write"),
        (0o702, 0, "anybody may write"),
    ],
)
def test_trust_depends_on_the_owner_and_the_mode(mode, owner, reason):
    found = distrust(status(stat.S_IFDIR | mode, owner), 1000)
    assert (found is None) == (reason is None)
    assert reason is None or reason in found


def test_no_descriptor_is_left_by_a_refusal(tmp_path):
    before = sorted(Path("/proc/self/fd").iterdir())
    tmp_path.chmod(0o777)
    with pytest.raises(SpillError):
        open_unlinked(tmp_path)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
