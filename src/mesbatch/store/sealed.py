"""Documents with their own checksum in front, so that a damaged one is never believed."""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

from mesbatch.codec.not_json import NOT_JSON
from mesbatch.errors import CorruptChunk

Document = TypeVar("Document")
CRC_DIGITS = 8


def seal(document: object) -> bytes:
    """Return *document* as JSON, behind the CRC-32 of it.

    >>> seal({"a": 1})
    b'561bacaf{"a":1}'
    """
    data = msgspec.json.encode(document)
    return b"%08x%b" % (zlib.crc32(data), data)


def unseal(sealed: bytes, kind: type[Document], name: str) -> Document:
    """Return the document of some *kind* that was sealed; *name* is for the message.

    Raises:
        CorruptChunk: these are not the bytes that were written, or another kind of document was.
    """
    crc, data = sealed[:CRC_DIGITS], sealed[CRC_DIGITS:]
    if crc != b"%08x" % zlib.crc32(data):
        raise CorruptChunk(f"{name} is damaged: its {len(data):,} bytes have the checksum {zlib.crc32(data):08x}")
    try:
        return msgspec.json.decode(data, type=kind)
    except NOT_JSON as error:
        raise CorruptChunk(f"{name} is whole, but no {kind} of this version of mesbatch: {error}") from error
