"""Old names of attributes: they read, and warn."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest

from mesbatch import Query, Trace
from mesbatch.admission import Reject
from mesbatch.jobs import Job, JobSpec
from mesbatch.jobs.job import first_facts, read_job
from mesbatch.renamed import Renamed


def test_old_names_read_and_warn_where_they_are_read():
    con = sqlite3.connect(":memory:")
    con.execute("create table t (k text)")
    with Trace({"d": Query("select * from t where k in (:keys)")}).read(con, ["a", "b"]) as reader:
        job = read_job("0" * 32, first_facts(JobSpec(function="f", domains=("d",)), 2, 0.0))
        for owner in (Reject("too many", key_count=2), job, reader):
            with pytest.warns(DeprecationWarning, match="cid_count is called key_count since mesbatch 0.2") as told:
                assert owner.cid_count == owner.key_count == 2
            assert told[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="Reject.cid_count_exact is called key_count_exact"):
        assert Reject("too many").cid_count_exact is True
    assert isinstance(Job.cid_count, Renamed)


def test_the_contracts_answer_has_its_own_word_and_no_warning():
    found = SimpleNamespace(**read_job("0" * 32, first_facts(JobSpec(function="f", domains=("d",)), 2, 0.0)).as_json())
    assert (found.cid_count, found.domains, found.profile) == (2, ["d"], None)
