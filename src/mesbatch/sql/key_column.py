"""One SELECT as it is judged for splitting, with the ways in which it may write the column of its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesbatch.sql.clauses import Clause, closing, column_name, own_tokens, split_list
from mesbatch.sql.tokens import Token, write_tokens

JUDGED_CLAUSES = ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER"]

_PSEUDO_COLUMNS = frozenset({"ROWID", "_ROWID_", "OID", "CTID", "TABLEOID", "XMIN", "XMAX", "CMIN", "CMAX"})
_POSTFIX_OPERATORS = frozenset({"ISNULL", "NOTNULL"})


class Doubt(Exception):
    """The reason why a statement may not be cut, and the words that give it."""

    def __init__(self, reason: str, words: Sequence[Token]) -> None:
        super().__init__(f"{reason}: {write_tokens(words)!r}")


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The ways to write the column that ``:keys`` is compared with; none when it is compared with an expression.

    *only_source* says that there is nothing else in FROM, so that any qualifier means the same column. Without it,
    ``b.k`` may be NULL where the ``k`` of ``a LEFT JOIN b USING (k)`` is not.
    """

    names: frozenset[str] = frozenset()
    qualifier: tuple[str, ...] = ()
    only_source: bool = False

    def is_written(self, tokens: Sequence[Token]) -> bool:
        """Whether *tokens* are this column and nothing more."""
        *qualifier, name = column_name(tokens) or ("",)
        return name in self.names and (not qualifier or self._is_source(qualifier))

    def is_in_star(self, item: Sequence[Token]) -> bool:
        """Whether *item* is a ``*`` or ``name.*`` that has this column; pseudo columns are in no star."""
        qualifier = [token.identity for token in item[:-2:2]]
        known = bool(self.names) and not self.names & _PSEUDO_COLUMNS
        return is_star(item) and known and (not qualifier or self._is_source(qualifier))

    def _is_source(self, qualifier: Sequence[str]) -> bool:
        return tuple(qualifier) == self.qualifier or (not self.qualifier and self.only_source)


@dataclass(frozen=True, slots=True)
class Select:
    """The clauses of one SELECT by their first words; *items* are its outputs, without DISTINCT."""

    clauses: Mapping[str, Sequence[Token]]
    items: Sequence[Sequence[Token]]

    @property
    def is_grouped(self) -> bool:
        return "GROUP" in self.clauses

    @property
    def has_one_source(self) -> bool:
        source = own_tokens(self.clauses["FROM"])
        return not any(token.text == "," or token.word in ("JOIN", "APPLY") for token in source)

    @property
    def expressions(self) -> list[Sequence[Token]]:
        """The clauses in which aggregates and window functions can stand when there is no HAVING."""
        return [self.clauses.get(word, ()) for word in ("SELECT", "WINDOW", "ORDER")]


def read_select(clauses: Sequence[Clause], tokens: Sequence[Token]) -> Select:
    """The SELECT that *tokens* are, cut before into *clauses*.

    Raises:
        Doubt: it has a clause that is not the same for a part of the keys, or is no SELECT of a known shape.
    """
    words = [clause.word for clause in clauses]
    for clause in clauses:
        if clause.word not in JUDGED_CLAUSES:
            raise Doubt(f"{clause.word} is not the same for a part of the keys", _first_words(clause, tokens))
    in_order = [word for word in JUDGED_CLAUSES if word in words]
    by_word = {clause.word: clause.tokens for clause in clauses}
    if words != in_order or tokens[0].word not in ("WITH", "SELECT") or not by_word.get("FROM"):
        raise Doubt("not a SELECT whose clauses are known", tokens)
    return Select(by_word, split_list(_without_distinct(by_word["SELECT"])))


def read_outputs(select: Select, column: KeyColumn) -> KeyColumn:
    """The names under which *column* comes out of *select*, each of them meaning nothing else."""
    stars = [item for item in select.items if is_star(item)]
    outputs = [read_output(item) for item in select.items if not is_star(item)]
    names = {name for expression, name in outputs if column.is_written(expression)}
    if stars:  # may bring any name: then only the column's own is certain, and only where nothing else is in FROM
        names = set(column.names) if column.only_source and column.is_in_star(stars[0]) else set()
    others = {name for expression, name in outputs if not column.is_written(expression)}
    return KeyColumn(frozenset(names - others))


def read_output(item: Sequence[Token]) -> tuple[Sequence[Token], str]:
    """The expression of an output, and its name; empty where the database makes one up."""
    name = item[-1].identity if item else ""
    if not name or column_name(item):
        return item, name
    is_operand = len(item) < 2 or item[-2].kind == "operator" or item[-2].text == "."
    if is_operand or item[-1].word in _POSTFIX_OPERATORS:
        return item, ""
    return item[: -2 if item[-2].word == "AS" else -1], name


def is_star(item: Sequence[Token]) -> bool:
    """Whether an output is ``*`` or ``name.*``."""
    return bool(item) and item[-1].text == "*" and (len(item) == 1 or item[-2].text == ".")


def _first_words(clause: Clause, tokens: Sequence[Token]) -> Sequence[Token]:
    return [token for token in tokens if token.start >= clause.start][:4]


def _without_distinct(tokens: Sequence[Token]) -> Sequence[Token]:
    rest = tokens[1:] if tokens and tokens[0].word in ("DISTINCT", "UNIQUE", "ALL") else tokens
    if rest and rest[0].word == "ON":
        rest = rest[closing(rest, 1) + 1 :]
    if len(rest) > 1 and rest[0].word == "TOP" and (rest[1].kind == "number" or rest[1].text == "("):
        raise Doubt("TOP is not the same for a part of the keys", rest[:2])
    return rest
