"""Outputs of one SELECT: those that are the column of the keys, and the names under which others could come out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mesbatch.sql.names import Name, fold, possible_names, read_name, read_path
from mesbatch.sql.tree import Node

_NO_ALIASES = frozenset({"ISNULL", "NOTNULL", "END"})
_UNITS = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"})  # the last word of an interval
_ENDS_OF_OPERANDS = frozenset({"END", "NULL", "TRUE", "FALSE", "PRECISION", "VARYING"})
_BEFORE_AN_OPERAND = frozenset(
    {"NOT", "IS", "COLLATE", "OVER", "TO", "ZONE", "PRIOR", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "BINARY"}
)
_SPREADING = frozenset({"UNNEST", "COLUMNS"})  # DuckDB makes several outputs of one, with names from the data

# How databases rename the second of two outputs of one name: lot:1 (SQLite), lot_1 (DuckDB).
_NUMBERED = r"(.+)[:_]\d+"


class Unproved(Exception):
    """The reason why no output is known to be the column of the keys."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output with its *name*, which is None where the database makes one up, then perhaps one of *words*."""

    is_key: bool = False
    name: Name | None = None
    words: frozenset[str] = frozenset()
    is_spread: bool = False


@dataclass(frozen=True, slots=True)
class Star:
    """The outputs of a ``*``.

    The column of the keys comes out certainly under the names *keys*, and if anything does under the names *perhaps*;
    under the names *only* nothing else comes out, or nothing that a name could mean.
    """

    keys: frozenset[Name] = frozenset()
    perhaps: frozenset[Name] = frozenset()
    only: frozenset[Name] = frozenset()


class Outputs:
    """The outputs of one SELECT, in its order; *countable* are those before the first of many columns."""

    def __init__(self, items: Sequence[Output | Star] = ()) -> None:
        self.items = items
        self.countable: list[Output] = []
        for item in items:
            if isinstance(item, Star) or item.is_spread:
                break
            self.countable.append(item)
        outputs = [item for item in items if isinstance(item, Output)]
        self._stars = list(dict.fromkeys(item for item in items if isinstance(item, Star)))
        self.keys = {item.name for item in outputs if item.is_key and item.name}.union(
            *(star.keys for star in self._stars)
        )
        self._perhaps = frozenset[Name]().union(*(star.perhaps for star in self._stars))
        self._key_names = {name.loose for name in self.keys}
        others = [item for item in outputs if not item.is_key]
        self._other_names = {item.name.loose for item in others if item.name}
        self._other_words = frozenset[str]().union(*(item.words for item in others))
        self._has_unnamed = any(item.name is None for item in others)
        self._has_spread = any(item.is_spread for item in others)
        self._only = frozenset.intersection(*(star.only for star in self._stars)) if self._stars else None

    @cached_property
    def certain(self) -> frozenset[Name]:
        """The names under which the column of the keys surely comes out, and nothing else that is given the name."""
        return frozenset(name for name in self.keys if name.loose not in self._other_names and not self._has_spread)

    @cached_property
    def perhaps(self) -> frozenset[Name]:
        """The names under which, if anything comes out, it is the column of the keys."""
        return frozenset(name for name in self.keys | self._perhaps if not self.may_have_other(name))

    def is_key(self, name: Name) -> bool:
        """Tell whether a reference to *name* can only mean the column of the keys."""
        return (name in self.keys or name in self._perhaps) and not self.may_have_other(name)

    def may_have_other(self, name: Name) -> bool:
        """Tell whether an output other than the column of the keys could have *name*."""
        return self.may_list_other(name) or (self._only is not None and name not in self._only)

    def has_name(self, name: Name) -> bool:
        """Tell whether some output is given *name* by the text."""
        return name.loose in self._other_names or name.loose in self._key_names

    def rename(self, names: Sequence[Name]) -> Outputs:
        """Give the outputs other *names*, from the first on; they become unknown where a ``*`` hides their number."""
        if not names:
            return self
        if self._stars or self._has_spread or len(names) > len(self.items):
            return UNKNOWN
        renamed = [replace(item, name=name, words=frozenset()) for item, name in zip(self._listed(), names)]
        return Outputs([*renamed, *self.items[len(names) :]])

    def find_keys(self, columns: Sequence[str] | None) -> tuple[int, ...]:
        """Find the positions of the column of the keys in a result with *columns*.

        Raises:
            Unproved: there is none.
        """
        positions = self._find_by_name(columns) if self._stars else self._find_by_position(columns)
        if not positions:
            raise Unproved("no output is certainly the column on the left of IN (:keys)")
        return positions

    def _listed(self) -> list[Output]:
        return [item for item in self.items if isinstance(item, Output)]

    def may_list_other(self, name: Name) -> bool:
        """Tell whether an output other than the column of the keys, and no ``*``, could have *name*."""
        is_listed = name.loose in self._other_names or name.loose in self._other_words
        return is_listed or (self._has_unnamed and not name.is_word) or self._has_spread

    def _find_by_position(self, columns: Sequence[str] | None) -> tuple[int, ...]:
        if columns is not None and len(columns) != len(self.items):
            raise Unproved(f"the statement lists {len(self.items)} outputs and the result has {len(columns)} columns")
        if columns is None and self._has_spread:
            raise Unproved("an output may become several columns, and the driver cannot tell them before the rows come")
        return tuple(i for i, item in enumerate(self._listed()) if item.is_key)

    def _find_by_name(self, columns: Sequence[str] | None) -> tuple[int, ...]:
        """Find names that exactly one column has: it must be the one which the text proves to be there."""
        certain, perhaps = self.certain, self.perhaps
        names = certain | perhaps
        if columns is None and names:
            raise Unproved("a * is among the outputs, and the driver cannot tell its columns before the rows come")
        positions: dict[str, list[int]] = defaultdict(list)
        for i, column in enumerate(columns or ()):
            positions[fold(column)].append(i)
        renamed = {found[1] for column in positions if (found := re.fullmatch(_NUMBERED, column))}
        proved = {
            positions[name.loose][0]
            for name in names
            if len(positions[name.loose]) == 1 and (name in perhaps or name.loose not in renamed)
        }
        repeated = [name for name in names if len(positions[name.loose]) > 1 or name.loose in renamed]
        if repeated and not proved:
            raise Unproved(f"more than one column of the result could be {repeated[0].text!r}")
        return tuple(sorted(proved))


