"""A caller's SQL with one ``IN (:keys)``: keys go in as text and binds, in the driver's own style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesbatch.errors import StatementError
from mesbatch.sql.query import KeyFilter, find_keys
from mesbatch.sql.tokens import tokenize

Params = Mapping[str, Any] | Sequence[Any] | None  # the caller's own, in the driver's style

# How a bind is written when parameters go by position, and when they go by name; the words are PEP 249's.
BINDS = {
    "qmark": ("?", ":{}"),
    "named": (":{}", ":{}"),
    "format": ("%s", "%({})s"),
    "pyformat": ("%s", "%({})s"),
    "qmark_dollar": ("?", "${}"),  # DuckDB, whose module calls it qmark
    "qmark_pyformat": ("?", "%({})s"),  # mariadb, whose module calls it qmark
    "verbatim": ("%s", "%({})s"),  # mysql-connector-python, which calls it pyformat and takes `%%` as it stands
}
PARAMSTYLES = ("qmark", "named", "format", "pyformat")  # PEP 249's
PERCENT = frozenset({"format", "pyformat"})  # a percent sign that is no bind is written twice
# Binds with numbers, by their sign; not words of PEP 249. ADBC's PostgreSQL has no others, DuckDB and SQLite take both.
NUMBERED = {"numeric_dollar": "$", "numeric_qmark": "?"}
OWN_NAMES = "mesbatch_"


@dataclass(frozen=True)
class KeyedStatement:
    """A statement with one ``IN (:keys)``; *paramstyle* is DB-API's word for the way to write binds."""

    text: str
    params: Params
    filter: KeyFilter
    paramstyle: str

    @classmethod
    def parse(cls, text: str, params: Params, paramstyle: str) -> KeyedStatement:
        """Find ``:keys`` in *text*.

        Raises:
            StatementError: it is missing, doubled or not in ``IN (:keys)``; or the driver numbers its binds, or nobody
                knows how it writes them.
        """
        if not paramstyle:
            raise StatementError(
                f"keys are binds, and the driver's module does not say how it writes them: name one of "
                f"{', '.join(PARAMSTYLES)} with paramstyle="
            )
        if paramstyle not in BINDS and paramstyle not in NUMBERED:
            raise StatementError(
                f"keys need a driver whose paramstyle is one of {', '.join(PARAMSTYLES)}; this one's is {paramstyle!r}"
            )
        paramstyle = style_beside(text, params, paramstyle)
        if params and not isinstance(params, Mapping) and paramstyle in ("qmark", "qmark_dollar"):
            _check_count(text, len(params))
        if params is None and paramstyle in PERCENT:
            text = text.replace("%", "%%")  # nothing was to be bound, so a percent sign was only itself
        return cls(text, params, find_keys(text), paramstyle)

    def written(self, text: str) -> str:
        """*text* that has no binds, as it stands in a statement of this driver."""
        return text.replace("%", "%%") if self.paramstyle in PERCENT else text

    def placeholders(self, count: int) -> list[str]:
        """Write *count* binds for keys."""
        if self.paramstyle in NUMBERED:
            return numbered(self.paramstyle, self.params, count)
        by_position, by_name = BINDS[self.paramstyle]
        style = by_name if isinstance(self.params, Mapping) else by_position
        if "{" not in style:
            return [style] * count
        return [style.format(bind_name(i)) for i in range(count)]

    def count_binds_before(self) -> int:
        """The driver's own binds before ``:keys``: for psycopg a question mark is an operator, ``[1:2]`` a slice."""
        mark = BINDS[self.paramstyle][0][0]
        return sum(token.kind == "bind" and token.text.startswith(mark) for token in tokenize(self.filter.before))

    def with_keys(
        self, inside: str, values: Sequence[Any] = (), *, head: str = "", tail: str = ""
    ) -> tuple[str, Params]:
        """Write the text with *inside* in place of ``:keys``, *head* before and *tail* after it, and all parameters.

        The *values* belong to the placeholders in *head* when it has any, else to those in *inside*.
        """
        before, after = self.filter.before, self.filter.after
        text = f"{head}{before}({inside}){after}{tail}"
        if isinstance(self.params, Mapping):
            return text, {**self.params, **{bind_name(i): value for i, value in enumerate(values)}}
        given = tuple(self.params or ())
        if self.paramstyle in NUMBERED:
            return text, (*given, *values)
        split = 0 if head or not given else self.count_binds_before()
        return text, (*given[:split], *values, *given[split:])


def numbered(paramstyle: str, params: Params, count: int) -> list[str]:
    """Write *count* binds whose numbers count on after those of the caller's *params*."""
    first = len(params or ()) + 1
    return [f"{NUMBERED[paramstyle]}{number}" for number in range(first, first + count)]


def bind_name(number: int) -> str:
    """The name of a bind of ours, where binds go by name."""
    return f"{OWN_NAMES}{number}"


def style_beside(text: str, params: Params, paramstyle: str) -> str:
    """Choose the style of our own binds beside those that *text* has for *params*.

    Where the caller's binds are ``?1`` or ``$1``, ours have numbers, too: a bind without one would take any place.

    Raises:
        StatementError: the caller's binds and ours could be taken for one another, or are of two kinds.
    """
    if isinstance(params, Mapping):
        if taken := [name for name in params if str(name).startswith(OWN_NAMES)]:
            raise StatementError(f"names of parameters that begin with {OWN_NAMES!r} are ours: rename {taken[0]!r}")
        return paramstyle
    if not params or paramstyle not in ("qmark", "qmark_dollar"):
        return paramstyle
    binds = [token.text for token in tokenize(text) if token.kind == "bind"]
    for style, sign in NUMBERED.items():
        numbers = {int(bind[1:]) for bind in binds if bind[0] == sign and bind[1:].isdecimal()}
        if numbers and (sign == "?" or paramstyle == "qmark_dollar"):
            if "?" in binds or max(numbers) > len(params):
                raise StatementError(
                    f"the binds of the statement are to be {sign}1 to {sign}{len(params)}, for as many values"
                )
            return style
    return paramstyle


def _check_count(text: str, given: int) -> None:
    """Refuse binds that are not counted, such as SQLite's ``:name`` beside a sequence: ours would come before them."""
    count = sum(token.text == "?" for token in tokenize(text) if token.kind == "bind")
    if count != given:
        raise StatementError(
            f"the statement has {count} binds of the form ?, and {given} values were given for them in order; for "
            "binds with names pass a mapping"
        )
