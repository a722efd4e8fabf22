"""The readers of a job's stream, in Python and in JavaScript: they take the same lines, or both refuse."""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import suppress
from io import BytesIO
from math import isinf
from pathlib import Path
from random import Random

import pytest

from mesbatch.client import JobStream
from mesbatch.client.stream import Cut, unbroken
from mesbatch.errors import CorruptChunk, JobFailed, ReadInterrupted
from mesbatch.sink.stream import ByteStream
from tests.frontend.rig import node
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.damage import seeds
from tests.fuzz.streams import stream, written

HERE = Path(__file__).parent
RECORDED = (HERE.parent / "trace" / "recorded_stream.ndjson").read_bytes()

ONLY_JAVASCRIPT = (b"\\ud800", b"1e999")  # half a surrogate pair, a number beyond all: it takes both as JSON


class Browser:
    """The module of the browser under Node, in one process for all streams."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [node(), HERE / "ndjson_reader.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *exc_info):
        with self._process:
            self._process.stdin.close()

    def read(self, data, cuts=()):
        asked = {"bytes": base64.b64encode(data).decode(), "cuts": list(cuts)}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not answer["end"].startswith("fault"), answer
        return answer["records"] if answer["end"] == "complete" else None


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


def read_in_python(data):
    """The rows of a stream that is whole; None for one that is refused."""
    answers = iter([ByteStream((line for line in unbroken(BytesIO(data))), None)])

    def open_lines(first):
        with suppress(StopIteration):
            return next(answers)
        raise Cut("there is no other try")

    try:
        return [[records.domain, records.rows] for records in JobStream(open_lines, patience=-1)]
    except (JobFailed, CorruptChunk, ReadInterrupted):
        return None


def rounded(value):
    """*value* as JavaScript has it: every number is a float."""
    match value:
        case bool():
            return value
        case int() | float():
            return None if isinf(float(value)) else float(value)
        case list():
            return list(map(rounded, value))
        case dict():
            return {name: rounded(one) for name, one in value.items()}
    return value


def check(browser, data, seed):
    expected = read_in_python(data)
    chance = Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    found = browser.read(data, cuts)
    if expected is None and any(word in data for word in ONLY_JAVASCRIPT):
        return "no server of ours writes it"
    assert rounded(found) == rounded(expected)
    return "refused" if expected is None else "whole"


def check_seed(browser, seed):
    return check(browser, stream(seed), seed)


@pytest.mark.parametrize("text", corpus("streams"))
def test_a_kept_stream_is_read_alike(browser, text):
    check(browser, text.encode("utf-8", "surrogateescape"), 0)


def test_a_stream_cut_at_any_place_is_refused_by_both(browser):
    for data in (RECORDED, b"".join(line + b"\n" for line in written(Random(4)))):
        whole = read_in_python(data)
        assert rounded(browser.read(data)) == rounded(whole)
        assert whole is not None
        for at in range(len(data)):
            assert read_in_python(data[:at]) is None
            if at % 7 == 0:
                assert browser.read(data[:at]) is None
                assert rounded(browser.read(data, [at])) == rounded(whole)


def test_any_stream_is_read_alike(browser):
    endings = fuzz_briefly(lambda seed: check_seed(browser, seed), 400, seed=seeds())
    assert min(endings["whole"], endings["refused"]) > 50, endings


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_streams_are_read_alike(browser):
    fuzz_long(lambda seed: check_seed(browser, seed), seed=seeds())