UNKNOWN = Outputs([Star()])
"""Outputs of which nothing is known."""


def read_output(item: Sequence[Node]) -> tuple[Sequence[Node], Name | None]:
    """Cut *item* into its expression and its name; None where the database makes one up."""
    path = read_path(item)
    if path:
        return item, None if path[-1].is_pseudo_column else path[-1]
    if len(item) > 2 and item[-2].word == "AS" and item[-3].text != "." and (name := read_name(item[-1])):
        return item[:-2], name
    if _has_alias(item):
        return item[:-1], read_name(item[-1])
    return item, None


def is_star(item: Sequence[Node]) -> bool:
    """Tell ``*`` and ``name.*``, also with words behind that change its columns: ``* exclude (x)``."""
    stars = (i for i, node in enumerate(item) if node.text == "*" and (i == 0 or item[i - 1].text == "."))
    return next(stars, None) is not None


def describe_output(item: Sequence[Node], *, is_key: bool) -> Output:
    """Read one output that is no ``*``."""
    expression, name = read_output(item)
    words = possible_names(item) if name is None and not is_key else frozenset[str]()
    is_spread = bool(expression) and expression[0].word in _SPREADING
    return Output(is_key, name, words, is_spread)


def _has_alias(item: Sequence[Node]) -> bool:
    """Tell whether the last node of *item* is a name for what stands before it, without AS."""
    if len(item) < 2 or not item[-1].identity or item[-1].word in _NO_ALIASES:
        return False
    last, before = item[-2], item[-3] if len(item) > 2 else None
    if last.kind == "string":
        return item[-1].word not in _UNITS
    if last.kind != "name":
        return last.kind not in ("operator", "punctuation")
    if last.word in _BEFORE_AN_OPERAND:
        return False
    if before is None or before.kind == "string":
        return before is None or last.word in _UNITS
    is_operand = before.kind == "operator" or before.text == "." or before.word in _BEFORE_AN_OPERAND
    return is_operand or last.word in _ENDS_OF_OPERANDS
