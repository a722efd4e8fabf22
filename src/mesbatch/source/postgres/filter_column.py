"""The type and collation of the column that ``:keys`` is compared with, as PostgreSQL tells them."""

from __future__ import annotations

from mesbatch.source.key_forms import FilterColumn, KeyedQuery, quoted
from mesbatch.source.session import Session

# Types whose equal values are the same characters or numbers, and which are ordered as Python orders them.
BY_CODE_POINT = frozenset(
    {"text", "varchar", "bpchar", "name", "char", "int2", "int4", "int8", "numeric", "float4", "float8", "oid"}
    | {"date", "timestamp", "timestamptz", "uuid", "bytea"}
)
TEXTS = frozenset({"text", "varchar", "bpchar"})
# A domain is compared as the type that it is made of, without the type's modifier, which would cut values.
TYPE = """
WITH RECURSIVE base AS (
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typnamespace FROM pg_type t WHERE t.oid = {oid}
    UNION ALL
    SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typnamespace
    FROM base b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
)
SELECT b.typname::text, b.typtype::text, n.nspname::text
FROM base b JOIN pg_namespace n ON n.oid = b.typnamespace WHERE b.typtype <> 'd'
"""
# No row is read: the LEFT JOIN gives one of NULLs, whose types and collations are known from the text.
OUTPUT = """
SELECT described.type,
    CASE WHEN NOT coalesce(
        (SELECT c.collisdeterministic FROM pg_collation c WHERE c.oid = to_regcollation(described.collation)), true)
    THEN described.collation END
FROM (
    SELECT t.oid::bigint AS type, CASE WHEN t.typcollation <> 0 THEN pg_collation_for(r.{column}) END AS collation
    FROM (VALUES (1)) AS one (n) LEFT JOIN (
{sql}
    ) AS r ({columns}) ON false
    JOIN pg_type t ON t.oid = pg_typeof(r.{column})::oid
) AS described
"""

# Whether equal texts may differ in their characters where a collation is not known.
ANY_IS_LOOSE = "SELECT EXISTS (SELECT FROM pg_collation WHERE NOT collisdeterministic)"


def describe_filter(session: Session, query: KeyedQuery, oid: int) -> FilterColumn:
    """The filter's column: its type from *oid*, or from the output that it is, and its collation from that.

    citext reports the default collation, so its type is looked at, too. *oid* is 0 where no bind was described.
    """
    loose: str | None = None  # the name of a collation that is not deterministic
    collation: str | None
    if query.key is not None and query.position:
        sql, params = query.statement.with_keys("NULL")
        columns = [f"c{i}" for i in range(1, len(query.names) + 1)]
        text = OUTPUT.format(sql=sql, column=columns[query.position - 1], columns=", ".join(columns))
        ((output, loose),) = session.driver.fetch_all(session, text, params)
        oid = oid or output
        collation = f" COLLATE {loose}" if loose else ""
    else:
        ((any_is_loose,),) = session.driver.fetch_all(session, ANY_IS_LOOSE, None)
        collation = None if any_is_loose else ""
    rows = session.driver.fetch_all(session, TYPE.format(oid=oid), None) if oid else []
    if not rows:
        return FilterColumn(collation=collation)
    name, kind, schema = rows[0]
    own = schema == "pg_catalog"
    if collation is None and not (own and name in TEXTS):
        collation = ""
    by_code_point = not loose and (kind == "e" or (own and name in BY_CODE_POINT))
    # In quotes bpchar and bit have no length; unquoted, character and bit mean one of 1.
    written = quoted(name) if own else f"{quoted(schema)}.{quoted(name)}"
    return FilterColumn(written, by_code_point, kind == "e", collation)
