"""Compressed answers: whole for any decompressor, and each piece readable when it comes."""

from __future__ import annotations

import zlib
from importlib import import_module

import pytest

from mesbatch.adapters.http.encoding import ZSTD_MODULE, compress, has_zstd
from mesbatch.sink.stream import ByteStream

PIECES = [b"one ", b"two ", b"three"]


def decompressor(encoding):
    if encoding == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if not has_zstd():
        pytest.skip(f"no zstd: {ZSTD_MODULE} is not installed")
    return import_module(ZSTD_MODULE).ZstdDecompressor()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_each_piece_is_readable_at_once_and_the_last_one_ends_the_format(encoding):
    opened = decompressor(encoding)
    with compress(ByteStream((piece for piece in PIECES), None), encoding) as body:
        found = [(opened.decompress(piece), opened.eof) for piece in body]
    assert found == [*((piece, False) for piece in PIECES), (b"", True)]
