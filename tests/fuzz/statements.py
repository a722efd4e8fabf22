"""Statements of `tests.sql.statements`, spelled differently or changed at random places; and soup of tokens."""

from __future__ import annotations

import atexit
import re
import sqlite3
from collections.abc import Callable
from functools import cache
from random import Random

from hypothesis import strategies as st

from tests.sql.statements import TABLES, statements

# Pieces of a statement, read by nothing of ours: a fault of our tokens must not hide itself.
_PIECE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|:keys|\w+|\s+|<>|\|\||.", re.DOTALL)
SPACES = [" ", "  ", "\n", "\t", "\r\n", "\f", " /* a 'b */ ", "/**/", ' -- it\'s "so"\n', " /* (select 1 */ ", "--\n"]
NAMES = ["lot", "nxt", "id", "qty", "by", "name", "h", "c", "p", "x", "y", "d", "e", "l"]
QUOTINGS: list[Callable[[str], str]] = [
    str.upper, str.title, '"{}"'.format, "[{}]".format, "`{}`".format, '"{}"'.format, lambda name: f'"{name.upper()}"',
]  # fmt: skip
ITEMS = [  # before FROM
    *(", count(*)", ", max(id)", ", sum(qty) over ()", ", rank() over (order by id)", ", lead(lot) over w"),
    *(", 1 one", ", (select max(id) from p)", ", (select count(*) from c where c.lot = lot)"),
    *(", group_concat(lot)", ", total(qty)", ", lag(lot) over (partition by lot order by id)"),
    *(", count(*) filter (where id > 1)", ", json_group_array(lot)", " as lot", " lot", " as 'lot'", " as [lot]"),
    *(", nxt as lot", ", 'x' lot", ", *", ", h.*", ", id as lot", ', nxt "lot"', " collate nocase", " is null"),
    *(" || ''", ", +lot", ", (lot)", ", iif(1, lot, nxt)", ", (select max(h.id) from p)"),
    *(", ntile(2) over (partition by lot)", ", sum(id) over (partition by lot, nxt)", ", min(nxt)"),
    *(", (select lot) as lot",),
]  # fmt: skip
SOURCES = [  # before WHERE
    *(", c", " join c using (lot)", " left join p using (id)", " natural join c", " cross join p"),
    *(" join c on 1 = 1", " full join c using (lot)", " not indexed", " as h", " left join c on c.lot = lot"),
    *(", (select 'a' as lot) z", " right join p on 1", " join (select max(id) as m from h) m"),
    *(", (values (1), (2))", " left join (select * from c) c"),
]  # fmt: skip
CONDITIONS = [  # after the keys
    *(" or 1 = 1", " or lot = 'a'", " and not (1 = 0)", " collate nocase", " is null", " is not null"),
    *(" and lot > ''", " between 0 and 1", " and exists (select 1 from p)", " = 1", " in (1)"),
    *(" and nxt in (select lot from c)", " isnull", " and (lot, id) in (select lot, max(id) from h group by lot)"),
    *(" and id = (select max(id) from h)", " or null", " and nxt = (select max(nxt) from h x where x.lot = h.lot)"),
    *(" is 1", " <> 0", " -- and 1 = 0\n"),
]  # fmt: skip
TAILS = [  # at the end of a SELECT
    *(" limit 1", " limit 1, 2", " limit 2 offset 1", " limit (1 + 1)", " LiMiT\n3", " limit -1"),
    *(" order by 1 limit 1", " union all select lot from c", " union select lot, id from h"),
    *(" union all select * from c", " except select 'a'", " intersect select lot from h"),
    *(" union all values ('a')", " group by nxt", " group by lot", " group by 1", " group by 2"),
    *(" having count(*) > 1", " group by lot having max(id) > 0", " window w as (order by id)"),
    *(" order by max(id)", " order by 2", " group by lot, nxt", " group by lot || ''", " group by (lot)"),
    *(" group by lot collate nocase", " order by lot, id"),
]  # fmt: skip
ANYWHERE = [
    *("(", ")", "((", "))", ",", ".", ";", " in ", "*", "+", "-", "||", "=", "'", '"', "`", "[", "]", "\\", ":x"),
    *("?", "#", " with recursive", " with z as (select 1)", " materialized", " values", " select", " from"),
    *(" where", " and ", " or ", "/*", "*/", "--", "\n", "$$", "q'[", "e'", "::text", " over ("),
    *(" rows 1 preceding", " nulls first", " desc", " 1e0", " not", " distinct", " all"),
    *(" case when id then nxt else lot end", " coalesce(lot, nxt)", " as c(lot)", "1", "x'00'"),
]  # fmt: skip
PLAIN = [  # each change of these stands alone: nothing else is there to be refused
    "select lot, id, nxt from h where lot in (:keys)",
    "select lot from (select lot, qty, id, nxt from h where lot in (:keys)) d where id >= 0",
    "with d as (select * from h where lot in (:keys)) select lot, nxt from d where 1 = 1 order by id",
    "select h.lot, c.name from h join c on c.id = h.id where h.lot in (:keys) order by 1",
]
TRIES = 10  # to change a statement so that it still is one
_PLACES = {"from": ITEMS, "where": SOURCES, "order": TAILS, ")": TAILS}  # the word before which a fragment is put


