"""List types that every Oracle has, such as ``sys.odcivarchar2list``: their shape, and the lists in binds."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from tests.oracle.primitives import Reader
from tests.oracle.protocol import UTF8, Type
from tests.oracle.values import decode_bind

MAX_ELEMENTS = 32_767
COLLECTION, VARRAY = 28, 3
LONG_LENGTH, NULL_ELEMENT = 254, 255


@dataclass(frozen=True)
class ListType:
    """A varray in the schema SYS; *element* describes its elements in the driver's own shorthand."""

    name: str
    oid: bytes
    kind: Type
    element: bytes

    @property
    def shape(self) -> bytes:
        """The type descriptor that ``dbms_pickler.get_type_shape`` gives."""
        head = struct.pack(">4x2x2xHBB2x4x", 1, 0, 0)
        at = len(head) + 1 + 4 + 4 + 1
        return head + struct.pack(">BIIB", COLLECTION, at, MAX_ELEMENTS, VARRAY) + self.element


LIST_TYPES = {
    each.name: each
    for each in (
        ListType("ODCIVARCHAR2LIST", b"mesbatch-list--1", Type.VARCHAR, struct.pack(">BHBH", 7, 4_000, 1, UTF8)),
        ListType("ODCINUMBERLIST", b"mesbatch-list--2", Type.NUMBER, struct.pack(">Bbb", 6, 0, -127)),
        ListType("ODCIDATELIST", b"mesbatch-list--3", Type.DATE, struct.pack(">B", 2)),
    )
}
_BY_OID = {each.oid: each for each in LIST_TYPES.values()}


def read_object(reader: Reader, oid: bytes | None) -> str | None:
    """The list in a bind as a JSON array, which SQLite can use as a table."""
    for _ in range(3):  # type id, object id, snapshot
        reader.lblob()
    reader.skip("n")  # version
    length = reader.ub()
    reader.ub()  # flags
    image = reader.blob() if length else None
    if image is None:
        return None
    return json.dumps(_elements(image, _BY_OID[oid or b""].kind), ensure_ascii=False)


def _elements(image: bytes, kind: Type) -> list[Any]:
    """The elements of a pickled list, which follow flags, version, length and prefix."""
    at = 2 + (5 if image[2] == LONG_LENGTH else 1)
    at += 1 + image[at]  # the prefix
    at += 1  # flags of the collection
    count, at = _length(image, at)
    values = []
    for _ in range(count):
        if image[at] == NULL_ELEMENT:
            values.append(None)
            at += 1
            continue
        size, at = _length(image, at)
        values.append(decode_bind(kind, False, image[at : at + size]))
        at += size
    return values


def _length(image: bytes, at: int) -> tuple[int, int]:
    if image[at] == LONG_LENGTH:
        return int.from_bytes(image[at + 1 : at + 5], "big"), at + 5
    return image[at], at + 1
