"""Laws of `mesbatch.demo.watch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesbatch.demo.watch import WatchFailed, watch
from mesbatch.units import MiB

CHILDREN = "tests.demo.children"


def test_the_result_and_the_time_come_back():
    watched = watch(f"{CHILDREN}:allocate", {"nbytes": 5, "seconds": 0.1})

    assert watched.result == 5
    assert 0.1 <= watched.seconds < 10


def test_what_was_allocated_shows_in_the_peak_and_nowhere_else():
    small, large = (watch(f"{CHILDREN}:allocate", {"nbytes": size}) for size in (1 * MiB, 50 * MiB))

    assert large.above == pytest.approx(50 * MiB, abs=2 * MiB)
    assert small.above < 4 * MiB
    assert large.baseline == pytest.approx(small.baseline, abs=2 * MiB)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory over time needs /proc")
def test_samples_tell_when_the_memory_was_held():
    watched = watch(f"{CHILDREN}:allocate", {"nbytes": 50 * MiB, "seconds": 0.5})

    held = [sample for sample in watched.samples if sample.rss > watched.baseline + 40 * MiB]
    assert len(held) > 5
    assert held[-1].seconds - held[0].seconds == pytest.approx(0.5, abs=0.4)
    assert [sample.seconds for sample in watched.samples] == sorted(sample.seconds for sample in watched.samples)


def test_the_peak_is_not_that_of_the_process_that_watches():
    held_by_the_watcher = bytearray(b"x") * (200 * MiB)

    assert watch(f"{CHILDREN}:allocate", {"nbytes": 1}).peak < len(held_by_the_watcher)


def test_preloaded_modules_are_imported_before_the_baseline_is_taken():
    assert "decimal" in watch(f"{CHILDREN}:modules", {}, preload=["decimal"]).result


def test_a_failure_shows_the_end_of_the_stderr_of_the_process():
    with pytest.raises(WatchFailed, match="ended with status 1") as caught:
        watch(f"{CHILDREN}:fail", {"reason": "no such lot"})

    assert "a last word" in str(caught.value)
    assert "ValueError: no such lot" in str(caught.value)


def test_a_kill_is_called_a_kill():
    with pytest.raises(WatchFailed, match="children:die was killed by SIGKILL"):
        watch(f"{CHILDREN}:die", {})


def test_a_function_that_cannot_be_found_is_a_failure():
    with pytest.raises(WatchFailed, match="No module named 'nowhere'"):
        watch("nowhere:function", {})


def test_what_the_function_prints_is_not_taken_for_its_result():
    assert watch(f"{CHILDREN}:chatter", {}).result == "this"
