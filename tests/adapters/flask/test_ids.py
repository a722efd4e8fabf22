"""Ids of a request: cut out of the body, counted in slices, and refused before they are collected."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from mesbatch import Query, Trace
from mesbatch.adapters.flask import trace_blueprint
from mesbatch.adapters.http import ids
from mesbatch.adapters.http.ids import collect_ids, slice_ids
from mesbatch.admission import AdmissionPolicy, Reject
from mesbatch.errors import InvalidKey, InvalidRequest
from mesbatch.keys.collect import SpooledKeys, flat
from tests.adapters.flask.application import Application

TOO_MANY = Reject("too many", key_count=1, limit=1, key_count_exact=False)

texts = st.text(st.sampled_from('a,"\\[]{}:é日\n\t '), max_size=12)
members = st.lists(texts | st.integers(-(2**63), 2**63 - 1), max_size=40)
spellings = st.sampled_from([{}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"indent": 3}])


@given(members, spellings, st.integers(1, 40))
def test_slices_hold_the_members_of_the_array(found, spelling, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "SLICE_BYTES", size)
        slices = list(slice_ids(memoryview(json.dumps(found, **spelling).encode())))
    assert list(chain.from_iterable(slices)) == found
    assert all(slices)


@pytest.mark.parametrize("size", [1, 3, 1_000])
@pytest.mark.parametrize(
    "body", ["[[1],2]", '[{"a":1},2]', '[1,{"a":[1,2]}]', "[true,1]", "[1,null]", "[1.5,2]", '"a,b"', "{}", "5", "null"]
)
def test_an_array_of_something_else_is_refused_wherever_it_is_cut(monkeypatch, body, size):
    monkeypatch.setattr(ids, "SLICE_BYTES", size)
    with pytest.raises(InvalidRequest, match="container_ids"):
        list(slice_ids(memoryview(body.encode())))


def test_a_text_that_is_no_utf8_is_refused():
    with pytest.raises(InvalidRequest, match="utf-8"):
        list(slice_ids(memoryview(b'["\xff"]')))


def ask(slices, refuse):
    """Collect, and count the slices that were taken."""
    taken = []

    def take():
        for some in slices:
            taken.append(some)
            yield some

    return collect_ids(take(), refuse), len(taken)


def test_what_is_refused_is_neither_collected_nor_decoded_to_its_end():
    refused, taken = ask([[1, 2], [3, 4], [5, 6], [7]], lambda count: TOO_MANY if count >= 4 else None)
    assert (refused, taken) == (TOO_MANY, 3)


def test_the_last_slice_is_left_to_the_exact_count():
    keys, taken = ask([[1, 2], [3, 4]], lambda count: TOO_MANY if count >= 4 else None)
    assert (len(keys), taken) == (4, 2)


def test_repeated_ids_count_once_and_are_asked_about_once():
    counts = []
    keys, taken = ask([[1, 1, 1]] * 50 + [[2]], counts.append)
    assert (len(keys), taken, counts) == (2, 51, [1])


def test_ids_without_a_limit_go_to_disk_in_slices(monkeypatch):
    monkeypatch.setattr(ids, "SORTED_IN_MEMORY", 5)
    keys, _ = ask([[n, n + 1] for n in range(20, 0, -1)], lambda count: None)
    assert isinstance(keys, SpooledKeys)
    assert list(keys.slices(lambda: 100)) == [list(range(1, 22))]
    keys.close()


@pytest.mark.parametrize("at", [0, 3, 30])
def test_a_key_that_cannot_be_is_refused_in_memory_and_on_disk(monkeypatch, at):
    monkeypatch.setattr(ids, "SORTED_IN_MEMORY", 5)
    some = [[f"c{n}"] for n in range(40)]
    some[at] = [""]
    with pytest.raises(InvalidKey, match="is blank"):
        ask(some, lambda count: None)


# -- in a request


@pytest.fixture
def application(tmp_path):
    return Application(tmp_path)


def post(application, found: bytes, profile: bytes = b"query_tool", **headers: str):
    body = b'{"profile":"%b","container_ids":[%b],"domains":["holds"]}' % (profile, found)
    return body, application.client.post(
        "/api/trace/events", data=body, headers=headers, content_type="application/json"
    )


def test_three_million_ids_are_refused_early_within_twice_the_body(application):
    found = b",".join(b"%d" % n for n in range(10**8, 10**8 + 3_000_000))
    post(application, b"1" * 10)[1].close()
    tracemalloc.start()
    try:
        body, answer = post(application, found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json["code"], answer.json["limit"]) == (413, "CID_LIMIT_EXCEEDED", 50_000)
    assert 50_000 < answer.json["cid_count"] < 100_000
    assert answer.json["cid_count_exact"] is False
    assert "more were not counted" in answer.json["detail"]
    assert peak < 3 * len(body)  # one of them is the client's own


def test_ids_that_were_all_counted_have_no_word_of_an_early_end(application):
    _, answer = post(application, b",".join(b"%d" % n for n in range(50_001)))
    assert (answer.status_code, answer.json["cid_count"]) == (413, 50_001)
    assert "cid_count_exact" not in answer.json


def test_sixteen_million_equal_ids_are_one_id(application):
    with post(application, b"1," * 15_999_999 + b"1", Accept="application/jsonl")[1] as answer:
        assert answer.status_code == 200
        assert json.loads(answer.get_data().splitlines()[0])["cid_count"] == 1


def test_the_profile_that_is_never_refused_reads_more_ids_than_fit_in_memory(application, monkeypatch):
    monkeypatch.setattr(ids, "SORTED_IN_MEMORY", 1_000)
    lots = [b'"c%02d"' % (n % 30) for n in range(40_000)] + [b'"x%d"' % n for n in range(60_000)]
    with post(application, b",".join(lots), b"mid_section_defect")[1] as answer:
        assert answer.status_code == 200
        assert answer.json["results"]["holds"]["count"] == 2


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, -(10**400)])
def test_a_number_beyond_64_bits_is_400(application, number):
    _, answer = post(application, b"1,%d,2" % number)
    assert (answer.status_code, answer.json["code"]) == (400, "INVALID_PARAMS")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_a_number_of_64_bits_is_a_key(application, number):
    with post(application, b"%d" % number)[1] as answer:
        assert answer.status_code == 200


def test_a_body_that_ends_before_its_length_is_400(application):
    body = b'{"profile":"query_tool","container_ids":["a"],"domains":["holds"]}'
    answer = application.client.post(
        "/api/trace/events", data=body, content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(len(body) + 10)},
    )  # fmt: skip
    assert answer.status_code == 400


TYPED = {
    date: ([date(2026, 2, 25), date(2026, 2, 26)], ['"2026-13-01"', "1", '"a"']),
    datetime: ([datetime(2026, 2, 25, 8), datetime(2026, 2, 25, 9)], ['"today"', "1.5"]),
    UUID: ([UUID(int=7), UUID(int=8)], ['"7"', "7"]),
    Decimal: ([Decimal("1.50"), Decimal(2)], ['"x"', "[]"]),
    int: ([1, 2], ['"1"', "1.5"]),
    str: (["1", "a"], ["1", "null"]),
}


@pytest.mark.parametrize("kind", TYPED)
def test_ids_of_a_declared_type_are_values_of_it(kind):
    keys, wrong = TYPED[kind]
    found = msgspec.json.encode(keys)
    slices = list(slice_ids(memoryview(found), kind))
    assert slices == [keys]
    assert {type(key) for key in slices[0]} == {kind}
    collected = collect_ids(slices, lambda count: None)
    assert list(flat(collected)) == keys
    for one in wrong:
        with pytest.raises(InvalidRequest, match="container_ids is not what this route takes"):
            list(slice_ids(memoryview(b"[%b]" % one.encode()), kind))


@pytest.mark.parametrize("kind", [Decimal, date])
def test_more_ids_than_are_sorted_in_memory_keep_their_type(kind, monkeypatch):
    monkeypatch.setattr("mesbatch.adapters.http.ids.SORTED_IN_MEMORY", 3)
    monkeypatch.setattr("mesbatch.keys.collect.SORTED_IN_MEMORY", 300)
    keys = [Decimal(n) / 2 for n in range(20)] if kind is Decimal else [date(2026, 1, 1 + n) for n in range(20)]
    collected = collect_ids([keys[10:], keys[:10]], lambda count: None)
    try:
        assert list(flat(collected)) == keys
    finally:
        collected.close()


def test_a_route_may_take_ids_of_another_type(tmp_path):
    application = Application(tmp_path)
    trace = Trace({"moves": Query("select n, cid from moves where n in (:keys)")})
    application.jobs.functions["by_number"] = lambda work: trace.read(application.connect, work.keys, work.domains)
    blueprint = trace_blueprint(
        trace, AdmissionPolicy(), application.limiter, application.jobs, lambda: "ann", function="by_number",
        enqueue=False, key_type=int, url_prefix="/by_number",
    )  # fmt: skip
    application.flask.register_blueprint(blueprint, name="by_number")
    body = {"profile": "query_tool", "domains": ["moves"]}
    answer = application.client.post("/by_number/events", json={**body, "container_ids": [7, 3, 3]})
    assert [row["n"] for row in answer.json["results"]["moves"]["data"]] == [3, 7]
    answer = application.client.post("/by_number/events", json={**body, "container_ids": ["7"]})
    assert (answer.status_code, answer.json["code"]) == (400, "INVALID_PARAMS")
