"""The rule that tells growth from noise, and twenty minutes of a service with faults, in which nothing grows."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
pytest.importorskip("rq", reason="rq is not installed")

from benchmarks.soak.run import MINUTES, Soak, soak
from benchmarks.soak.samples import SLACK, Sample, growth
from mesbatch.units import MiB
from tests.rig.postgres import RigUnavailable

SECONDS = 1_200.0
CALM = Sample(0.0, 170 * MiB, 48 * MiB, permits=2, files=55, threads=24, connections=4, redis_keys=600)
ENDINGS = ("small: whole", "stream: whole", "slow: whole", "job: whole")


def samples(change=lambda sample, at: sample):
    """A sample each 5 s, with the noise of a load that comes and goes."""
    chance = Random(7)
    found = []
    for at in range(0, int(SECONDS), 5):
        share = chance.uniform(0.9, 1.1)
        noisy = {name: int(getattr(CALM, name) * share) for name in SLACK}
        found.append(change(replace(CALM, at=float(at), **noisy), at))
    return found


def test_noise_is_no_growth():
    assert growth(samples(), SECONDS) == []


def test_a_service_that_warms_up_does_not_grow():
    cold = samples(lambda sample, at: replace(sample, web_nbytes=100 * MiB, files=20) if at < SECONDS / 4 else sample)
    assert growth(cold, SECONDS) == []


@pytest.mark.parametrize("name", SLACK)
def test_each_measure_that_leaks_is_named(name):
    a_minute = {"web_nbytes": 3 * MiB, "worker_nbytes": 2 * MiB, "redis_keys": 20}.get(name, 1)
    leaking = samples(lambda sample, at: replace(sample, **{name: getattr(sample, name) + at * a_minute // 60}))
    assert {told.partition(":")[0] for told in growth(leaking, SECONDS)} == {name}


@pytest.mark.parametrize("name", ["permits", "connections"])
def test_what_is_held_after_the_load_is_told(name):
    record = Soak(SECONDS, samples(), settled=replace(CALM, permits=0, connections=0))
    record.account.endings.update(dict.fromkeys(ENDINGS, 5))
    assert record.complaints() == []
    record.settled = replace(record.settled, **{name: 1})
    assert ["there are still permits or connections" in told for told in record.complaints()] == [True]


def test_a_soak_in_which_nothing_is_read_proves_nothing():
    record = Soak(SECONDS, samples(), settled=replace(CALM, permits=0, connections=0))
    assert ["too little was read" in told for told in record.complaints()] == [True]


def test_two_answers_to_one_question_are_the_same_or_told():
    record = Soak(SECONDS)
    record.account.whole("small", ("history", 0, 100), 950)
    record.account.whole("stream", ("history", 0, 100), 950)
    assert record.account.wrong == []
    record.account.whole("job", ("history", 0, 100), 949)
    assert len(record.account.wrong) == 1


@pytest.mark.long
@pytest.mark.timeout(60 * MINUTES + 600)
def test_nothing_grows_in_twenty_minutes_of_load_and_faults():
    try:
        record = soak()
    except RigUnavailable as error:
        pytest.skip(str(error))
    assert record.complaints() == []
