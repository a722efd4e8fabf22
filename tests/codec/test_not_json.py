"""Bytes that are not the JSON that was asked for are refused in one way, whatever msgspec says of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import mesbatch
from mesbatch.codec.not_json import NOT_JSON


@pytest.mark.parametrize("data", [b"{", b'{"a":"\xff"}', b"[" * 20_000, b"", b'{"a":1e999}'])
def test_all_that_msgspec_refuses_is_named(data):
    with pytest.raises(NOT_JSON):
        msgspec.json.decode(data)


def test_no_module_catches_one_kind_and_forgets_the_others():
    sources = Path(mesbatch.__file__).parent.rglob("*.py")
    naming = [path.name for path in sources if "msgspec.DecodeError" in path.read_text(encoding="utf-8")]
    assert naming == ["not_json.py"]
