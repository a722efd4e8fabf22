"""The judge of statements on whatever fuzzing writes: what it accepts, SQLite confirms; all else is a verdict, too."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from random import Random

import pytest
from hypothesis import strategies as st

from mesbatch import read_sql_iter
from mesbatch.errors import MesbatchError, NotSplittable
from mesbatch.sql.judge import check_splittable, judge
from mesbatch.sql.keyed import PARAMSTYLES, KeyedStatement
from mesbatch.sql.query import check_reads, find_order_by
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.statements import changed, read_by_sqlite, respelled, soup
from tests.sql.linear import check_linear
from tests.sql.statements import KEYS, TABLES, TEXTS
from tests.sql.test_judge_law import Database

ROWS = {  # for statements of the corpus: two rows of a key, a NULL, a key of one table only
    "h": [("a", "b", 0, 1, "b"), ("a", "a", 1, 2, None), ("b", "a", 2, 3, "a"), ("c", None, 3, 0, "c"),
          (None, "a", 1, 1, "a"), ("d", "d", 0, 2, "d")],
    "c": [("a", 0, "b", 1), ("b", 1, "a", 2), ("only in c", 2, "c", 3), (None, 3, "d", None), ("a", 1, "a", 0)],
    "p": [(0, "a"), (1, None), (1, "b"), (3, "d")],
}  # fmt: skip
READS = st.fixed_dictionaries(
    {
        "keys": st.lists(st.sampled_from(KEYS), min_size=1, max_size=6, unique=True),
        "keys_at_once": st.integers(1, 3),
        "order": st.sampled_from(["key", "any"]),
    }
)


class Reader(Database):
    """SQLite, its statements in one piece, and in parts as mesbatch reads them."""

    def __init__(self, connection):
        super().__init__(connection)
        self.connection = connection

    def read_in_parts(self, sql, *, keys, keys_at_once, order):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("mesbatch.keys.strategy.LIST_SHAPES", (keys_at_once,))
            monkeypatch.setattr("mesbatch.read.stream.LIST_SHAPES", (keys_at_once,))
            monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", keys_at_once)
            with read_sql_iter(sql, self.connection, keys=keys, strategy="in-list", order=order) as reader:
                rows = [row for batch in reader for row in batch.rows]
        assert reader.manifest.complete
        return rows


@pytest.fixture(scope="module")
def database():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield Reader(connection)


def check(database, sql, rows, read):
    """Ask the judge of *sql*, and SQLite whether the judge is right; say how it ended."""
    database.fill(rows)
    try:
        judgement = judge(sql, None)
        names = database.describe(sql)
        whole = database.read(sql, read["keys"])
    except MesbatchError:
        return "no statement with keys"
    except (sqlite3.Error, sqlite3.Warning, ValueError):  # changed to something that SQLite does not read
        return "no statement of SQLite"
    for columns in names:
        for position in judge(sql, columns).key_outputs:
            for key in read["keys"]:
                assert {row[position] for row in database.read(sql, [key])} <= {key}
    if judgement.refusal is None:
        parts = [database.read(sql, [key]) for key in read["keys"]]
        assert sum(map(Counter, parts), Counter()) == Counter(whole)
    try:
        found = database.read_in_parts(sql, **read)
    except NotSplittable:
        return "refused"
    except (MesbatchError, sqlite3.Error) as error:
        return f"not read: {type(error).__name__}"
    assert Counter(found) == Counter(whole)
    return "read in parts"


@pytest.mark.parametrize("sql", corpus("statements"))
@pytest.mark.parametrize("keys_at_once", [1, 2, 3])
def test_a_kept_statement_gives_in_parts_the_rows_of_the_whole(database, sql, keys_at_once):
    for order in ("key", "any"):
        check(database, sql, ROWS, {"keys": KEYS, "keys_at_once": keys_at_once, "order": order})


def rows_of(number):
    """A few rows for each table; hypothesis takes ten times as long to draw them one by one."""
    chance = Random(number)
    texts, numbers = [*TEXTS, *TEXTS[:2]], [0, 1, 2, 3, None]
    return {
        name: [
            tuple(chance.choice(texts if column.endswith("text") else numbers) for column in columns)
            for _ in range(chance.randrange(9))
        ]
        for name, columns in TABLES.items()
    }


STATEMENTS = {
    "sql": st.one_of(read_by_sqlite(), respelled(), changed(), changed()), "rows": st.integers(0, 2**32).map(rows_of),
    "read": READS,
}  # fmt: skip


def test_a_statement_that_is_accepted_gives_in_parts_the_rows_of_the_whole(database):
    endings = fuzz_briefly(partial(check, database), 300, **STATEMENTS)
    assert endings["read in parts"] > 50, endings


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_statements_give_in_parts_the_rows_of_the_whole(database):
    fuzz_long(partial(check, database), **STATEMENTS)


# -- soup


def check_soup(text, paramstyle, splittable):
    """Every question about a text has an answer, or an error of ours; of many copies in as much more time."""
    for ask in (
        lambda: judge(text, None, splittable=splittable),
        lambda: judge(text, ["lot", "id"], splittable=splittable),
        lambda: check_splittable(text, "lot"),
        lambda: find_order_by(check_reads(text)),
        lambda: KeyedStatement.parse(text, None, paramstyle).with_keys("?", ["a"]),
    ):
        with suppress(MesbatchError):
            ask()


def check_soup_is_linear(text):
    check_linear(lambda times: "select k from t where k in (:keys)" + text * times, 1 + 2_000 // (len(text) or 1))


SOUP = {"text": soup(), "paramstyle": st.sampled_from(PARAMSTYLES), "splittable": st.booleans()}


@pytest.mark.parametrize("text", corpus("soup"))
def test_a_kept_text_has_an_answer(text):
    check_soup(text, "qmark", splittable=False)
    check_soup_is_linear(text)


def test_any_text_has_an_answer():
    fuzz_briefly(check_soup, 150, **SOUP)


def test_any_text_is_read_in_time_of_its_length():
    fuzz_briefly(check_soup_is_linear, 10, text=soup())


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_texts_have_answers():
    fuzz_long(check_soup, **SOUP)


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_texts_are_read_in_time_of_their_length():
    fuzz_long(check_soup_is_linear, text=soup())
