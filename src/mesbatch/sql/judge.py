"""Judgement of a statement with ``IN (:keys)``: which columns of its result are the key, and may it be cut by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from mesbatch.errors import NotSplittable
from mesbatch.sql.clauses import split_clauses
from mesbatch.sql.doubt import Doubt
from mesbatch.sql.filter import read_filter
from mesbatch.sql.joins import check_joins
from mesbatch.sql.key_column import KeyColumn, column_of_subquery
from mesbatch.sql.outputs import Outputs, Unproved
from mesbatch.sql.per_key import judge_distinct, judge_groups, judge_windows
from mesbatch.sql.query import check_reads, find_keys
from mesbatch.sql.select import Select, check_ending, check_rownum, read_select
from mesbatch.sql.stable import check_clear, check_stable
from mesbatch.sql.tokens import tokenize, without_space
from mesbatch.sql.tree import Parens, enclosing_query, query_around, read_tree
from mesbatch.sql.withs import Use, Withs, find_use, index_uses

ADVICE = "use a strategy that runs one statement for all keys, or say splittable=True if you know that it is"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The key in the result of a statement, and the reason against cutting the statement by key.

    *key_outputs* are the positions, from 0, of the columns of the result that are the very column on the left of
    ``IN (:keys)``; empty when that is not proved, for the reason *unproved*. *refusal* says why the statement may not
    be run for parts of the keys; None when it may.
    """

    key_outputs: tuple[int, ...]
    unproved: str | None
    refusal: str | None


def judge(sql: str, columns: Sequence[str] | None, *, splittable: bool = False) -> Judgement:
    """Judge *sql*, whose result has *columns* as the database describes them; None when the driver cannot tell them.

    The statement may be cut when running it for parts of the keys gives together the rows of running it once, for any
    parts: ``IN (:keys)`` must be one of the conditions that a WHERE joins by AND, in the statement itself, in a derived
    table at the beginning of its FROM, or in a WITH that is used once, there. DISTINCT, GROUP BY and PARTITION BY must
    have the column of the keys. With *splittable* the caller swears that it may: there is no *refusal*, and no function
    that is not known aggregates, which would make a row without a key.

    Takes on trust, because no text tells it: that two different keys never equal the same value (as they do under a
    case-insensitive collation); that functions of unknown names in WHERE and FROM are no more volatile than the data;
    that a choice which the statement leaves open (ROW_NUMBER over ties, DISTINCT ON without ORDER BY) does not matter
    to the caller; that ``*`` leaves out no column that the statement names (as it does with Oracle's INVISIBLE ones),
    and that ``t.x`` is no function of t (as it may be on PostgreSQL where t has no column x).

    Raises:
        StatementError: *sql* is not one statement that reads, or has no ``IN (:keys)``.

    >>> judge("select qty, lot as l from moves where lot in (:keys) and qty > 0", ["qty", "l"])
    Judgement(key_outputs=(1,), unproved=None, refusal=None)
    >>> judge("select m.*, w.name from m join w using (id) where m.lot in (:keys)", ["id", "LOT", "name"]).key_outputs
    (1,)
    >>> judge("select next_lot as lot from moves where lot in (:keys)", ["lot"]).unproved
    'no output is certainly the column on the left of IN (:keys)'
    >>> judge("select count(*) from moves where lot in (:keys)", ["count"]).refusal
    "not known to look at one row only: 'count(*)'"
    """
    text = check_reads(sql)
    keys = len(find_keys(text).before)
    judgement = _Judge(text, is_sworn=splittable)
    try:
        judgement.judge_text()
        positions = judgement.follow(keys).find_keys(columns)
    except Doubt as doubt:
        return Judgement((), str(doubt), None if splittable else judgement.refusal or str(doubt))
    except Unproved as reason:
        return Judgement((), str(reason), judgement.refusal)
    return Judgement(positions, None, judgement.refusal)


