"""The columns of a result, in MySQL's own words, from what the drivers tell of them."""

from __future__ import annotations

from mesbatch.batch import Column

TYPES = {  # https://mariadb.com/kb/en/result-set-packets/#field-types
    0: "decimal", 1: "tinyint", 2: "smallint", 3: "int", 4: "float", 5: "double", 7: "timestamp", 8: "bigint",
    9: "mediumint", 10: "date", 11: "time", 12: "datetime", 13: "year", 15: "varchar", 16: "bit", 245: "json",
    246: "decimal", 247: "enum", 248: "set", 249: "text", 250: "text", 251: "text", 252: "text", 253: "varchar",
    254: "char", 255: "geometry",
}  # fmt: skip
BYTES = {"text": "blob", "varchar": "varbinary", "char": "binary"}  # the same types without a character set
INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
BINARY_CHARSET = 63
UNSIGNED, BINARY, ENUM, SET = 32, 128, 256, 2048  # flags of a column
BYTES_PER_CHARACTER = 4  # of utf8mb4, in which widths are counted


def column_of(
    name: str, code: int, flags: int, length: int | None = None, scale: int | None = None, charset: int | None = None
) -> Column:
    """A column from the number of its type, its flags, and its length in bytes.

    A driver that does not tell the character set leaves open whether a column with the flag BINARY, which collations
    by code have as well, holds text or bytes.
    """
    kind: str | None = TYPES.get(code)
    if flags & ENUM or flags & SET:
        kind = "enum" if flags & ENUM else "set"
    if kind == "decimal":
        if length is None or scale is None:
            return Column(name, kind)
        signs = (0 if flags & UNSIGNED else 1) + (1 if scale else 0)
        return Column(name, kind, None, max(length - signs, scale), scale)
    if kind in BYTES:
        if charset == BINARY_CHARSET:
            return Column(name, BYTES[kind], length)
        if charset is None and flags & BINARY:
            return Column(name, None, length)
        return Column(name, kind, None if length is None else length // BYTES_PER_CHARACTER)
    if kind in INTEGERS and flags & UNSIGNED:
        kind = f"{kind} unsigned"
    return Column(name, kind)