def read_by_sqlite() -> st.SearchStrategy[str]:
    """Statements that SQLite reads: of those that are put together at random it is a third."""
    return statements().filter(reads)


@st.composite
def respelled(draw: st.DrawFn) -> str:
    """A statement with other white space, comments between its words, and names in other quotes."""
    return _respelled(draw(read_by_sqlite()), Random(draw(st.integers(0, 2**32))))


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A statement with a few pieces taken out, doubled, exchanged or put in; SQLite reads most of them."""
    chance = Random(draw(st.integers(0, 2**32)))  # one draw: hypothesis takes milliseconds for a hundred
    sql = draw(st.one_of(st.sampled_from(PLAIN), read_by_sqlite()))
    for _ in range(TRIES):
        pieces = _PIECE.findall(sql)
        for _ in range(chance.choice([1, 1, 1, 2, 2, 3])):
            _change(pieces, chance)
        if reads("".join(pieces)):
            break
    found = "".join(pieces)
    return _respelled(found, chance) if chance.random() < 0.3 else found


def soup() -> st.SearchStrategy[str]:
    """Text of any kind: characters, bytes that are no text, tokens in any order, a statement with damage."""
    fragments = [*ITEMS, *SOURCES, *CONDITIONS, *TAILS, *ANYWHERE, *ANYWHERE, *SPACES, *NAMES]
    parts = [*fragments, ":keys", "in (:keys)", "select ", "__[POSTCOMPILE_keys]", "\0", "\ud800", "é"]
    tokens = st.lists(st.sampled_from(parts), max_size=40).map("".join)
    around = st.tuples(tokens, tokens).map("select lot from h where lot in (:keys)".join)
    latin = st.binary(max_size=200).map(lambda data: data.decode("latin-1"))
    return st.one_of(st.text(), latin, tokens, around, changed())


def reads(sql: str) -> bool:
    """Tell whether SQLite reads *sql*, on the tables of `tests.sql.statements`."""
    try:
        _tables().execute(f"explain {sql.replace(':keys', 'null')}").close()
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return False
    return True


@cache
def _tables() -> sqlite3.Connection:
    con = sqlite3.connect(":memory:")
    atexit.register(con.close)
    for name, columns in TABLES.items():
        con.execute(f"create table {name} ({', '.join(columns)})")
    return con


def _respelled(sql: str, chance: Random) -> str:
    pieces = _PIECE.findall(sql)
    for position, piece in enumerate(pieces):
        if piece.isspace() and chance.random() < 0.25:
            pieces[position] = chance.choice(SPACES)
        elif piece in NAMES and chance.random() < 0.2:
            pieces[position] = chance.choice(QUOTINGS)(piece)
        elif piece.isalpha() and piece not in NAMES and chance.random() < 0.1:
            pieces[position] = piece.swapcase()
    return "".join(pieces)


def _change(pieces: list[str], chance: Random) -> None:
    at = chance.randrange(len(pieces))
    match chance.choice(["put in"] * 7 + ["anywhere", "take out", "double", "exchange", "rename", "rename"]):
        case "put in":
            places = [(place, _PLACES[piece]) for place, piece in enumerate(pieces) if piece in _PLACES]
            keys = [(place + 2, CONDITIONS) for place, piece in enumerate(pieces) if piece == ":keys"]
            place, fragments = chance.choice([*places, *keys * 2, (len(pieces), TAILS)])
            pieces.insert(place, f"{chance.choice(fragments)} ")
        case "anywhere":
            pieces.insert(at + 1, chance.choice(ANYWHERE))
        case "take out" if len(pieces) > 1:
            del pieces[at]
        case "double":
            pieces.insert(at, pieces[at])
        case "exchange":
            other = chance.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        case _:
            named = [place for place, piece in enumerate(pieces) if piece.strip('"[]`').lower() in NAMES]
            if named:
                pieces[chance.choice(named)] = chance.choice(NAMES)
