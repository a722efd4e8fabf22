"""Statements put together at random around one ``IN (:keys)``: most are sound, some only look so."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

KEYS = ["a", "b", "c", "d", "nowhere", "only in c"]
TABLES = {
    "h": ("lot text", "nxt text", "id integer", "qty integer", "by text"),
    "c": ("lot text", "id integer", "name text", "qty integer"),
    "p": ("id integer", "nxt text"),
}
TEXTS = [*KEYS[:4], KEYS[5], None]
_NUMBERS = [0, 1, 2, 3, None]


@st.composite
def tables(draw: st.DrawFn, texts: Sequence[str | None] = TEXTS) -> dict[str, list[tuple[object, ...]]]:
    """A few rows for each of `TABLES`."""

    def row(columns: tuple[str, ...]) -> st.SearchStrategy[tuple[object, ...]]:
        return st.tuples(*(st.sampled_from(texts if column.endswith("text") else _NUMBERS) for column in columns))

    return {name: draw(st.lists(row(columns), max_size=8)) for name, columns in TABLES.items()}


# A FROM, and the ways to write a column that may be the key's.
SOURCES = [
    ("h", ["lot", "h.lot", "nxt", "LOT", "H.lot", '"lot"', "[lot]"]),
    ("h x", ["lot", "x.lot", "x.nxt"]),
    ("h as 'x'", ["lot", "x.lot"]),
    ("h join c on c.id = h.id", ["h.lot", "c.lot", "h.nxt", "nxt", "name"]),
    ("c left join h on c.id = h.id", ["h.lot", "c.lot", "h.nxt"]),
    ("h right join p on p.id = h.id", ["lot", "h.lot", "h.nxt", "p.nxt"]),
    ("h join p using (id)", ["lot", "h.lot", "p.nxt", "h.nxt"]),
    ("h join c using (lot)", ["lot", "h.lot", "c.lot", "nxt"]),
    ("h left join c using (lot, id)", ["lot", "h.lot", "c.lot"]),
    ("c right join h using (lot)", ["lot", "h.lot", "c.lot"]),
    ("h full join c using (lot)", ["lot", "h.lot", "c.lot"]),
    ("h full join c using (lot) left join p on p.id = h.id", ["lot", "h.lot", "c.lot", "h.nxt", "p.nxt"]),
    ("h natural join c", ["lot", "h.lot", "c.lot", "nxt"]),
    ("h natural full join p", ["lot", "nxt", "h.nxt", "p.nxt"]),
    ("h, p", ["lot", "h.lot", "p.nxt"]),
    ("p, h x, c", ["x.lot", "c.lot", "name"]),
    ("h x join h y on y.nxt = x.lot", ["x.lot", "y.lot", "x.nxt"]),
    ("(h join p using (id))", ["lot", "h.lot", "p.nxt", "h.nxt"]),
    ("(select nxt as lot, lot as nxt, id from h) h", ["lot", "h.lot", "nxt"]),
    ("(select * from h join c on c.id = h.id) x", ["lot", "x.lot", "nxt", "x.name"]),
]
ALIASES = ["lot", "LOT", '"lot"', "'lot'", "[lot]", "`lot`", '"LOT"', "nxt", "name", "l", "'l'", '"l"', "id"]
OTHER_ITEMS = [
    "id",
    "qty",
    "nxt",
    "h.nxt",
    "c.*",
    "h.*",
    "x.*",
    "p.*",
    "*",
    "coalesce(nxt, lot)",
    "coalesce({key}, 'a')",
    "{key} || ''",
    "{key} collate nocase",
    "({key})",
    "+{key}",
    "likely(nxt)",
    "case when 1 = 1 then nxt else lot end",
    "(select lot from c limit 1)",
    "(select name from c where c.lot = {key} limit 1)",
    "count(*)",
    "max({key})",
    "row_number() over (partition by {key} order by id)",
    "count(*) over (partition by nxt)",
    "cast(nxt as text)",
    "nxt 'lot'",
    "nxt is null lot",
    "{key} is null",
    "'a'",
    "h.count",
    "max(nxt) filter (where id > 1) over w",
]
CONDITIONS = [
    *["{key} in (:keys)"] * 8,
    "({key} in (:keys))",
    "({key} in (:keys) and 1 = 1)",
    "upper({key}) in (:keys)",
    "{key} not in (:keys)",
    "({key} in (:keys) or 1 = 0)",
    "{key} collate nocase in (:keys)",
    "({key} in (:keys)) = 1",
    "not {key} in (:keys)",
]
OTHER_CONDITIONS = [
    "1 = 1",
    "id between 0 and 2",
    "case when id = 1 and 1 = 1 then 0 else 1 end",
    "nxt is not null",
    "id = 1 or id = 2",
    "exists (select 1 from c z where z.id = 1)",
    "by <> 'b'",
    "id in (select id from p limit 2)",
    "nxt || '' > 'a'",
]
ORDERS = [
    "1",
    "id desc, 1",
    "by",
    "id + 1",
    "nxt collate nocase desc nulls last",
    "+id",
    "- id limit 2",
    "by limit 1",
    "id limit 2 offset 1",
    "id limit 2",
    "1 limit - 1",
    "case when id = 1 then 1 end limit 1",
    "h.by limit 1",
    "by, by",
]
# Around a statement {0}: {1} and {2} are items of the outer one.
AROUND = [
    *["select {1}, {2} from ({0}) d"] * 3,
    *["with d as ({0}) select {1}, {2} from d"] * 3,
    "with d as materialized ({0}) select {1} from d x where 1 = 1 order by 1",
    "with d(l, lot) as ({0}) select {1} from d",
    "with d(lot, l) as not materialized ({0}) select {1}, {2} from d",
    "with d as ({0}), e as (select {1} from d) select {2} from e",
    "select {1} from (with d as ({0}) select * from d) d",
    "with e as (select * from c limit 1), d as ({0}) select {1} from d left join e on e.id = d.id",
    "with h as ({0}) select {1} from h",
    "with d as ({0}) select {1} from d, d e",
    "with d as ({0}) select {1} from c, d",
    "with d as ({0}) select {1} from c d, d as e",
    "with d as ({0}) select {1}, (select count(*) from d) as n from d",
    "with e as (select * from d), d as ({0}) select {1} from e",
    "with recursive d as ({0}) select {1} from d",
    "select {1} from ({0}) d left join c using (lot)",
    "select {1} from ({0}) d join p on p.id = d.id",
    "select {1} from ({0}) d natural join c",
    "select {1} from ({0}) d right join c on c.lot = d.lot",
    "select {1} from c left join ({0}) d on d.lot = c.lot",
    "select {1} from ({0}) order by 1",
    "select {1}, count(*) as n from ({0}) d group by {2}",
    "select distinct {1} from ({0}) d",
    "select {1} from ({0}) d where 'lot' in (select lot from c) or 1 = 1",
    "select {1} from ({0}) d limit 2",
    "select {1}, sum(1) over (partition by {2}) as n from ({0}) d",
    "select {1} from (select * from ({0}) d) e, p",
]
OUTER_ITEMS = [
    "lot",
    "d.lot",
    "*",
    "d.*",
    "l",
    "nxt",
    "c.*",
    "e.*",
    "nxt as lot",
    "lot as l",
    "lot as nxt",
    "d.nxt",
    "d.lot as 'x'",
    "c.lot",
    "h.lot",
    '"lot"',
    '"LOT"',
    "d.*, 1 as one",
    "upper(lot) as lot",
    "x.lot",
    "name as lot",
    "p.*",
    "e.lot",
]


@st.composite
def selects(draw: st.DrawFn, *, witness: bool = False) -> str:
    """One SELECT with the keys in its WHERE; with *witness* its last output is the column left of IN."""
    source, columns = draw(st.sampled_from(SOURCES))
    key = draw(st.sampled_from(columns))

    def item() -> str:
        kind = draw(st.integers(0, 5))
        text = key if kind < 2 else draw(st.sampled_from(columns)) if kind < 4 else draw(st.sampled_from(OTHER_ITEMS))
        if draw(st.booleans()) and not text.endswith("*"):
            text += draw(st.sampled_from([" as ", " "])) + draw(st.sampled_from(ALIASES))
        return text

    items = ", ".join(item() for _ in range(draw(st.integers(1, 4)))) + (f", {key} as witness" if witness else "")
    terms = [draw(st.sampled_from(CONDITIONS)), *draw(st.lists(st.sampled_from(OTHER_CONDITIONS), max_size=2))]
    distinct = draw(st.sampled_from(["", "", "", "distinct "]))
    sql = f"select {distinct}{items} from {source} where {' and '.join(draw(st.permutations(terms)))}"
    if draw(st.integers(0, 4)) == 0:
        sql += f" group by {draw(st.sampled_from([key, *columns, '1', '2', 'lot, id']))}"
    sql += " window w as (partition by {key} order by id)" if " over w" in sql else ""
    if draw(st.integers(0, 2)) == 0:
        sql += f" order by {draw(st.sampled_from(ORDERS))}"
    return sql.replace("{key}", key)


@st.composite
def sound_selects(draw: st.DrawFn) -> str:
    """One SELECT that may be read in parts: its output `found` is the column of the keys."""
    source, columns = draw(st.sampled_from(SOURCES))
    key = draw(st.sampled_from(columns))
    more = draw(st.lists(st.sampled_from([*columns, "1", "'a'"]), max_size=2))
    items = [f"{key} as found", *(f"{item} as more_{number}" for number, item in enumerate(more))]
    items += draw(st.sampled_from([[], [f"row_number() over (partition by {key} order by 1) as n"]]))
    terms = [f"{key} in (:keys)", *draw(st.lists(st.sampled_from(OTHER_CONDITIONS[:5]), max_size=1))]
    order = draw(st.sampled_from(["", "", " order by 1", " order by 1 desc"]))
    return f"select {', '.join(draw(st.permutations(items)))} from {source} where {' and '.join(terms)}{order}"


@st.composite
def statements(draw: st.DrawFn, *, witness: bool = False) -> str:
    """A SELECT, alone or within up to two others; with *witness* an output of that name is the column left of IN."""
    sql = draw(selects(witness=witness))
    for _ in range(draw(st.integers(0, 2))):
        items = [draw(st.sampled_from(OUTER_ITEMS)) for _ in range(2)]
        sql = draw(st.sampled_from(AROUND)).format(sql, items[0] + ", witness" * witness, items[1])
    return sql
