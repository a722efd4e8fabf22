"""Compression of answers, so that each piece leaves at once: gzip, and zstd where a module for it is installed."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Generator, Iterable
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from mesbatch.adapters.http.accept import quality_of
from mesbatch.sink.stream import ByteStream

Encoding = Literal["gzip", "zstd"]

GZIP_LEVEL = 1  # a fifth of the bytes at 100 MB/s; level 6 takes four times as long for a tenth less
# A window of 8 KiB and small tables: 70 KiB for each answer where zlib's own choice holds 268; JSON grows by 1 %.
GZIP_FORMAT = 16 + 13  # 16 is zlib's word for a gzip header
GZIP_MEMORY = 6
ZSTD_LEVEL = 1
ZSTD_WINDOW = 14  # 16 KiB, as a power of two: a compressor then holds a tenth of the 820 KiB of level 1

ZSTD_MODULE = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def choose_encoding(accepted: str) -> Encoding | None:
    """Choose the compression for a client whose ``Accept-Encoding`` is *accepted*; None for none.

    zstd is chosen where the client names it, likes it as much, and its module is installed.

    >>> choose_encoding("gzip, br"), choose_encoding("*"), choose_encoding("br, gzip;q=0")
    ('gzip', 'gzip', None)
    """
    gzip, zstd = quality_of(accepted, "gzip"), quality_of(accepted, "zstd") if "zstd" in accepted.lower() else 0.0
    if zstd > 0 and zstd >= gzip and has_zstd():
        return "zstd"
    return "gzip" if gzip > 0 else None


def has_zstd() -> bool:
    """Tell whether a module for zstd is installed: Python's own from 3.14 on, before that ``backports.zstd``."""
    return find_spec(ZSTD_MODULE.partition(".")[0]) is not None and find_spec(ZSTD_MODULE) is not None


class Compressor(Protocol):
    """Compressor of one answer; the client can decompress each piece when it arrives."""

    def piece(self, data: bytes | memoryview) -> bytes:
        """Compress *data*, to the last byte."""

    def end(self) -> bytes:
        """End the format."""


def make_compressor(encoding: Encoding) -> Compressor:
    """Make a compressor for one answer."""
    return _Gzip() if encoding == "gzip" else _Zstd()


def compress(body: ByteStream, encoding: Encoding) -> ByteStream:
    """Compress *body* so that each piece leaves at once.

    >>> def lines():
    ...     yield b"one"
    ...     yield b"two"
    >>> zlib.decompress(b"".join(compress(ByteStream(lines(), None), "gzip")), 16 + zlib.MAX_WBITS)
    b'onetwo'
    """
    return ByteStream(_compressed(body, make_compressor(encoding)), body)


def _compressed(body: Iterable[bytes], compressor: Compressor) -> Generator[bytes]:
    for piece in body:
        yield compressor.piece(piece)
    yield compressor.end()


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT, memLevel=GZIP_MEMORY)

    def piece(self, data: bytes | memoryview) -> bytes:
        return self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._compressor.flush()


class _Zstd:
    def __init__(self) -> None:
        zstd: Any = __import__(ZSTD_MODULE, fromlist=["ZstdCompressor"])
        names, fastest = zstd.CompressionParameter, zstd.Strategy.fast
        options = {
            names.compression_level: ZSTD_LEVEL, names.window_log: ZSTD_WINDOW, names.hash_log: ZSTD_WINDOW - 3,
            names.strategy: fastest,
        }  # fmt: skip
        self._compressor = zstd.ZstdCompressor(options=options)

    def piece(self, data: bytes | memoryview) -> bytes:
        found: bytes = self._compressor.compress(data, self._compressor.FLUSH_BLOCK)
        return found

    def end(self) -> bytes:
        found: bytes = self._compressor.flush(self._compressor.FLUSH_FRAME)
        return found
