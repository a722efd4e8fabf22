"""Whether a statement means the same when it is run once for all keys and once for each part of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mesbatch.errors import NotSplittable
from mesbatch.sql.clauses import closing, column_name, is_subquery, own_tokens, split_clauses, subquery_tokens
from mesbatch.sql.functions import SCALAR_FUNCTIONS, VOLATILE_FUNCTIONS, VOLATILE_NAMES
from mesbatch.sql.key_column import Doubt, KeyColumn, Select, read_outputs, read_select
from mesbatch.sql.per_key import judge_distinct, judge_groups, judge_windows
from mesbatch.sql.query import check_reads, find_keys
from mesbatch.sql.tokens import Token, significant_tokens, tokenize, unquote

ADVICE = "use a strategy that runs one statement for all keys, or say splittable=True if you know that it is"

_UNCLEAR_COMMENT = re.compile(r"/\*.*/\*|--.*\r(?!\n)", re.DOTALL)  # databases disagree on where it ends
_JOINS_OF_THE_LEFT = frozenset({"JOIN", "INNER", "LEFT", "CROSS", "NATURAL", "OUTER"})
_MORE_THAN_JOINS = frozenset(
    {"RIGHT", "FULL", "PIVOT", "UNPIVOT", "MATCH_RECOGNIZE", "PARTITION", "MODEL", "TABLESAMPLE", "SAMPLE"}
)
_BEFORE_AN_OPERAND = frozenset(
    {"AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "SYMMETRIC", "CASE", "WHEN"}
    | {"THEN", "ELSE", "COLLATE", "ESCAPE", "DISTINCT", "FROM", "TO", "ZONE", "DATE", "TIMESTAMP", "INTERVAL"}
)
_AFTER_AN_OPERAND = frozenset(
    {"AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "COLLATE", "ESCAPE", "AT"}
    | {"TIME", "ZONE", "SIMILAR", "TO", "NULL", "ISNULL", "NOTNULL", "WHEN", "THEN", "ELSE", "END", "FROM", "WITHOUT"}
    | {"WITH", "PRECISION", "VARYING", "OVERLAPS", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
)


def check_splittable(sql: str, key: str) -> None:
    """Check that running *sql* for parts of the keys gives together the rows of running it once, for any parts.

    Accepts what it knows and refuses the rest: ``IN (:keys)`` must be one of the conditions that a WHERE joins by AND,
    in the statement itself or in a derived table at the beginning of its FROM. DISTINCT, GROUP BY and PARTITION BY
    must have the column that stands left of that IN.

    Taken on trust, because no text tells it: that *key*, the output that the caller names, is that column; that two
    different keys never equal the same value (as they do under a case-insensitive collation); that functions of
    unknown names in WHERE and FROM are no more volatile than the data; that a choice which the statement leaves open
    (ROW_NUMBER over ties, DISTINCT ON without ORDER BY) does not matter to the caller; that ``*`` has the column.

    Raises:
        NotSplittable: the parts could differ from the whole, or nobody can tell; the message says for which words.
        StatementError: *sql* is not one statement that reads, or has no ``IN (:keys)``.

    >>> check_splittable("select distinct lot, qty from moves where lot in (:keys) and qty > 0", "lot")
    >>> check_splittable("select count(*) from moves where lot in (:keys)", "lot")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mesbatch.errors.NotSplittable: reading by parts of the key 'lot' could change the result: not known to look at ...
    """
    sql = check_reads(sql)
    place = find_keys(sql)
    try:
        _check_stable(sql)
        _judge_select(significant_tokens(sql), len(place.before))
    except Doubt as doubt:
        raise NotSplittable(f"reading by parts of the key {key!r} could change the result: {doubt}; {ADVICE}") from None


def _check_stable(sql: str) -> None:
    tokens = tokenize(sql)
    for token in tokens:
        if token.kind == "comment" and _UNCLEAR_COMMENT.match(token.text):
            raise Doubt("databases disagree on where this comment ends", [token])
        if token.word in VOLATILE_NAMES:
            raise Doubt("answers differently each time", [token])
    for token, following in pairwise(token for token in tokens if token.kind not in ("space", "comment")):
        if following.text == "(" and token.identity and unquote(token.text).upper() in VOLATILE_FUNCTIONS:
            raise Doubt("answers differently each time", [token, following])


def _judge_select(tokens: Sequence[Token], keys: int) -> KeyColumn:
    """Judge the SELECT whose ``:keys`` stand at the character *keys*; its outputs that are the column of the keys."""
    clauses = split_clauses(tokens)
    place = next((clause.word for clause in clauses if clause.contains(keys)), "a WITH")
    select = read_select(clauses, tokens)
    if place == "WHERE":
        column = _judge_filter(select, keys)
    elif place == "FROM":
        column = _judge_derived_table(select, keys)
    else:
        raise Doubt(f"the keys stand in {place}, not in WHERE", tokens)
    _check_words(select)
    judge_distinct(select, column)
    judge_groups(select, column)
    judge_windows(select, column)
    return read_outputs(select, column)


def _judge_filter(select: Select, keys: int) -> KeyColumn:
    operand = _find_filter(select.clauses["WHERE"], keys)
    *qualifier, name = column_name(operand) or ("",)
    if not name:
        _check_expression(operand)
        return KeyColumn()
    return KeyColumn(frozenset({name}), tuple(qualifier), select.has_one_source)


def _find_filter(condition: Sequence[Token], keys: int) -> Sequence[Token]:
    """What stands left of ``IN (:keys)``, which must be a term of *condition*, or of a term that is in parentheses."""
    term = next(term for term in _conjuncts(condition) if term and term[0].start <= keys < term[-1].end)
    if term[0].text == "(" and closing(term, 0) == len(term) - 1:
        if is_subquery(term, 0):
            raise Doubt("the keys stand in a subquery of WHERE", term)
        return _find_filter(term[1:-1], keys)
    if len(term) < 5 or term[-4].word != "IN" or term[-3].start != keys:
        raise Doubt("IN (:keys) is not a condition of its own", term)
    if term[-5].word == "NOT":
        raise Doubt("each part would give what belongs to the others", term)
    return term[:-4]


def _conjuncts(condition: Sequence[Token]) -> list[list[Token]]:
    """The terms that AND joins at the depth of *condition*; CASE and BETWEEN keep theirs."""
    terms: list[list[Token]] = [[]]
    cases = betweens = 0
    for previous, token in zip((None, *condition), condition):
        is_own = token.depth == condition[0].depth and not (previous and previous.text == ".")
        word = token.word if is_own else ""
        cases += (word == "CASE") - (word == "END")
        if cases < 0 or (word in ("OR", "XOR") and not cases):
            raise Doubt(f"{word} stands beside the keys", condition)
        betweens += word == "BETWEEN" and not cases
        joins = word == "AND" and not cases
        if joins and not betweens:
            terms.append([])
        else:
            terms[-1].append(token)
            betweens -= joins
    return terms


def _check_expression(operand: Sequence[Token]) -> None:
    """Accept a known function, or a column's cast; anything else could bind weaker than IN, or equal two keys."""
    is_call = len(operand) > 3 and operand[1].text == "(" and closing(operand, 1) == len(operand) - 1
    is_known = is_call and operand[0].word in SCALAR_FUNCTIONS and not subquery_tokens(operand)
    is_cast = len(operand) > 2 and operand[-2].text == "::" and column_name(operand[:-2]) and operand[-1].word
    if not (is_known or is_cast) or any(token.word == "COLLATE" for token in operand):
        raise Doubt("IN (:keys) has neither a column nor a known function on its left", operand)


