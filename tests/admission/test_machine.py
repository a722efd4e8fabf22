"""Faults of permits that only a file has."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mesbatch.admission import MachineLimiter, permit_file
from mesbatch.admission.claims import InFlight
from mesbatch.errors import LimiterBusy, LimiterUnavailable, PermitReleased
from tests.admission.hands import ROOT, RemoteHands
from tests.admission.places import MachinePlace


@pytest.fixture
def path(tmp_path):
    return tmp_path / "permits"


def test_a_child_that_was_forked_does_not_keep_its_dead_parents_permit_alive(path):
    code = f"""
import os, signal, time
from mesbatch.admission import MachineLimiter
permit = MachineLimiter({str(path)!r}, 1, 100).permit(1)
child = os.fork()
if child:
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    child = int(parent.stdout.readline())
    try:
        assert parent.wait(30) == -signal.SIGKILL
        os.kill(child, 0)  # it lives
        MachineLimiter(path, 1, 100).permit(1, timeout=20).release()
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_that_was_forked_has_no_permit_of_its_parent_and_cannot_free_it(path):
    limiter = MachineLimiter(path, 1, 100)
    with limiter.permit(1) as permit:
        child = os.fork()
        if not child:
            try:
                permit.release()
            except PermitReleased:
                os._exit(0 if limiter.in_flight == InFlight(1, 1, 0) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert limiter.in_flight.permits == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_that_dies_holds_no_permit_although_other_limiters_have_lost_their_file(tmp_path, monkeypatch):
    limiters = []
    for name in "abcdef":
        (tmp_path / name).mkdir()
        limiters.append(MachineLimiter(tmp_path / name / "permits", 1, 100))
    lost, closed, limiter = limiters[:3], limiters[3], limiters[4]
    for gone in lost:
        gone._file.path.unlink()
        gone._file.path.parent.rmdir()
    closed.close()
    monkeypatch.setattr("mesbatch.admission.limiter._ALL", limiters)  # in this order
    child = os.fork()
    if not child:
        try:
            with suppress(LimiterUnavailable):
                closed.permit(1)
                os._exit(1)
            with limiter.permit(1):
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert limiter.in_flight == InFlight(0, 0, 0)


def test_permits_are_shared_by_limiters_of_one_file_in_one_process(path):
    first, second = MachineLimiter(path, 1, 100), MachineLimiter(path, 1, 100)
    with first.permit(1):
        assert second.in_flight.permits == 1
    assert second.in_flight.permits == 0


def test_closing_the_file_elsewhere_in_the_process_frees_nothing(path):
    limiter = MachineLimiter(path, 1, 100)
    with limiter.permit(1):
        path.read_bytes()  # record locks of the older kind would be gone now
        MachineLimiter(path, 1, 100).close()
        assert limiter.in_flight.permits == 1


def test_a_stopped_process_makes_nobody_wait_for_ever(path, monkeypatch):
    monkeypatch.setattr(permit_file, "MUTEX_SECONDS", 0.3)
    limiter = MachineLimiter(path, 1, 100)
    holding_the_mutex = os.open(path, os.O_RDWR)
    fcntl.fcntl(holding_the_mutex, fcntl.F_OFD_SETLK, permit_file.FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))

    with pytest.raises(LimiterUnavailable, match=r"another process did not finish in 0\.3 s"):
        limiter.permit(1)
    os.close(holding_the_mutex)
    limiter.permit(1).release()


def test_a_permit_is_free_although_nobody_could_be_told(path, monkeypatch):
    limiter = MachineLimiter(path, 1, 100)
    permit = limiter.permit(1)
    hidden = path.with_suffix(".hidden")
    path.rename(hidden)
    with pytest.raises(LimiterUnavailable):
        permit.release()
    hidden.rename(path)

    assert limiter.in_flight.permits == 0


