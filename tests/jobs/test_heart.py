"""The heartbeat of a job: no error of the store ends it, and it obeys the store's answers about the job."""

from __future__ import annotations

import time

import pytest

from mesbatch.errors import JobNotFound, LeaseLost, PermitLost, StoreError
from mesbatch.jobs.heart import Heart
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.stop import Stop
from mesbatch.store.protocol import Lease
from tests.jobs.rig import kinds_of, until

LEASE = Lease("0" * 32, "worker", 1)
FAR = 4e9  # a deadline, in seconds since 1970


ANYTHING = [*kinds_of(StoreError), RuntimeError, OSError, MemoryError]


class Store:
    """A store, and a limit, whose named methods raise *error* while *failing*."""

    lease_seconds = 0.03

    def __init__(self, error, *methods):
        self._error, self._methods, self.failing = error, methods, True
        self.renewals = self.failures = 0
        self.told = {}

    def renew(self, lease=None):
        self._perhaps_fail("renew")
        self.renewals += 1

    def facts(self, job_id):
        self._perhaps_fail("facts")
        return self.told

    def check(self):
        self._perhaps_fail("check")
        self.renewals += 1

    def _perhaps_fail(self, method):
        if self.failing and method in self._methods:
            self.failures += 1
            raise self._error("refused")


class Deaf:
    """A read that cannot be interrupted."""

    def __init__(self):
        self.interruptions = 0

    def interrupt(self):
        self.interruptions += 1
        raise RuntimeError("the driver is broken")


def beating(store, stop, limit=None, deadline=FAR):
    return Heart(store, LEASE, stop, deadline, limit or ReadLimit())


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: error.__name__)
@pytest.mark.parametrize("method", ["renew", "facts", "check"])
def test_a_heart_survives_every_error_and_then_renews_and_hears_again(error, method):
    store, limit, stop = Store(error, method), Store(error, method), Stop()
    with beating(store, stop, limit) as heart:
        until(lambda: store.failures + limit.failures > 3, 5, "the failures")
        assert heart._thread.is_alive()
        assert stop.reason is None
        store.failing = limit.failing = False
        before = store.renewals, limit.renewals
        until(lambda: store.renewals > before[0] + 1 and limit.renewals > before[1] + 1, 5, "renewals")
        store.told = {"cancel": "1"}
        until(lambda: stop.reason == "cancel", 5, "the request to cancel")


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: error.__name__)
def test_a_cancellation_is_heard_while_nothing_can_be_renewed(error):
    store, stop = Store(error, "renew"), Stop()
    store.told = {"cancel": "1"}
    with beating(store, stop):
        until(lambda: stop.reason == "cancel", 5, "the request to cancel")


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: error.__name__)
def test_a_deadline_is_heard_while_the_store_refuses_everything(error):
    store, stop = Store(error, "renew", "facts"), Stop()
    with beating(store, stop, deadline=time.time()):
        until(lambda: stop.reason == "timeout", 5, "the deadline")


@pytest.mark.parametrize(("method", "error"), [("renew", LeaseLost), ("renew", JobNotFound), ("facts", JobNotFound)])
def test_an_answer_that_the_job_is_no_longer_ours_is_no_failure(method, error):
    stop = Stop()
    with beating(Store(error, method), stop):
        until(lambda: stop.reason == "fenced", 5, "the end")


def test_a_heart_survives_a_read_that_cannot_be_interrupted(monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.heart.KILL_SECONDS", 0.1)
    killed, read = [], Deaf()
    stop = Stop(lambda: killed.append(1))
    stop.ask("cancel")
    with beating(Store(RuntimeError), stop), stop.interrupting(read):
        until(lambda: killed, 5, "the kill")
        until(lambda: read.interruptions > 2, 5, "interruptions")


def test_a_lost_permit_interrupts_the_read_and_kills_no_process(monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.heart.KILL_SECONDS", 0.05)
    killed, read = [], Deaf()
    stop = Stop(lambda: killed.append(1))
    with beating(Store(RuntimeError), stop, Store(PermitLost, "check")), stop.interrupting(read):
        until(lambda: stop.reason == "permit-lost", 5, "the loss")
        until(lambda: read.interruptions > 20, 5, "interruptions")
        assert not killed, "it may only be waiting for a server that is away"
        stop.ask("cancel")
        until(lambda: killed, 5, "the kill")
    assert stop.reason == "cancel"
