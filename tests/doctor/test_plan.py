from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.cli import main
from mesbatch.doctor.plan import ANSWER_BYTES, PROCESS_BYTES, make_plan
from mesbatch.errors import InvalidLimit
from mesbatch.units import GiB, MiB


@given(st.integers(1 * GiB, 512 * GiB))
def test_the_parts_add_up_and_what_may_be_read_at_once_fits(total):
    plan = make_plan(total)
    assert plan.sum == plan.total == total
    assert min(plan.system, plan.redis, plan.web, plan.worker) > 0
    assert plan.job_limit < plan.worker
    assert 1 <= plan.permits < plan.workers * plan.threads, "a thread is left for the other routes"
    held = plan.workers * PROCESS_BYTES + plan.permits * (plan.max_bytes + ANSWER_BYTES)
    assert held <= plan.web, "all permits in use, and nobody is killed"


def test_the_incidents_machine_is_shared():
    done = CliRunner().invoke(main, ["doctor", "--plan", "7GiB"])
    assert done.exit_code == 0
    assert "sum            7168M" in done.output
    for line in ("GUNICORN_WORKERS=2", "GUNICORN_THREADS=4", "MemoryMax", "max_bytes=8.0 MiB"):
        assert line in done.output


@pytest.mark.parametrize("size", ["512MiB", "1"])
def test_a_machine_that_is_too_small_is_refused(size):
    done = CliRunner().invoke(main, ["doctor", "--plan", size])
    assert done.exit_code == 1
    assert "too small" in done.output
    with pytest.raises(InvalidLimit):
        make_plan(512 * MiB)


@pytest.mark.parametrize("size", ["7 apples", "-1", "0"])
def test_a_text_that_is_no_size_is_refused(size):
    assert CliRunner().invoke(main, ["doctor", "--plan", size]).exit_code == 2