def refuse_once(monkeypatch, name, at):
    """Let the *at*-th call of a function of the permits' file be refused by the kernel, and only that one."""
    real, calls = getattr(permit_file, name), []

    def refusing(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        return real(*arguments)

    monkeypatch.setattr(permit_file, name, refusing)


@pytest.mark.parametrize("at", [1, 2])
def test_a_lock_that_the_kernel_does_not_take_off_holds_no_permit_for_ever(path, monkeypatch, at):
    limiter = MachineLimiter(path, 1, 100)
    permit = limiter.permit(1)
    with monkeypatch.context() as patch, suppress(LimiterUnavailable):
        refuse_once(patch, "_unlock", at)
        permit.release()
    assert limiter.in_flight == InFlight(0, 0, 0)
    MachineLimiter(path, 1, 100).permit(1, timeout=0).release()


@pytest.mark.parametrize("name", ["_unlock", "_lock"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_permit_that_could_not_be_given_out_is_held_by_nobody(path, monkeypatch, name, at):
    limiter = MachineLimiter(path, 1, 100)
    with monkeypatch.context() as patch:
        refuse_once(patch, name, at)
        with suppress(LimiterUnavailable):
            limiter.permit(1, timeout=0).release()
    assert limiter.in_flight == InFlight(0, 0, 0)
    limiter.permit(1, timeout=0).release()


def test_a_file_that_was_replaced_lets_nobody_through_while_a_permit_is_held(path):
    limiter = MachineLimiter(path, 2, 100)
    held = limiter.permit(1)
    path.unlink()
    with pytest.raises(LimiterUnavailable, match="No such file"):
        limiter.permit(1)

    MachineLimiter(path, 2, 100)
    with pytest.raises(LimiterUnavailable, match="replaced"):
        limiter.permit(1)
    with pytest.raises(LimiterUnavailable):
        held.release()
    limiter.permit(1).release()


def test_a_file_that_was_removed_is_made_again_and_all_processes_find_it(path):
    one, other = MachineLimiter(path, 1, 100), MachineLimiter(path, 1, 100)
    for _ in range(3):
        path.unlink()
        with one.permit(1):
            assert path.exists()
            with pytest.raises(LimiterBusy):
                other.permit(1, timeout=0.0)
        other.permit(1).release()
    assert one.in_flight.permits == 0


def test_something_else_in_the_place_of_a_removed_file_is_left_as_it_is(path):
    limiter = MachineLimiter(path, 1, 100)
    path.unlink()
    path.write_bytes(b"something else entirely")
    for _ in range(2):
        with pytest.raises(LimiterUnavailable, match="something else"):
            limiter.permit(1)
    assert path.read_bytes() == b"something else entirely"


@pytest.mark.parametrize("content", [b"something else entirely", b"x" * 500])
def test_a_file_that_holds_something_else_is_left_as_it_is(path, content):
    path.write_bytes(content)
    with pytest.raises(LimiterUnavailable, match="something else"):
        MachineLimiter(path, 1, 100)
    assert path.read_bytes() == content


def test_a_symbolic_link_a_directory_and_a_missing_directory_are_refused(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere")
    for refused in (path, tmp_path, tmp_path / "missing" / "permits"):
        with pytest.raises(LimiterUnavailable, match=refused.name):
            MachineLimiter(refused, 1, 100)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_file_of_another_user_is_refused(path):
    MachineLimiter(path, 1, 100).close()
    os.chown(path, 12_345, 12_345)
    with pytest.raises(LimiterUnavailable, match="of 12345"):
        MachineLimiter(path, 1, 100)


def test_a_closed_limiter_lets_nobody_through(path):
    limiter = MachineLimiter(path, 1, 100)
    limiter.close()
    limiter.close()
    with pytest.raises(LimiterUnavailable, match="closed"):
        limiter.permit(1)


def test_nothing_is_left_open(path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        limiter = MachineLimiter(path, 2, 100)
        limiter.permit(1).release()
        limiter.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_file_does_not_grow_with_use(path):
    limiter = MachineLimiter(path, 2, 100)
    for _ in range(50):
        with limiter.permit(1), limiter.permit(1):
            pass
    assert path.stat().st_size <= permit_file.HEADER.size + 2 * permit_file.RECORD.size


def test_a_dead_holder_is_found_at_once(path):
    hands = RemoteHands(MachinePlace(str(path)), 1, 100, 4)
    hands.take(1)
    hands.kill()
    began = time.monotonic()
    MachineLimiter(path, 1, 100).permit(1, timeout=20).release()
    assert time.monotonic() - began < 5
