"""The column of the keys, as the expressions of one SELECT can write it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from mesbatch.sql.names import Name, Path, exact_path, read_path
from mesbatch.sql.outputs import UNKNOWN, Output, Outputs, Star, describe_output, is_star, read_output
from mesbatch.sql.sources import Scope
from mesbatch.sql.tree import Node


@dataclass(frozen=True, slots=True)
class KeyColumn(ABC):
    """The column that ``:keys`` is compared with, followed into one SELECT whose sources are *scope*."""

    scope: Scope

    def is_written(self, nodes: Sequence[Node]) -> bool:
        """Tell whether *nodes* are this column and nothing more, in every database."""
        path = read_path(nodes)
        return bool(path) and self.is_named(path)

    def outputs(self, items: Sequence[Sequence[Node]]) -> Outputs:
        """Read the outputs *items* of the SELECT."""
        stars: dict[tuple[str, ...] | None, Star] = {}
        return Outputs([self._read_item(item, stars) for item in items])

    def is_listed(self, path: Path) -> bool:
        """Tell whether *path* is a column of a subquery that names it."""
        return False

    @abstractmethod
    def is_named(self, path: Path) -> bool:
        """Tell whether *path* can only be this column."""

    @abstractmethod
    def star(self, qualifier: Path | None) -> Star:
        """Describe the outputs of ``*``; with a *qualifier*, those of ``qualifier.*``."""

    def _read_item(self, item: Sequence[Node], stars: dict[tuple[str, ...] | None, Star]) -> Output | Star:
        if not is_star(item):
            return describe_output(item, is_key=self.is_written(read_output(item)[0]))
        qualifier = read_path(item[:-2]) if item[-1].text == "*" else ()
        if len(item) > 1 and not qualifier:
            return Star()
        written = exact_path(qualifier) or None
        if written not in stars:
            stars[written] = self.star(qualifier or None)
        return stars[written]


@dataclass(frozen=True, slots=True)
class ColumnOfTable(KeyColumn):
    """A column of one of the sources, written *path* in the filter; empty when the filter has an expression."""

    path: Path

    def is_named(self, path: Path) -> bool:
        if not self.path or path[-1].exact != self.path[-1].exact:
            return False
        qualifier, own = path[:-1], self.path[:-1]
        if exact_path(qualifier) == exact_path(own):
            return not self.scope.is_ambiguous(own)
        return self._is_column_of(qualifier) and not self.scope.merges(self._name)

    def star(self, qualifier: Path | None) -> Star:
        if not self.path or self._name.is_pseudo_column:
            return Star()
        names, own = frozenset({self._name}), self.path[:-1]
        if qualifier is None:
            if not own:
                return Star(names, names, names)
            source = self.scope.find(own)
            if source is None or self.scope.merges(self._name):
                return Star()
            # Of two columns of one name, a database that does not refuse the name takes the first.
            return Star(names, names, names if source is self.scope.sources[0] else frozenset())
        if self.scope.merges(self._name) or not self._is_column_of(qualifier):
            return Star()
        is_there = bool(own) or len(self.scope.sources) == 1
        return Star(names if is_there else frozenset(), names, names)

    @property
    def _name(self) -> Name:
        return self.path[-1]

    def _is_column_of(self, qualifier: Path) -> bool:
        """Tell whether a column of the filter's name with this qualifier, if there is one, is the filter's.

        Without a qualifier a name is of one source only, or an error; so it is the same column with one.
        """
        own = self.path[:-1]
        written = [self.scope.find(name) for name in (own, qualifier) if name]
        if not written or None in written:
            return False
        if self._name.is_pseudo_column and len(self.scope.sources) > 1 and not (own and qualifier):
            return False
        return all(source is written[0] for source in written)


@dataclass(frozen=True, slots=True)
class ColumnOfSubquery(KeyColumn):
    """A column of the first source, which is a subquery with *inner* outputs."""

    inner: Outputs

    def is_named(self, path: Path) -> bool:
        return self.inner.is_key(path[-1]) and self._is_first(path[:-1], path[-1])

    def is_listed(self, path: Path) -> bool:
        return len(path) > 1 and self._is_first(path[:-1], path[-1]) and self.inner.has_name(path[-1])

    def star(self, qualifier: Path | None) -> Star:
        certain = frozenset(name for name in self.inner.certain if self._is_first(qualifier or (), name))
        perhaps = frozenset(name for name in self.inner.perhaps if self._is_first(qualifier or (), name))
        if qualifier is None and len(self.scope.sources) > 1:
            perhaps &= certain  # other sources may have the rest; of two columns of one name the first is taken
        return Star(certain, perhaps, perhaps)

    def _is_first(self, qualifier: Path, name: Name) -> bool:
        if not qualifier:
            return not self.scope.merges(name) and not name.is_pseudo_column
        return self.scope.find(qualifier) is self.scope.sources[0] and not name.is_pseudo_column


def column_of_subquery(scope: Scope, inner: Outputs) -> KeyColumn:
    """Follow the column of the keys out of the first source with its outputs *inner*, unless a list renames them."""
    return ColumnOfSubquery(scope, UNKNOWN if scope.sources[0].is_renamed else inner)