def _judge_derived_table(select: Select, keys: int) -> KeyColumn:
    source = select.clauses["FROM"]
    end = closing(source, 0)
    if not is_subquery(source, 0) or not source[0].start < keys < source[end].start:
        raise Doubt("the keys stand in FROM, but not in a derived table at its beginning", source)
    inner = _judge_select(source[1:end], keys)
    alias, rest = _cut_alias(source[end + 1 :])
    if alias and rest and rest[0].text == "(" and _is_list_of_names(rest[1 : closing(rest, 0)]):
        inner, rest = KeyColumn(), rest[closing(rest, 0) + 1 :]  # which of the new names is the key's is not followed
    _check_joins(rest, select)
    return KeyColumn(inner.names, alias, select.has_one_source)


def _cut_alias(tokens: Sequence[Token]) -> tuple[tuple[str, ...], Sequence[Token]]:
    has_as = bool(tokens) and tokens[0].word == "AS"
    rest = tokens[1:] if has_as else tokens
    if not rest or not rest[0].identity or rest[0].word in _JOINS_OF_THE_LEFT | _MORE_THAN_JOINS:
        return (), rest
    return (rest[0].identity,), rest[1:]


def _is_list_of_names(tokens: Sequence[Token]) -> bool:
    return all(token.identity for token in tokens[::2]) and all(token.text == "," for token in tokens[1::2])


def _check_joins(rest: Sequence[Token], select: Select) -> None:
    """Only joins that give each row of the derived table, on its own, its rows of the result."""
    if rest and rest[0].text != "," and rest[0].word not in _JOINS_OF_THE_LEFT:
        raise Doubt("what follows the derived table is not known to keep its rows apart", rest)
    for previous, token in pairwise(rest):
        if token.depth == rest[0].depth and token.word in _MORE_THAN_JOINS and previous.text != ".":
            raise Doubt("may give rows that belong to no key, or to more than one", [token])
    where = select.clauses.get("WHERE", ())
    for i, token in enumerate(where):
        if token.text == "+" and [near.text for near in where[i - 1 : i + 2]] == ["(", "+", ")"]:
            raise Doubt("may give rows that belong to no key", where[i - 1 : i + 2])


def _check_words(select: Select) -> None:
    """Refuse ROWNUM, and in conditions any word that could begin a clause which we do not know, such as MODEL."""
    for word, tokens in select.clauses.items():
        for token in own_tokens(tokens):
            if token.word == "ROWNUM":
                raise Doubt("ROWNUM counts the rows of all keys together", [token])
        if word in ("WHERE", "GROUP", "HAVING"):
            for previous, token in pairwise([token for token in tokens if token.depth == tokens[0].depth]):
                _check_word(previous, token)


def _check_word(previous: Token, token: Token) -> None:
    is_expected = token.word in _AFTER_AN_OPERAND or previous.word in _BEFORE_AN_OPERAND
    is_operand = previous.kind == "operator" or previous.text in (",", ".")
    if token.identity and not is_expected and not is_operand:
        raise Doubt("not known what this word does", [previous, token])
