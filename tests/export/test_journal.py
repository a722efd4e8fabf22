"""A manifest that cannot be is refused as one, before a file is read by it."""

from __future__ import annotations

import json

import pytest

from mesbatch.errors import CorruptChunk
from mesbatch.export.journal import OutputFiles
from mesbatch.export.place import LocalPlace

PLAN = {"format": "csv", "compress": False, "statement": "", "keyed": False, "part_rows": 9, "group_rows": 9}
PART = {"name": "part-00000.csv", "rows": 1, "nbytes": 7, "crc32": "5f0e2c1b"}


@pytest.mark.parametrize("change", [{"nbytes": -1}, {"rows": -1}, {"name": "a\0b"}, {"name": ""}])
def test_a_manifest_with_a_part_that_cannot_be_is_refused(tmp_path, change):
    output = OutputFiles(LocalPlace(tmp_path), None)
    manifest = {"status": "complete", "rows": 1, "nbytes": 7, "plan": PLAN, "parts": [PART]}
    (tmp_path / output.manifest).write_text(json.dumps(manifest))
    found = output.read_manifest()
    assert found is not None
    (tmp_path / output.manifest).write_text(json.dumps({**manifest, "parts": [PART | change]}))
    with pytest.raises(CorruptChunk, match="no manifest"):
        output.read_manifest()
