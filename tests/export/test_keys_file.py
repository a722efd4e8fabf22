from __future__ import annotations

import tracemalloc

import pytest

from mesbatch import MiB
from mesbatch.errors import InvalidKey
from mesbatch.export.keys_file import read_keys
from mesbatch.keys.collect import collect_keys


def test_what_an_editor_adds_is_no_part_of_a_key(tmp_path):
    path = tmp_path / "keys.txt"
    path.write_bytes(b"\xef\xbb\xbfa1\r\n\r\n  b2 \n\n\t\nc3")

    assert list(read_keys(path)) == ["a1", "b2", "c3"]


def test_a_line_that_is_no_key_is_named(tmp_path):
    path = tmp_path / "keys.txt"
    path.write_bytes(b"1\n2\nx\n")
    with pytest.raises(InvalidKey, match=r"line 3: invalid literal for int"):
        list(read_keys(path, int))
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(InvalidKey, match="no UTF-8"):
        list(read_keys(path))


@pytest.mark.slow
def test_two_million_keys_are_never_all_in_memory(tmp_path):
    path = tmp_path / "keys.txt"
    with path.open("w") as file:
        file.writelines(f"{n:016}\n" for n in range(2_000_000))
    tracemalloc.start()
    try:
        keys = collect_keys(read_keys(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(keys) == 2_000_000
    keys.close()
    assert peak < 8 * MiB
