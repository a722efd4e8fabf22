"""Keys of a request that lie on disk: closed however it is answered."""

from __future__ import annotations

from dataclasses import replace
from inspect import getclosurevars

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from mesbatch.admission import Admission, Enqueue
from mesbatch.errors import NoWorker, StoreUnavailable
from mesbatch.keys import collect
from tests.adapters.flask.application import Application

IDS = [f"c{n:04d}" for n in range(900)]


@pytest.fixture
def spools(monkeypatch):
    """Collect keys on disk from 100 on, and remember each collection with whether it was closed."""
    found = []

    class Counted(collect.SpooledKeys):
        is_closed = False

        def __init__(self, *args):
            super().__init__(*args)
            found.append(self)

        def close(self):
            self.is_closed = True
            super().close()

    monkeypatch.setattr(collect, "SpooledKeys", Counted)
    monkeypatch.setattr(collect, "SORTED_IN_MEMORY", 100)
    monkeypatch.setattr("mesbatch.adapters.http.ids.SORTED_IN_MEMORY", 100)
    monkeypatch.setattr("mesbatch.adapters.http.ids.SLICE_BYTES", 1_000)
    return found


@pytest.fixture
def application(tmp_path):
    application = Application(tmp_path, wait=0.05)
    yield application
    application.jobs.close()


def route_of(application):
    return getclosurevars(application.flask.view_functions["mesbatch_trace.events"]).nonlocals["route"]


def answered(application, **settings):
    """Answer one request for 900 ids by a route with other *settings*; return the status."""
    for name, value in settings.items():
        object.__setattr__(route_of(application), name, value)
    with application.post(["holds"], IDS) as response:
        response.get_data()
        return response.status_code


def test_read_now(application, spools):
    assert answered(application) == 200
    assert [keys.is_closed for keys in spools] == [True]


def test_a_busy_limiter(application, spools):
    with application.limiter.permit(1), application.limiter.permit(1):
        assert answered(application) == 503
    assert [keys.is_closed for keys in spools] == [True]


def test_too_many_after_all(application, spools, monkeypatch):
    """The number of keys is refused when all are counted, as when the last worker has left meanwhile."""
    real = Admission.admit
    monkeypatch.setattr(Admission, "refuse_early", lambda self, *args, **options: None)
    monkeypatch.setattr(
        Admission, "admit", lambda self, cost, **options: real(self, replace(cost, keys=90_000), **options)
    )
    assert answered(application) == 413
    assert [keys.is_closed for keys in spools] == [True]


@pytest.mark.parametrize(
    ("error", "status"), [(None, 202), (NoWorker("gone"), 200), (StoreUnavailable("away"), 503)], ids=str
)
def test_a_job_or_none(application, spools, monkeypatch, error, status):
    def submit(spec, keys, **_):
        if error is not None:
            raise error
        return submitted(spec, keys)

    def admit(self, cost, *, worker_listens, **options):
        return Enqueue() if worker_listens else real(self, cost, worker_listens=False, **options)

    submitted, real = application.jobs.submit, Admission.admit
    monkeypatch.setattr(Admission, "admit", admit)
    monkeypatch.setattr(application.jobs, "check_listening", lambda: None)
    monkeypatch.setattr(application.jobs, "start", lambda: None)
    monkeypatch.setattr(application.jobs, "submit", submit)
    assert answered(application, enqueue=True) == status
    assert [keys.is_closed for keys in spools] == [True]


def test_a_limiter_that_is_away(application, spools, monkeypatch):
    def admit(self, *args, **options):
        raise StoreUnavailable("away")

    monkeypatch.setattr(Admission, "admit", admit)
    assert answered(application) == 503
    assert [keys.is_closed for keys in spools] == [True]