def check_splittable(sql: str, key: str) -> None:
    """Check that *sql* may be run for parts of the keys; *key* names their column in the message.

    Raises:
        NotSplittable: the parts could differ from the whole, or nobody can tell; the message says for which words.
        StatementError: *sql* is not one statement that reads, or has no ``IN (:keys)``.
    """
    refusal = judge(sql, None).refusal
    if refusal:
        raise NotSplittable(f"reading by parts of the key {key!r} could change the result: {refusal}; {ADVICE}")


@dataclass(frozen=True, slots=True)
class _Origin:
    """The place in a SELECT where the rows of the keys come from, by the character where it starts.

    It is the filter's parenthesis or, with *outputs*, a subquery or the name of a WITH.
    """

    start: int
    outputs: Outputs | None = None


class _Judge:
    """One statement under judgement; *refusal* is the first reason against cutting it."""

    def __init__(self, text: str, *, is_sworn: bool) -> None:
        self._tokens = tokenize(text)
        self._root = read_tree(without_space(self._tokens))
        self._is_sworn = is_sworn
        self._withs: dict[int, Withs] = {}
        self.refusal: str | None = None

    def judge_text(self) -> None:
        """Judge single words, before any clause.

        Raises:
            Doubt: databases read the text in different ways.
        """
        check_clear(self._tokens)
        with self._refusing(ends=True):
            check_stable(self._root)

    def follow(self, keys: int) -> Outputs:
        """Judge the queries around the character *keys* from the inside out, up to the outputs of the statement.

        Raises:
            Doubt: the way from the keys to the outputs is not known.
        """
        query, origin = query_around(self._root, keys), _Origin(keys)
        while True:
            outputs = self._judge_query(query, origin)
            if query.parent is None:
                return outputs
            outer = enclosing_query(query.parent)
            origin = _Origin(query.start, outputs)
            if found := self._withs_of(outer).find(query):
                use = find_use(found, outer, self._uses)
                origin = _Origin(use.token.start, outputs.rename(found.columns))
                outer = enclosing_query(use.parens)
            query = outer

    def _withs_of(self, query: Parens) -> Withs:
        if query.start not in self._withs:
            self._withs[query.start] = Withs(query)
        return self._withs[query.start]

    def _judge_query(self, query: Parens, origin: _Origin) -> Outputs:
        clauses = split_clauses(query.nodes)
        place = next((clause.word for clause in clauses if clause.contains(origin.start)), "a WITH")
        select = read_select(clauses, query.nodes)
        column = _find_column(select, place, origin)
        outputs = column.outputs(select.items)
        with self._refusing():
            check_ending(select, query.nodes)
        with self._refusing():
            check_rownum(select)
        with self._refusing():
            judge_distinct(select, column, outputs)
        with self._refusing(ends=True):
            judge_groups(select, column, outputs)
        with self._refusing():
            judge_windows(select, column)
        return outputs

    @contextmanager
    def _refusing(self, *, ends: bool = False) -> Iterator[None]:
        """Take a `Doubt` as a reason not to cut the statement; go on, unless it *ends* what is known of the outputs."""
        try:
            yield
        except Doubt as doubt:
            if self._is_sworn:
                return
            self.refusal = self.refusal or str(doubt)
            if ends:
                raise

    @cached_property
    def _uses(self) -> Mapping[str, Sequence[Use]]:
        return index_uses(self._root)


def _find_column(select: Select, place: str, origin: _Origin) -> KeyColumn:
    """Find the column of the keys in *select*, whose clause *place* has the *origin*."""
    if place == "WHERE" and origin.outputs is None:
        return read_filter(select, origin.start)
    source = select.clauses["FROM"]
    if place == "FROM" and origin.outputs is not None and source[0].start == origin.start:
        check_joins(select)
        return column_of_subquery(select.scope, origin.outputs)
    where = {"FROM": "FROM, but not in a derived table at its beginning", "WHERE": "a subquery of WHERE"}
    raise Doubt(f"the keys stand in {where.get(place, f'{place}, not in WHERE')}", select.clauses.get(place, source))
