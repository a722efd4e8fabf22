"""What is read back is looked at, whatever the checksums say."""

from __future__ import annotations

import io

import pytest

from mesbatch.export.read_back import _count_lines


@pytest.mark.parametrize(("last", "words"), [(b'{"a":', "truncated"), (b'{"a":"\xff"}\n', "utf-8|UTF-8"), (b"\n", "")])
def test_a_line_that_is_no_json_is_named(last, words):
    with pytest.raises(ValueError, match=rf"^line 3 is no JSON: .*({words})"):
        _count_lines(io.BytesIO(b'{"a":1}\n{"a":2}\n' + last))
