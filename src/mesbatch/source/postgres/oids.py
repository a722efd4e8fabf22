"""PostgreSQL's own names of its types, by the numbers that drivers describe columns with."""

from __future__ import annotations

# Those that Arrow has as text only; Python's own values would be written a little otherwise.
TEXT_IN_ARROW = ("json", "jsonb", "timetz")

# pg_type.oid and pg_type.typarray: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
TYPES: dict[str, tuple[int, int]] = {
    '"char"': (18, 1002),
    "bit": (1560, 1561),
    "bool": (16, 1000),
    "box": (603, 1020),
    "bpchar": (1042, 1014),
    "bytea": (17, 1001),
    "cidr": (650, 651),
    "circle": (718, 719),
    "date": (1082, 1182),
    "datemultirange": (4535, 6155),
    "daterange": (3912, 3913),
    "float4": (700, 1021),
    "float8": (701, 1022),
    "inet": (869, 1041),
    "int2": (21, 1005),
    "int4": (23, 1007),
    "int4multirange": (4451, 6150),
    "int4range": (3904, 3905),
    "int8": (20, 1016),
    "int8multirange": (4536, 6157),
    "int8range": (3926, 3927),
    "interval": (1186, 1187),
    "json": (114, 199),
    "jsonb": (3802, 3807),
    "jsonpath": (4072, 4073),
    "line": (628, 629),
    "lseg": (601, 1018),
    "macaddr": (829, 1040),
    "macaddr8": (774, 775),
    "money": (790, 791),
    "name": (19, 1003),
    "numeric": (1700, 1231),
    "nummultirange": (4532, 6151),
    "numrange": (3906, 3907),
    "oid": (26, 1028),
    "path": (602, 1019),
    "pg_lsn": (3220, 3221),
    "point": (600, 1017),
    "polygon": (604, 1027),
    "text": (25, 1009),
    "time": (1083, 1183),
    "timestamp": (1114, 1115),
    "timestamptz": (1184, 1185),
    "timetz": (1266, 1270),
    "tsmultirange": (4533, 6152),
    "tsquery": (3615, 3645),
    "tsrange": (3908, 3909),
    "tstzmultirange": (4534, 6153),
    "tstzrange": (3910, 3911),
    "tsvector": (3614, 3643),
    "uuid": (2950, 2951),
    "varbit": (1562, 1563),
    "varchar": (1043, 1015),
    "xml": (142, 143),
}
NAMES = {oid: name for name, (oid, _) in TYPES.items()} | {oid: f"{name}[]" for name, (_, oid) in TYPES.items()}

VARYING = frozenset({"varchar", "bpchar"})  # their modifier is the most characters, and 4


def declared(oid: int, size: int, modifier: int) -> tuple[str | None, int | None, int | None, int | None]:
    """Type, width, precision and scale of a column that the server describes; a type that is not its own has no name.

    >>> declared(1043, -1, 20), declared(1700, -1, 786439), declared(23, 4, -1), declared(1009, -1, -1)
    (('varchar', 16, None, None), ('numeric', None, 12, 3), ('int4', 4, None, None), ('text[]', None, None, None))
    """
    name = NAMES.get(oid)
    if name == "numeric" and modifier >= 0:
        return name, None, (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    if name in VARYING and modifier >= 0:
        return name, modifier - 4, None, None
    return name, size if size > 0 else None, None, None
