"""The few PL/SQL blocks that drivers send, recognised by their words; any other is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.oracle.columns import Column, describe
from tests.oracle.failures import OraError
from tests.oracle.primitives import ub
from tests.oracle.protocol import Type
from tests.oracle.values import NULL, encode_text, make_encoder
from tests.oracle.varrays import LIST_TYPES

ATTRIBUTES = [Column(name, Type.VARCHAR, 128, chars=128) for name in (
    "cursor_version", "attr_name", "attr_num", "attr_type_name", "attr_type_owner", "attr_type_package",
    "attr_type_oid", "attr_instantiable", "attr_super_type_owner", "attr_super_type_name",
)]  # fmt: skip

OpenCursor = Callable[[list[Column]], int]  # a cursor without rows; its id

_number = make_encoder(Type.NUMBER)
_TRANSACTION_ID = re.compile(r"dbms_transaction\.local_transaction_id", re.IGNORECASE)
_TYPE_SHAPE = re.compile(r"dbms_pickler\.get_type_shape", re.IGNORECASE)
_NOTHING = re.compile(r"begin\s+null;\s*end;", re.IGNORECASE)


def run_block(sql: str, binds: Sequence[Any], open_cursor: OpenCursor, field_version: int) -> list[bytes]:
    """Run *sql*, and return the values of the OUT binds, encoded.

    Raises:
        OraError: the block is none that we know, or asks for a type that is not there.
    """
    if _TYPE_SHAPE.search(sql):
        return _type_shape(sql, binds, open_cursor, field_version)
    if _TRANSACTION_ID.search(sql):
        return [encode_text("1.2.3")]
    if _NOTHING.search(sql):
        return [NULL for _ in binds]
    raise OraError(6550, "line 1, column 7: PLS-00201: identifier must be declared")


def _type_shape(sql: str, binds: Sequence[Any], open_cursor: OpenCursor, field_version: int) -> list[bytes]:
    """Answer the driver's question before it binds a list: the type's place, and the form of its values."""
    names = list(dict.fromkeys(re.findall(r"(?<![\w:]):(\w+)", sql)))
    schema, _, name = str(binds[names.index("full_name")]).replace('"', "").upper().rpartition(".")
    found = LIST_TYPES.get(name) if schema in ("", "SYS", "PUBLIC") else None
    if found is None:
        raise OraError(4043, f"object {schema}.{name} does not exist")
    attributes = b"\1" + describe(ATTRIBUTES, field_version) + ub(open_cursor(ATTRIBUTES))
    values = {
        "ret_val": _number(0),
        "full_name": encode_text(f"SYS.{name}"),
        "oid": encode_text(found.oid),
        "version": _number(1),
        "tds": encode_text(found.shape),
        "attrs_rc": attributes,
        "schema": encode_text("SYS"),
        "name": encode_text(name),
    }
    return [values.get(bind, NULL) for bind in names]
