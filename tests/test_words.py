"""Words of the trace stay where its contract is: the core speaks of keys, queries and results."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src/mesbatch"
CORE = ("sql", "codec", "arrow", "source", "keys", "read", "group", "sink", "memory", "admission", "store", "jobs")
ALONE = ("errors.py", "problem.py", "batch.py", "manifest.py", "events.py", "adapters/http/submission.py")
OF_TRACE = re.compile(r"\bcids?\b|cid_|CID_|container_ids?\b|TRACE_(?!WORDS)[A-Z]|EVENTS_|MES_")
# The words of the contract that the core writes itself, with the place that the contract gives them.
ALLOWED = {
    "admission/answer.py": {"cid_count", "cid_count_exact"},  # old names, which warn
    "admission/policy.py": {"TRACE_PROFILES"},  # the default policy
    "admission/result_table.py": {"CID_LIMIT"},  # the same number
    "jobs/base.py": {'"cid_count"'},  # a fact of a job, in Redis
    "jobs/job.py": {'"cid_count"', "cid_count"},
    "jobs/shards.py": {'"cid_count"'},
    "store/protocol.py": {'"cid_count"'},
    "store/stored_lines.py": {'"cid_count"'},
}


def files() -> list[Path]:
    found = [path for folder in CORE for path in sorted((SOURCES / folder).rglob("*.py"))]
    return [path for path in found if path.name != "trace_table.py"] + [SOURCES / name for name in ALONE]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_the_core_does_not_speak_of_the_trace(path):
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    words = {token.string for token in tokens if token.type in {tokenize.NAME, tokenize.STRING}}
    found = {word for word in words if OF_TRACE.search(word)}
    assert found == ALLOWED.get(str(path.relative_to(SOURCES)), set())
