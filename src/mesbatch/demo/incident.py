"""The two pipelines of the incident as they were, for comparison with ours; do not copy them."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

KEYS_PER_QUERY = 1_000  # Oracle refuses longer IN lists: ORA-01795
FETCH_SIZE = 5_000  # rows: DB_SLOW_FETCHMANY_SIZE of the first repair

Records = list[dict[str, Any]]


def incident(con: Any, queries: Mapping[str, str], keys: Sequence[str], key: str = "CONTAINERID") -> str:
    """Read *queries* (domain to SQL with ``IN (:keys)``) as on the day of the incident and return the JSON answer.

    ``fetchall`` -> DataFrame -> ``iterrows`` -> a dict of everything -> a flattened copy -> ``json.dumps``: three to
    four copies of all rows at once, about 3.7 GiB for a million rows of 14 columns. NULL may come out as NaN.
    """
    # On use, because the first repair does without it.
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    results = {}
    for domain, sql in queries.items():
        grouped: dict[Any, Records] = defaultdict(list)
        for statement, binds in _in_lists(con, sql, keys):
            with closing(con.cursor()) as cursor:
                cursor.execute(statement, binds)
                columns = [name for name, *_ in cursor.description]
                frame = pd.DataFrame(cursor.fetchall(), columns=columns)
            name = _spelled(columns, key)
            for _, row in frame.iterrows():
                record = row.to_dict()
                grouped[record[name]].append(record)
        results[domain] = _flatten(grouped)
    return json.dumps(_answer(results), default=str)


def first_repair(con: Any, queries: Mapping[str, str], keys: Sequence[str], key: str = "CONTAINERID") -> str:
    """Read *queries* as the first repair did and return the JSON answer.

    ``fetchmany`` in a flat iterator -> a dict of everything -> a flattened copy -> ``json.dumps``: about 2.1 GiB for a
    million rows of 14 columns.
    """
    results = {}
    for domain, sql in queries.items():
        grouped: dict[Any, Records] = defaultdict(list)
        for columns, rows in _read_slow_iter(con, sql, keys):
            name = _spelled(columns, key)
            for row in rows:
                record = dict(zip(columns, row, strict=True))
                grouped[record[name]].append(record)
        results[domain] = _flatten(grouped)
    return json.dumps(_answer(results), default=str)


def _read_slow_iter(con: Any, sql: str, keys: Sequence[str]) -> Iterator[tuple[list[str], list[Any]]]:
    for statement, binds in _in_lists(con, sql, keys):
        with closing(con.cursor()) as cursor:
            cursor.execute(statement, binds)
            columns = [name for name, *_ in cursor.description]
            while rows := cursor.fetchmany(FETCH_SIZE):
                yield columns, rows


def _in_lists(con: Any, sql: str, keys: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    style = _paramstyle(con)
    for start in range(0, len(keys), KEYS_PER_QUERY):
        binds = keys[start : start + KEYS_PER_QUERY]
        marks = ", ".join(style.format(position) for position in range(1, len(binds) + 1))
        yield sql.replace(":keys", marks), binds


def _paramstyle(con: Any) -> str:
    driver = sys.modules[type(con).__module__.partition(".")[0]]
    return {"qmark": "?", "pyformat": "%s", "format": "%s", "named": ":{}", "numeric": ":{}"}[driver.paramstyle]


def _spelled(columns: Sequence[str], key: str) -> str:
    return next(name for name in columns if name.casefold() == key.casefold())


def _flatten(grouped: Mapping[Any, Records]) -> Records:
    return [record for records in grouped.values() for record in records]


def _answer(results: Mapping[str, Records]) -> dict[str, Any]:
    return {
        "stage": "events",
        "results": {domain: {"data": data, "count": len(data)} for domain, data in results.items()},
    }
