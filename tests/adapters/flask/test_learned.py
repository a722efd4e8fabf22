"""Bytes per key that the routes learn from the reads they complete."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Flask

from mesbatch.adapters.flask import Limits, trace_blueprint
from mesbatch.admission import Admission, AdmissionPolicy, Admitted, Cost, LearnedBytes, Load, Reject
from mesbatch.admission.learned import FEWEST_READS
from tests.adapters.flask.application import Application

IDS = [f"c{number:02d}" for number in range(30)]


@dataclass(frozen=True)
class WatchedPolicy(AdmissionPolicy):
    """Usual policy, which keeps the costs that it was asked about."""

    costs: list[Cost] = field(default_factory=list)

    def decide(self, cost: Cost, load: Load):
        self.costs.append(cost)
        return AdmissionPolicy.decide(self, cost, load)


class LearningApplication(Application):
    """Small application whose routes teach *learned*, and ask a policy that can be watched."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.learned, self.policy = LearnedBytes(), WatchedPolicy()
        self.flask = Flask("learning")
        self.flask.register_blueprint(
            trace_blueprint(
                self.trace, self.policy, self.limiter, self.jobs, lambda: self.user, enqueue=False,
                learned=self.learned, limits=Limits(wait=0.2),
            )
        )  # fmt: skip

    def held_by(self, domain: str) -> int:
        """Measure the bytes that a direct read of *domain* holds in memory."""
        with self.trace.read(self.connect, IDS, [domain], batch_size=100) as reader:
            for _ in reader:
                pass
        return reader.manifests[domain].nbytes


@pytest.fixture
def application(tmp_path):
    return LearningApplication(tmp_path)


@pytest.mark.parametrize("ask", ["post", "stream"])
def test_complete_reads_teach_the_bytes_that_a_direct_read_holds(application, ask):
    for _ in range(FEWEST_READS):
        assert application.learned.estimate(["moves", "holds"], keys=len(IDS)) is None
        assert getattr(application, ask)(["moves", "holds"]).get_data()
    expected = application.held_by("moves") + application.held_by("holds")
    assert application.learned.estimate(["moves", "holds"], keys=len(IDS)) == pytest.approx(expected, rel=0.02)


def test_the_cost_of_a_request_has_its_bytes_once_they_are_known(application):
    for _ in range(FEWEST_READS + 1):
        application.post(["moves"]).get_data()
    costs = dict.fromkeys(application.policy.costs)
    unknown, known = costs
    assert (unknown.keys, unknown.nbytes) == (len(IDS), None)
    assert known.nbytes == application.learned.estimate(["moves"], keys=len(IDS))
    assert known.held == unknown.held == Limits().max_bytes, "a streamed answer holds its buffers, however large it is"


def test_a_domain_that_failed_and_an_answer_that_was_left_teach_nothing(application):
    for _ in range(FEWEST_READS):
        application.post(["broken", "holds"]).get_data()
        left = application.post(["gated"])
        application.gate.set()
        left.close()
    assert application.learned.estimate(["holds"], keys=1) is not None
    assert application.learned.estimate(["broken"], keys=1) is None
    assert application.learned.estimate(["gated"], keys=1) is None


def test_an_answer_that_is_built_in_memory_is_admitted_by_what_the_routes_learned(application):
    for _ in range(FEWEST_READS):
        application.post(["moves"]).get_data()
    known = application.learned.cost("query_tool", IDS, ["moves"])
    wide, narrow = (
        Admission(AdmissionPolicy(max_answer_bytes=nbytes), application.limiter)
        for nbytes in (known.nbytes, known.nbytes - 1)
    )
    admitted = wide.admit(known)
    assert isinstance(admitted, Admitted)
    with admitted.permit as permit:
        assert permit.nbytes == known.nbytes
    refused = narrow.admit(known)
    assert isinstance(refused, Reject)
    assert (refused.code, refused.retry_after) == ("ANSWER_TOO_LARGE", None)
    unknown = wide.admit(application.learned.cost("query_tool", IDS, ["moves", "broken"]))
    assert isinstance(unknown, Admitted)
    with unknown.permit as permit:
        assert permit.nbytes == known.nbytes, "an unknown size is taken for the largest"
